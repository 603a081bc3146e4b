//! What must hold of the table whenever no thread is in it.

use std::collections::{HashMap, HashSet};

use super::memory::{Load, Memory};

/// Checks that LOAD is what a scan of the table counts, and that no flow is in it twice.
///
/// # Errors
/// What does not hold, for a person to read.
pub fn audit(memory: &Memory) -> Result<(), String> {
    let mut counted: HashMap<u16, Load> = HashMap::new();
    let mut seen = HashSet::new();
    for flow in memory.flows() {
        let load = counted.entry(flow.word.backend()).or_default();
        if flow.word.is_active() {
            load.active += 1;
        } else {
            load.inactive += 1;
        }
        if !memory.has_expired(flow.word) && !seen.insert(flow.tuple) {
            return Err(format!("{:?} is in the table twice", flow.tuple));
        }
    }
    for backend in memory.backend_ids() {
        let expected = counted.remove(&backend).unwrap_or_default();
        let load = memory.load_of(backend);
        if load != expected {
            return Err(format!(
                "LOAD of backend {backend} is {load:?}, a scan counts {expected:?}"
            ));
        }
    }
    match counted.keys().next() {
        Some(backend) => Err(format!(
            "a flow has backend {backend}, which does not exist"
        )),
        None => Ok(()),
    }
}

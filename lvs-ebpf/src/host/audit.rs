//! What must hold of the table whenever no thread is in it.

use std::collections::{HashMap, HashSet};

use lvs_common::flow::Link;

use super::{
    flows::Flow,
    memory::{Load, Memory},
};

/// Checks that LOAD is what a scan of the table counts, that no live flow or reply is in it twice, and
/// that both entries of a pair are there and agree.
///
/// # Errors
/// What does not hold, for a person to read.
pub fn audit(memory: &Memory) -> Result<(), String> {
    let flows = memory.flows();
    check_load(memory, &flows)?;
    check_tuples(memory, &flows)?;
    check_pairs(memory, &flows)
}

fn check_load(memory: &Memory, flows: &[Flow]) -> Result<(), String> {
    let mut counted: HashMap<u16, Load> = HashMap::new();
    for flow in flows.iter().filter(|flow| !flow.word.is_reply()) {
        let load = counted.entry(flow.word.backend()).or_default();
        if flow.word.is_active() {
            load.active += 1;
        } else {
            load.inactive += 1;
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

fn check_tuples(memory: &Memory, flows: &[Flow]) -> Result<(), String> {
    let mut seen = HashSet::new();
    for flow in flows {
        if !memory.has_expired(flow.word) && !seen.insert(flow.tuple) {
            return Err(format!("{:?} is in the table twice", flow.tuple));
        }
    }
    Ok(())
}

/// A flow without the entry of its replies would black-hole them; a reply without its owner would
/// keep its tuple from others.
fn check_pairs(memory: &Memory, flows: &[Flow]) -> Result<(), String> {
    let by_slot: HashMap<u32, &Flow> = flows.iter().map(|flow| (flow.slot.0, flow)).collect();
    for flow in flows.iter().filter(|flow| flow.link.is_some()) {
        let back = Link::new(flow.slot, flow.word.generation());
        let other = by_slot.get(&flow.link.slot().0).filter(|other| {
            other.word.generation() == flow.link.generation() && other.link.means(back)
        });
        let Some(other) = other else {
            if memory.has_expired(flow.word) {
                continue;
            }
            return Err(format!("{flow:?} has lost the other of its pair"));
        };
        if other.word.is_reply() == flow.word.is_reply() {
            return Err(format!("{flow:?} and {other:?} are on the same side"));
        }
        if other.word.state() != flow.word.state() {
            return Err(format!("{flow:?} and {other:?} differ in state"));
        }
    }
    match flows
        .iter()
        .find(|flow| flow.word.is_reply() && !flow.link.is_some())
    {
        Some(flow) => Err(format!("{flow:?} has no link")),
        None => Ok(()),
    }
}

//! What must hold of the table whenever no thread is in it.

use std::collections::{BTreeMap, HashMap};

use lvs_common::flow::Link;

use super::{
    flows::Flow,
    memory::{Load, Memory},
};
use crate::kernel::Tables as _;

/// A flow table at rest.
#[derive(Clone, Debug)]
pub struct Scan {
    /// Every live entry, expired ones too.
    pub flows: Vec<Flow>,
    /// What LOAD says of every backend, by its id.
    pub loads: BTreeMap<u16, Load>,
    /// Now, in ticks.
    pub now: u32,
}

impl Scan {
    /// Of the tables in memory.
    pub fn of(memory: &Memory) -> Self {
        let ids = memory.backend_ids();
        Self {
            flows: memory.flows(),
            loads: ids.map(|id| (id, memory.load_of(id))).collect(),
            now: memory.now(),
        }
    }

    /// Checks that LOAD is what a scan of the table counts, that no live flow or reply is in it twice,
    /// and that both entries of a pair are there and agree.
    ///
    /// # Errors
    /// What does not hold, for a person to read.
    pub fn audit(&self) -> Result<(), String> {
        self.check_load()?;
        self.check_tuples()?;
        self.check_pairs()
    }

    fn check_load(&self) -> Result<(), String> {
        let mut counted: HashMap<u16, Load> = HashMap::new();
        for flow in self.flows.iter().filter(|flow| !flow.word.is_reply()) {
            let load = counted.entry(flow.word.backend()).or_default();
            if flow.word.is_active() {
                load.active += 1;
            } else {
                load.inactive += 1;
            }
        }
        for (backend, load) in &self.loads {
            let expected = counted.remove(backend).unwrap_or_default();
            if *load != expected {
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

    fn check_tuples(&self) -> Result<(), String> {
        let mut seen = HashMap::new();
        for flow in &self.flows {
            if flow.word.has_expired(self.now) {
                continue;
            }
            if let Some(other) = seen.insert(flow.tuple, flow) {
                return Err(format!(
                    "it is {}, and a flow is in the table twice: {other:?} and {flow:?}",
                    self.now
                ));
            }
        }
        Ok(())
    }

    /// A flow without the entry of its replies would black-hole them; a reply without its owner would
    /// keep its tuple from others.
    fn check_pairs(&self) -> Result<(), String> {
        let by_slot: HashMap<u32, &Flow> =
            self.flows.iter().map(|flow| (flow.slot.0, flow)).collect();
        for flow in &self.flows {
            if !flow.link.is_some() {
                if flow.word.is_reply() {
                    return Err(format!("{flow:?} has no link"));
                }
                continue;
            }
            let back = Link::new(flow.slot, flow.word.generation());
            let other = by_slot.get(&flow.link.slot().0).filter(|other| {
                other.word.generation() == flow.link.generation() && other.link.means(back)
            });
            let Some(other) = other else {
                return Err(format!("{flow:?} has lost the other of its pair"));
            };
            if other.word.is_reply() == flow.word.is_reply() {
                return Err(format!("{flow:?} and {other:?} are on the same side"));
            }
            if other.word.state() != flow.word.state() {
                return Err(format!("{flow:?} and {other:?} differ in state"));
            }
        }
        Ok(())
    }
}

/// [`Scan::audit`] of the tables in memory.
///
/// # Errors
/// As there.
pub fn audit(memory: &Memory) -> Result<(), String> {
    Scan::of(memory).audit()
}

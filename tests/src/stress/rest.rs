//! What must hold of the tables when nobody is in them.

use std::collections::HashMap;

use anyhow::{Result, anyhow, ensure};
use lvs_ebpf::host::{AnyTuple, Flow, Scan};

use super::request::{
    CLIENTS, FIRST_NAT, FIRST_PORT, Kind, PORTS, backend, kind, nat, tuple4, tuple6,
};

/// What the stress program may have entered: the number of every tuple of both families.
pub(super) struct Known(HashMap<AnyTuple, u32>);

impl Known {
    pub(super) fn new() -> Self {
        let numbers = (0..3 * CLIENTS)
            .chain(FIRST_NAT..FIRST_NAT + CLIENTS)
            .chain(FIRST_PORT..FIRST_PORT + PORTS);
        let tuples = numbers.flat_map(|n| [(tuple4(n).into(), n), (tuple6(n).into(), n)]);
        Self(tuples.collect())
    }

    /// Checks everything that holds of every table, and that each entry is wholly what it was opened
    /// as, but for those that `is_packets` says to be of real packets.
    pub(super) fn check(
        &self,
        scan: &Scan,
        backends: u32,
        is_packets: &impl Fn(&AnyTuple) -> bool,
    ) -> Result<()> {
        scan.audit().map_err(|complaint| anyhow!(complaint))?;
        let by_slot: HashMap<u32, &Flow> =
            scan.flows.iter().map(|flow| (flow.slot.0, flow)).collect();
        for flow in &scan.flows {
            let Some(number) = self.0.get(&flow.tuple).copied() else {
                let is_one = is_packets(&flow.tuple) && !flow.link.is_some();
                ensure!(is_one, "a mix of tuples: {flow:?}");
                continue;
            };
            if number >= FIRST_NAT {
                ensure!(flow.word.is_reply(), "client {number} is none: {flow:?}");
                continue;
            }
            ensure!(
                !flow.word.is_reply() && flow.word.backend() == backend(number, backends),
                "client {number} has what is another's: {flow:?}"
            );
            let is_pair = kind(number) != Kind::Lone;
            ensure!(flow.link.is_some() == is_pair, "client {number}: {flow:?}");
            if is_pair {
                let note = flow.link.note();
                let reply = by_slot.get(&flow.link.slot().0);
                let its_number = reply.and_then(|reply| self.0.get(&reply.tuple));
                ensure!(
                    its_number == Some(&note),
                    "client {number} notes another reply than it has: {flow:?}"
                );
                let is_its_kind = match kind(number) {
                    Kind::Nat => note == nat(number),
                    _ => (FIRST_PORT..FIRST_PORT + PORTS).contains(&note),
                };
                ensure!(is_its_kind, "client {number} has reply {note}: {flow:?}");
            }
        }
        Ok(())
    }
}

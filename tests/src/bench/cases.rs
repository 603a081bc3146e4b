//! What is measured: the programs, the traffic they get, and what must come of it.

use lvs_common::{Protocol, tcp};
use serde::Serialize;

use super::{
    measure::RARELY,
    rig::{Counts, Outcome},
    setup::PORT,
};
use crate::harness::{Batch, traffic::Traffic};

const XDP_PASS: u32 = 2;
const XDP_TX: u32 = 3;

/// A program under test.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Program {
    /// Says `XDP_TX`: what the harness takes by itself.
    NullTx,
    /// The data plane.
    Lvs,
    /// The same walk with its flows in an LRU map.
    Lru,
    /// The same with `BPF_F_NO_COMMON_LRU`.
    #[serde(rename = "lru_percpu")]
    LruPerCpu,
}

impl Program {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::NullTx, Self::Lvs, Self::Lru, Self::LruPerCpu];

    /// Its name in the object.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NullTx => "null_tx",
            Self::Lvs => "lvs",
            Self::Lru => "lru",
            Self::LruPerCpu => "lru_percpu",
        }
    }
}

/// A kind of traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Case {
    /// A SYN of a new flow each, into an empty table.
    Insert,
    /// An ACK each, of flows in random order.
    Established,
    /// A SYN each on established flows, in random order.
    SynAgain,
    /// Packets for an address and port that is no service's.
    NoService,
    /// A SYN of a new flow each, into a full table.
    Flood,
}

impl Case {
    /// All of them, in the order in which a rig goes through them.
    pub const ALL: [Self; 5] = [
        Self::Insert,
        Self::Established,
        Self::SynAgain,
        Self::NoService,
        Self::Flood,
    ];

    /// Its name in the report.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Insert => "insert",
            Self::Established => "established",
            Self::SynAgain => "syn again",
            Self::NoService => "no service",
            Self::Flood => "flood",
        }
    }

    /// The traffic on `flows` flows that are in the table, or from flow `first` on that are not.
    pub(super) fn batch(self, flows: u32, first: u32, packets: u32) -> Batch {
        let is_new = matches!(self, Self::Insert | Self::Flood);
        let traffic = Traffic {
            first: if is_new { first } else { 0 },
            flows,
            random: u32::from(!is_new),
            port: if self == Self::NoService {
                PORT + 1
            } else {
                PORT
            }
            .to_be(),
            tcp_flags: match self {
                Self::Established | Self::NoService => tcp::ACK,
                Self::Insert | Self::SynAgain | Self::Flood => tcp::SYN,
            },
            protocol: Protocol::Tcp as u8,
            ..Traffic::default()
        };
        Batch { traffic, packets }
    }

    /// What is wrong with the outcome of a batch; `None` if it is what the case means.
    pub(super) fn complaint(self, program: Program, packets: u32, out: &Outcome) -> Option<String> {
        let packets = u64::from(packets);
        let counts = &out.counts;
        let verdict = match (program, self) {
            (Program::Lvs | Program::Lru | Program::LruPerCpu, Self::NoService) => XDP_PASS,
            _ => XDP_TX,
        };
        let as_meant = match (program, self) {
            (Program::NullTx, _) => *counts == Counts::default(),
            (_, Self::NoService) => counts.no_service == packets && counts.connections == 0,
            (_, Self::Established | Self::SynAgain) => {
                counts.sent >= packets - packets / RARELY && counts.connections <= packets / RARELY
            }
            (_, Self::Insert) => {
                counts.sent == packets
                    && counts.connections == packets
                    && counts.evicted <= packets / RARELY
            }
            (Program::Lvs, Self::Flood) => {
                // The first ones find the last free places.
                counts.sent == packets
                    && counts.connections == packets
                    && counts.evicted >= packets - packets / 50
                    && counts.evicted_proven <= packets / RARELY
            }
            (_, Self::Flood) => counts.sent == packets && counts.connections == packets,
        };
        (out.verdict != verdict || !as_meant).then(|| {
            format!(
                "{} with {}: {packets} packets, the last with verdict {} instead of {verdict}; {} \
                 sent, {} without a service, {} else, {} flows opened, {} evicted ({} proven)",
                program.name(),
                self.name(),
                out.verdict,
                counts.sent,
                counts.no_service,
                counts.other,
                counts.connections,
                counts.evicted,
                counts.evicted_proven,
            )
        })
    }
}

/// An ACK of each flow in turn: completes handshakes, and tells who is still there.
pub(super) fn one_ack_each(flows: u32) -> Batch {
    let traffic = Traffic {
        port: PORT.to_be(),
        tcp_flags: tcp::ACK,
        protocol: Protocol::Tcp as u8,
        ..Traffic::default()
    };
    Batch {
        traffic,
        packets: flows,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(verdict: u32, counts: Counts) -> Outcome {
        Outcome {
            nanoseconds: 1,
            verdict,
            counts,
        }
    }

    #[test]
    fn packets_that_do_something_else_are_noticed() {
        let case = Case::Established;
        let good = outcome(
            XDP_TX,
            Counts {
                sent: 1000,
                ..Counts::default()
            },
        );
        assert_eq!(case.complaint(Program::Lvs, 1000, &good), None);
        // One was sent and the rest passed: the trap of measuring a program's own output.
        let mut bad = good;
        bad.counts.sent = 1;
        bad.counts.other = 999;
        assert!(case.complaint(Program::Lvs, 1000, &bad).is_some());
        assert!(case.complaint(Program::NullTx, 1000, &good).is_some());
        bad = good;
        bad.verdict = XDP_PASS;
        assert!(case.complaint(Program::Lru, 1000, &bad).is_some());
    }

    #[test]
    fn an_lru_map_that_forgot_flows_is_noticed() {
        let counts = Counts {
            sent: 1000,
            connections: 30,
            ..Counts::default()
        };
        let complaint = Case::SynAgain.complaint(Program::Lru, 1000, &outcome(XDP_TX, counts));
        assert!(complaint.is_some());
    }

    #[test]
    fn a_flood_must_evict() {
        let mut counts = Counts {
            sent: 1000,
            connections: 1000,
            ..Counts::default()
        };
        let complaint = |counts| {
            let out = outcome(XDP_TX, counts);
            Case::Flood.complaint(Program::Lvs, 1000, &out)
        };
        assert!(complaint(counts).is_some());
        counts.evicted = 1000;
        assert_eq!(complaint(counts), None);
    }
}

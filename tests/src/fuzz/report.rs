//! What a run has found, for people.

use std::{error::Error, fmt};

use lvs_common::{Reason, map::FlowEvent};

/// A packet that broke a rule.
#[derive(Clone, Debug)]
pub struct Failure {
    /// Which rule.
    pub(super) complaint: String,
    /// Seed of the run.
    pub(super) seed: u64,
    /// Which packet of the run, from 0 on.
    pub(super) number: u64,
    /// Index of the interface it came by.
    pub(super) ingress: u32,
    /// The packet as it came.
    pub(super) packet: Vec<u8>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "failure: {}", self.complaint)?;
        writeln!(
            f,
            "seed:    {}, packet {}, interface {}",
            self.seed, self.number, self.ingress
        )?;
        f.write_str("packet:  ")?;
        self.packet
            .iter()
            .try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl Error for Failure {}

/// What a run has covered.
#[derive(Clone, Debug)]
pub struct Report {
    pub(super) seed: u64,
    pub(super) packets: u64,
    pub(super) swept: u64,
    pub(super) reasons: Vec<(Reason, u64)>,
    pub(super) events: Vec<(FlowEvent, u64)>,
}

impl Report {
    /// Packets walked.
    pub const fn packets(&self) -> u64 {
        self.packets
    }

    /// How many of them had this reason.
    pub fn count(&self, reason: Reason) -> u64 {
        let found = self.reasons.iter().find(|(each, _)| *each == reason);
        found.map_or(0, |(_, count)| *count)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<24}{:>14}", "packets", self.packets)?;
        for (reason, count) in &self.reasons {
            writeln!(f, "  {:<22}{count:>14}", reason.as_str())?;
        }
        writeln!(f, "flow events")?;
        for (event, count) in &self.events {
            writeln!(f, "  {:<22}{count:>14}", event.as_str())?;
        }
        writeln!(f, "{:<24}{:>14}", "flows swept", self.swept)?;
        write!(f, "{:<24}{:>14}", "seed", self.seed)
    }
}

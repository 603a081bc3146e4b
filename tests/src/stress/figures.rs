//! What happened in a stress run.

use std::{fmt, ops::AddAssign};

use lvs_common::map::FlowEvent;

use super::request::Outcome;

/// Counts of everything that was done and seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Tables that were new, used and looked at.
    pub tables: u64,
    /// Entries that were live in them in the end.
    pub entries: u64,
    /// Packets that the data plane walked.
    pub packets: u64,
    pub(super) outcomes: [u64; Outcome::ALL.len()],
    pub(super) events: [u64; FlowEvent::ALL.len()],
}

impl Figures {
    /// Operations of the stress program.
    pub fn operations(&self) -> u64 {
        self.outcomes.iter().sum()
    }

    /// Flows with two entries that were opened.
    pub fn opened(&self) -> u64 {
        self.outcome(Outcome::Opened)
    }

    /// Flows with two entries that were not, since all reply tuples were others'.
    pub fn taken(&self) -> u64 {
        self.outcome(Outcome::Taken)
    }

    /// Packets of backends that met their flow.
    pub fn replies(&self) -> u64 {
        self.outcome(Outcome::Reply)
    }

    /// How often an event was counted.
    pub fn event(&self, event: FlowEvent) -> u64 {
        self.events[event as usize]
    }

    pub(super) fn outcome(&self, outcome: Outcome) -> u64 {
        self.outcomes[outcome as usize]
    }
}

impl AddAssign for Figures {
    fn add_assign(&mut self, more: Self) {
        self.tables += more.tables;
        self.entries += more.entries;
        self.packets += more.packets;
        for (sum, count) in self.outcomes.iter_mut().zip(more.outcomes) {
            *sum += count;
        }
        for (sum, count) in self.events.iter_mut().zip(more.events) {
            *sum += count;
        }
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = |name: &str, count: u64| writeln!(f, "  {name:<28}{count:>14}");
        line("tables", self.tables)?;
        line("entries at rest", self.entries)?;
        line("packets walked", self.packets)?;
        line("operations", self.operations())?;
        for outcome in Outcome::ALL {
            line(&format!("    {outcome:?}"), self.outcome(outcome))?;
        }
        for event in FlowEvent::ALL {
            line(&format!("event {}", event.as_str()), self.event(event))?;
        }
        Ok(())
    }
}

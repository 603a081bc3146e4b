//! Watching how full the flow table is: an operator must hear of it before connections are lost, and at
//! once when one was.

use std::time::{Duration, Instant};

use anyhow::Result;
use lvs_common::{flow::SLOTS_PER_FLOW, map::FlowEvent};

use crate::datapath::{StatsReader, Swept};

/// Live flows in a hundred entries from which on it is crowded: a fifth more than the table was made for.
const CROWDED: u64 = 100 / SLOTS_PER_FLOW * 6 / 5;

/// As long as connections are being lost, it is said no oftener than this.
const PAUSE: Duration = Duration::from_secs(10);

/// What has been said so far.
#[derive(Debug, Default)]
pub(super) struct Pressure {
    crowded: bool,
    /// Events that have been told.
    told: Lost,
    /// When.
    told_at: Option<Instant>,
}

/// Events of connections that were lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Lost {
    /// Proven flows that were evicted.
    proven: u64,
    /// New flows that found no place.
    not_kept: u64,
}

impl Pressure {
    /// Looks at the events and at what a sweep has found, and warns.
    ///
    /// # Errors
    /// If the events cannot be read.
    pub(super) fn watch(&mut self, stats: &StatsReader, swept: Swept) -> Result<()> {
        let lost = Lost {
            proven: stats.event(FlowEvent::EvictedProven)?,
            not_kept: stats.event(FlowEvent::NotKept)?,
        };
        let warnings = [
            self.crowding(swept.fullest),
            self.loss(lost, Instant::now()),
        ];
        for warning in warnings.into_iter().flatten() {
            log::warn!("{warning}");
        }
        Ok(())
    }

    fn crowding(&mut self, fullest: u64) -> Option<String> {
        let was_crowded = self.crowded;
        self.crowded = fullest >= CROWDED;
        (self.crowded && !was_crowded).then(|| {
            format!(
                "the flow table is {fullest} % full, and made for {} %: raise `flows` before new \
                 connections cost others",
                100 / SLOTS_PER_FLOW
            )
        })
    }

    fn loss(&mut self, lost: Lost, now: Instant) -> Option<String> {
        let is_early = self
            .told_at
            .is_some_and(|told| now.saturating_duration_since(told) < PAUSE);
        if lost == self.told || is_early {
            return None;
        }
        let proven = lost.proven - self.told.proven;
        let not_kept = lost.not_kept - self.told.not_kept;
        self.told = lost;
        self.told_at = Some(now);
        Some(format!(
            "the flow table has lost connections: {proven} established ones were evicted, \
             {not_kept} new ones found no place; raise `flows`"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crowding_is_said_once_until_it_is_over() {
        let mut pressure = Pressure::default();
        assert_eq!(pressure.crowding(29), None);
        let said = pressure.crowding(30).unwrap();
        assert!(said.contains("30 % full, and made for 25 %"), "{said}");
        assert_eq!(pressure.crowding(31), None);
        assert_eq!(pressure.crowding(29), None);
        assert!(pressure.crowding(35).is_some());
    }

    #[test]
    fn a_lost_connection_is_said_at_once_and_more_of_them_after_a_while() {
        let mut pressure = Pressure::default();
        let start = Instant::now();
        let lost = |proven, not_kept| Lost { proven, not_kept };
        assert_eq!(pressure.loss(lost(0, 0), start), None);
        let said = pressure.loss(lost(1, 0), start).unwrap();
        assert!(said.contains("1 established ones"), "{said}");
        assert_eq!(pressure.loss(lost(5, 0), start + PAUSE / 2), None);
        let said = pressure.loss(lost(7, 2), start + PAUSE).unwrap();
        assert!(said.contains("6 established ones") && said.contains("2 new ones"));
        assert_eq!(pressure.loss(lost(7, 2), start + 2 * PAUSE), None);
        assert!(pressure.loss(lost(8, 2), start + 3 * PAUSE).is_some());
    }
}

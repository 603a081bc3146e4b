//! Two CPUs on pairs of entries, and on packets of flows with one, in thousands of small tables.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use lvs_common::map::FlowEvent;

use crate::stress::{Figures, Machine, Round, Sides};

/// A table is used for so long.
const ROUND: Duration = Duration::from_millis(20);

/// What the two CPUs open: the same, or what shares a table with the other's replies or clients.
const SIDES: [[Sides; 2]; 5] = [
    [Sides::V4, Sides::V4],
    [Sides::V6, Sides::V6],
    [Sides::V6ToV4, Sides::V6ToV4],
    [Sides::V4, Sides::V6ToV4],
    [Sides::V6, Sides::V6ToV4],
];

/// Half buckets: from sixteen entries to room for nearly all.
const HALVES: [u32; 5] = [4, 8, 16, 32, 64];

/// The soak: what must hold is checked after each table.
pub(super) fn run(time: Duration) -> Result<()> {
    let mut machine = Machine::new()?;
    let mut sum = Figures::default();
    let start = Instant::now();
    let all = HALVES.map(|halves| SIDES.map(|sides| (halves, sides)));
    for (seed, (halves, sides)) in (0..).zip(all.as_flattened().iter().cycle()) {
        if start.elapsed() >= time {
            break;
        }
        sum += machine.round(&Round {
            sides: *sides,
            halves: *halves,
            time: ROUND,
            seed,
        })?;
    }
    print!("{sum}");
    let nanoseconds = 2 * start.elapsed().as_nanos() / u128::from(sum.operations().max(1));
    println!("  nanoseconds an operation, of each CPU, with everything else {nanoseconds}");
    for event in [FlowEvent::Twin, FlowEvent::NotKept, FlowEvent::Expired] {
        ensure!(
            sum.event(event) > 0,
            "no event {}: the CPUs did not meet",
            event.as_str()
        );
    }
    Ok(())
}

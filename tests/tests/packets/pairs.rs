//! Pairs of entries on two CPUs: what `cargo xtask soak pairs` does for long.

use std::time::Duration;

use lvs_common::map::FlowEvent;
use lvs_tests::{
    packet::require_root,
    stress::{Figures, Machine, Round, Sides},
};

/// What both CPUs open, in tables of such sizes, one after the other.
const ROUNDS: [([Sides; 2], u32); 10] = [
    ([Sides::V4, Sides::V4], 4),
    ([Sides::V6, Sides::V6], 4),
    ([Sides::V6ToV4, Sides::V6ToV4], 4),
    ([Sides::V4, Sides::V6ToV4], 4),
    ([Sides::V6, Sides::V6ToV4], 4),
    ([Sides::V4, Sides::V4], 32),
    ([Sides::V6, Sides::V6], 16),
    ([Sides::V6ToV4, Sides::V6ToV4], 64),
    ([Sides::V4, Sides::V6ToV4], 32),
    ([Sides::V6, Sides::V6ToV4], 16),
];

/// Each of them so often, with a new table each time.
const TABLES: u64 = 10;
const ROUND: Duration = Duration::from_millis(10);

/// Every table is checked when the CPUs are at rest: counts, tuples, links.
#[test]
fn two_cpus_leave_whole_pairs_and_exact_counts() {
    require_root();
    let mut machine = Machine::new().expect("the programs");
    let mut sum = Figures::default();
    for seed in 0..TABLES {
        for (sides, halves) in ROUNDS {
            let round = Round {
                sides,
                halves,
                time: ROUND,
                seed,
            };
            match machine.round(&round) {
                Ok(figures) => sum += figures,
                Err(error) => panic!("{error:#}"),
            }
        }
    }
    println!("{sum}");
    assert!(sum.opened() > 0 && sum.taken() > 0 && sum.replies() > 0);
    for event in [
        FlowEvent::Expired,
        FlowEvent::EvictedHalfOpen,
        FlowEvent::EvictedClosing,
    ] {
        assert!(sum.event(event) > 0, "no event {}", event.as_str());
    }
}

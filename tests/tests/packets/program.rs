//! What it costs to load the program, and that it can be loaded more than once.

use lvs_tests::packet::Case;

use crate::farm::{Site, farm};

/// What the verifier may follow. Some 84,000 when this was written; it gives up at a million, and a
/// loop or a branch in the wrong place multiplies what it follows: that must be noticed, and meant.
const BUDGET: u32 = 250_000;

#[test]
fn the_verifier_stays_within_its_budget() {
    let count = farm().datapath.verified_instructions().expect("a count");
    assert!(
        (1..=BUDGET).contains(&count),
        "the verifier followed {count} instructions of a budget of {BUDGET}"
    );
}

/// Two data planes have nothing to do with each other.
#[test]
fn is_loaded_twice_with_maps_of_its_own() {
    let (one, other) = (farm(), farm());
    let site = Site::Web;
    let first = site.first(1);
    let opens = || {
        Case::sent("opens a flow", &first, site.backend(), &site.hop()).opens_active(site.backend())
    };
    one.run([opens()]);
    assert_eq!(other.flows(), []);
    other.run([opens()]);
    drop(one);
    assert_eq!(other.flows().len(), 1);
}

//! Who knows the code of the flow table's hash, but not its keys, can't fill one bucket.
//!
//! Sets of tuples that break weaker hashes are spread with many random keys: by each of both hash
//! functions and by both together, over few buckets and over those of a table for a million flows.
//! A hash that knows nothing of its input would fail one of these tests less than once in 10^9 times;
//! the keys are always the same ones.

mod chance;
mod sets;
mod spread;

use std::collections::HashSet;

use lvs_common::flow::{Keys, Places, Tuple, Tuple4, Tuple6};
use sets::{Flow, Set};
use spread::{TABLE, View, bounds};

/// How seldom a good hash may fail.
const FAILURE: f64 = 1e-9;

/// Keys that are others for every seed.
fn keys(seed: u32) -> Keys {
    // Steele, Lea and Flood: "Fast splittable pseudorandom number generators".
    let mut state = u64::from(seed) << 32;
    Keys::new(std::array::from_fn(|_| {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }))
}

/// Home and alternative in a table for a million flows.
fn halves<T: Flow>(tuple: &T, keys: &Keys) -> (u32, u32) {
    let places = Places::of(tuple, keys, (1 << TABLE) - 1);
    (places.half(0), places.half(1))
}

/// What is wrong with these sets under the keys of these seeds.
fn faults<T: Flow, H>(sets: &[Set<T>], seeds: core::ops::Range<u32>, halves: H) -> Vec<String>
where
    H: Fn(&T, &Keys) -> (u32, u32),
{
    let experiments = sets.len() as u32 * (seeds.end - seeds.start);
    let mut faults = Vec::new();
    for set in sets {
        let bounds = bounds(set.tuples.len() as u32, FAILURE / f64::from(experiments));
        for seed in seeds.clone() {
            let keys = keys(seed);
            let halves: Vec<_> = set.tuples.iter().map(|t| halves(t, &keys)).collect();
            let broken = bounds.iter().filter_map(|bounds| bounds.broken_by(&halves));
            faults.extend(broken.map(|what| format!("{}, seed {seed}: {what}", set.name)));
        }
    }
    faults
}

fn all_sets<T: Flow>(one_word: u32, two_words: u32) -> Vec<Set<T>> {
    let mut sets = sets::of_one_word(one_word);
    sets.extend(sets::of_two_words(two_words));
    sets.extend(sets::of_bits());
    for set in &sets {
        let different: HashSet<_> = set.tuples.iter().map(Tuple::words).collect();
        assert_eq!(different.len(), set.tuples.len(), "{}", set.name);
    }
    sets
}

#[test]
fn sets_that_break_weaker_hashes_spread_ipv4() {
    let faults = faults(&all_sets::<Tuple4>(1 << 14, 1 << 14), 0..40, halves);
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
fn sets_that_break_weaker_hashes_spread_ipv6() {
    let faults = faults(&all_sets::<Tuple6>(1 << 14, 1 << 12), 0..10, halves);
    assert!(faults.is_empty(), "{faults:#?}");
}

/// What is left of a tuple before a key comes in.
type Digest = fn(&Tuple4) -> u32;

/// The sets do break hashes that lose something before a key comes in.
#[test]
fn weaker_hashes_are_found() {
    fn words(tuple: &Tuple4) -> impl Iterator<Item = (u32, u32)> {
        let halves = |word: &u64| (*word as u32, (*word >> 32) as u32);
        tuple.words().iter().map(halves)
    }
    let weak: [(Digest, &[&str]); 3] = [
        (
            |tuple| words(tuple).fold(0, |sum, (a, b)| sum.wrapping_add(a).wrapping_add(b)),
            &["the same sum", "the top bits", "exchange"],
        ),
        (
            |tuple| words(tuple).fold(0, |sum, (a, b)| sum ^ a ^ b),
            &["the same xor", "the top bits", "exchange", "two bits"],
        ),
        (
            |tuple| words(tuple).fold(0, |sum, (a, b)| sum.wrapping_add(a.wrapping_mul(b))),
            &["exchange of words 1 and 2"],
        ),
    ];
    let sets = all_sets::<Tuple4>(1 << 12, 1 << 12);
    for (digest, names) in weak {
        let faults = faults(&sets, 0..1, |tuple, keys| {
            halves(&Tuple4::new(digest(tuple), 0, 0, 0), keys)
        });
        for name in names {
            let found = faults.iter().any(|fault| fault.starts_with(name));
            assert!(found, "{name} passed: {faults:#?}");
        }
    }
}

/// Tuples that share all their places in a small table under the keys of seed 0.
fn collisions<T: Flow>(n: usize) -> Set<T> {
    const BITS: u32 = 10;
    let known = keys(0);
    let bucket = |tuple: &T| {
        let (home, alternative) = halves(tuple, &known);
        View::Both.bucket(home, alternative, BITS)
    };
    Set {
        name: "collisions under a known key".to_owned(),
        tuples: sets::clients().filter(|t| bucket(t) == 0).take(n).collect(),
    }
}

fn spread_under_other_keys<T: Flow>() {
    let sets = [collisions::<T>(1 << 11)];
    let known = faults(&sets, 0..1, halves);
    assert!(
        known.len() >= 4,
        "they collide under the known key: {known:#?}"
    );
    let others = faults(&sets, 1..200, halves);
    assert!(others.is_empty(), "{others:#?}");
}

#[test]
fn what_collides_under_one_key_spreads_under_others_ipv4() {
    spread_under_other_keys::<Tuple4>();
}

#[test]
fn what_collides_under_one_key_spreads_under_others_ipv6() {
    spread_under_other_keys::<Tuple6>();
}

//! Keeping neighbour entries fresh: which ones to ask for, when, and what to undo in the end.
//!
//! XDP traffic never confirms a neighbour, so without this the kernel would let the entries go
//! stale and collect them. Since 5.16 it keeps entries marked `NTF_EXT_MANAGED` by itself. An older
//! kernel drops the mark silently; then the same request, repeated, does the work.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use tokio::time::Instant;

use super::neighbour::{Care, Key, Neighbours};

/// How often a neighbour that does not answer is asked for. The kernel itself would come back to a
/// failed managed entry only every 5 s (`INTERVAL_PROBE_TIME_MS`), which is long for a backend that
/// just came up.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// How often a resolved neighbour is asked for that the kernel does not manage.
const KEEP_ALIVE: Duration = Duration::from_secs(3);

/// A request to the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Resolve, and keep resolved.
    Ask {
        /// The neighbour.
        key: Key,
        /// Whether the entry is to be marked as made here.
        make: bool,
    },
    /// Make it an ordinary entry.
    Unmanage(Key),
    /// Remove it.
    Delete(Key),
}

impl Step {
    /// The entry that it is about.
    pub(super) const fn key(self) -> Key {
        match self {
            Self::Ask { key, .. } | Self::Unmanage(key) | Self::Delete(key) => key,
        }
    }
}

/// The entries that this program asked for.
#[derive(Debug, Default)]
pub(super) struct Keeper {
    asked: BTreeMap<Key, Asked>,
}

#[derive(Clone, Copy, Debug)]
struct Asked {
    at: Instant,
    undo: Undo,
}

/// How to leave an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Undo {
    /// It was made here: remove it.
    Delete,
    /// It was there before: make it ordinary again.
    Unmanage,
    /// It was somebody's managed entry before.
    Nothing,
}

impl Keeper {
    /// What there is to do so that the `wanted` entries, and only they, are kept. The steps count
    /// as done: if one fails, it comes again when its time has passed.
    pub(super) fn steps(
        &mut self,
        wanted: &BTreeSet<Key>,
        table: &Neighbours,
        now: Instant,
    ) -> Vec<Step> {
        let mut steps = self.let_go(wanted, table);
        for &key in wanted {
            let entry = table.get(&key);
            let asked = self.asked.get(&key);
            let pause = match entry {
                // A request would take a permanent entry's permanence (__neigh_update in
                // net/core/neighbour.c), and a learned one's owner.
                Some(entry) if entry.care == Care::Maker => continue,
                Some(entry) if entry.care == Care::Kernel && !entry.idle => {
                    // Left by an earlier life that had no time to clean up: now it is this one's to
                    // remove.
                    if entry.ours && asked.is_none() {
                        self.asked.insert(
                            key,
                            Asked {
                                at: now,
                                undo: Undo::Delete,
                            },
                        );
                    }
                    continue;
                }
                Some(entry) if entry.mac.is_some() => KEEP_ALIVE,
                _ => ASK_AGAIN,
            };
            // An entry that was just marked is not seen as managed before the kernel next tells of
            // it.
            if asked.is_some_and(|asked| now < asked.at + pause) {
                continue;
            }
            let undo = match (entry, asked) {
                (None, _) => Undo::Delete,
                (Some(entry), _) if entry.ours => Undo::Delete,
                (_, Some(asked)) => asked.undo,
                (Some(entry), None) if entry.care == Care::Kernel => Undo::Nothing,
                (Some(_), None) => Undo::Unmanage,
            };
            self.asked.insert(key, Asked { at: now, undo });
            steps.push(Step::Ask {
                key,
                make: undo == Undo::Delete,
            });
        }
        steps
    }

    /// Forgets the entries that are not `wanted` any more, and says how to leave them: those made
    /// here are removed, those that were there before become ordinary again, and those that
    /// somebody fixed since are left alone.
    pub(super) fn let_go(&mut self, wanted: &BTreeSet<Key>, table: &Neighbours) -> Vec<Step> {
        let mut steps = Vec::new();
        self.asked.retain(|key, asked| {
            if wanted.contains(key) {
                return true;
            }
            match (asked.undo, table.get(key)) {
                (_, Some(entry)) if entry.care == Care::Maker => {}
                (Undo::Delete, Some(_)) => steps.push(Step::Delete(*key)),
                (Undo::Unmanage, Some(entry)) if entry.care == Care::Kernel => {
                    steps.push(Step::Unmanage(*key));
                }
                _ => {}
            }
            false
        });
        steps
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::neighbour::Neighbour;

    const GOOD: Neighbour = Neighbour {
        mac: Some([2, 0, 0, 0, 0, 17]),
        idle: false,
        care: Care::Nobody,
        ours: false,
    };
    const MANAGED: Neighbour = Neighbour {
        care: Care::Kernel,
        ..GOOD
    };
    const FAILED: Neighbour = Neighbour {
        mac: None,
        idle: true,
        ..MANAGED
    };
    const INCOMPLETE: Neighbour = Neighbour {
        mac: None,
        ..MANAGED
    };
    const FIXED: Neighbour = Neighbour {
        care: Care::Maker,
        ..GOOD
    };

    fn key() -> Key {
        Key {
            ifindex: 3,
            address: "10.0.0.17".parse().unwrap(),
        }
    }

    /// A keeper, its clock, and the one neighbour it looks at.
    struct Bench {
        keeper: Keeper,
        start: Instant,
    }

    impl Bench {
        fn new() -> Self {
            Self {
                keeper: Keeper::default(),
                start: Instant::now(),
            }
        }

        fn at(&mut self, millis: u64, entry: Option<Neighbour>) -> Vec<Step> {
            let table = entry.map(|entry| (key(), entry)).into_iter().collect();
            self.keeper.steps(
                &BTreeSet::from([key()]),
                &table,
                self.start + Duration::from_millis(millis),
            )
        }

        fn let_go(&mut self, entry: Option<Neighbour>) -> Vec<Step> {
            let table = entry.map(|entry| (key(), entry)).into_iter().collect();
            self.keeper.let_go(&BTreeSet::new(), &table)
        }
    }

    const fn ask(key: Key, make: bool) -> Step {
        Step::Ask { key, make }
    }

    #[test]
    fn asks_once_and_leaves_the_rest_to_the_kernel() {
        let mut bench = Bench::new();
        assert_eq!(bench.at(0, None), [ask(key(), true)]);
        assert_eq!(bench.at(20, None), []);
        assert_eq!(bench.at(500, Some(INCOMPLETE)), []);
        assert_eq!(bench.at(60_000, Some(MANAGED)), []);
        assert_eq!(bench.let_go(Some(MANAGED)), [Step::Delete(key())]);
        assert_eq!(bench.let_go(Some(MANAGED)), [], "only once");
    }

    #[test]
    fn asks_every_second_while_there_is_no_answer() {
        let mut bench = Bench::new();
        assert_eq!(bench.at(0, None), [ask(key(), true)]);
        assert_eq!(bench.at(999, Some(FAILED)), []);
        assert_eq!(bench.at(1_000, Some(FAILED)), [ask(key(), true)]);
        assert_eq!(bench.at(1_500, Some(INCOMPLETE)), []);
        assert_eq!(
            bench.at(2_000, None),
            [ask(key(), true)],
            "vanished with the link"
        );
    }

    #[test]
    fn without_management_it_asks_every_three_seconds() {
        let mut bench = Bench::new();
        assert_eq!(bench.at(0, Some(GOOD)), [ask(key(), false)]);
        assert_eq!(bench.at(2_999, Some(GOOD)), []);
        assert_eq!(bench.at(3_000, Some(GOOD)), [ask(key(), false)]);
        assert_eq!(bench.let_go(Some(GOOD)), [], "nothing was changed");
    }

    #[test]
    fn an_entry_that_was_there_before_becomes_ordinary_again() {
        let mut bench = Bench::new();
        assert_eq!(bench.at(0, Some(GOOD)), [ask(key(), false)]);
        assert_eq!(bench.let_go(Some(MANAGED)), [Step::Unmanage(key())]);
    }

    #[test]
    fn what_others_keep_is_left_alone() {
        let mut bench = Bench::new();
        assert_eq!(bench.at(0, Some(FIXED)), []);
        assert_eq!(bench.at(10, Some(MANAGED)), []);
        assert_eq!(bench.let_go(Some(MANAGED)), []);
        assert_eq!(
            bench.at(20, Some(FAILED)),
            [ask(key(), false)],
            "asking again harms nobody"
        );
        assert_eq!(bench.let_go(Some(MANAGED)), []);

        assert_eq!(bench.at(0, None), [ask(key(), true)]);
        assert_eq!(bench.let_go(Some(FIXED)), [], "made permanent meanwhile");
    }

    #[test]
    fn entries_of_an_earlier_life_are_adopted() {
        let mut bench = Bench::new();
        let left = Neighbour {
            ours: true,
            ..MANAGED
        };
        assert_eq!(bench.at(0, Some(left)), []);
        assert_eq!(bench.let_go(Some(left)), [Step::Delete(key())]);
    }
}

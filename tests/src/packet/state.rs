//! Everything that the data plane counts, by dotted names.

use std::{collections::BTreeMap, fmt};

/// What changed between two states: name to difference, 0 left out.
pub type Changes = BTreeMap<String, i64>;

/// The value of every counter at a moment.
///
/// Names are `reason.sent.packets`, `service.web.connections`, `backend.web-1.bytes`,
/// `load.web-1.active`, `event.reused`,
/// `notice.too-big`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State(BTreeMap<String, u64>);

impl State {
    /// Notes a counter's value.
    pub(super) fn note(&mut self, name: String, value: u64) {
        self.0.insert(name, value);
    }

    /// The value of a counter.
    pub fn get(&self, name: &str) -> u64 {
        let value = self.0.get(name);
        assert!(value.is_some(), "no counter is called {name}");
        value.copied().unwrap_or_default()
    }

    /// The sum of all counters whose names begin and end so.
    pub fn sum(&self, prefix: &str, suffix: &str) -> u64 {
        let fits = |name: &str| name.starts_with(prefix) && name.ends_with(suffix);
        let values = self.0.iter().filter(|(name, _)| fits(name));
        values.map(|(_, value)| value).sum()
    }

    /// What changed since `before`.
    pub fn since(&self, before: &Self) -> Changes {
        let difference = |(name, value): (&String, &u64)| {
            let change = value.wrapping_sub(before.get(name)).cast_signed();
            (change != 0).then(|| (name.clone(), change))
        };
        self.0.iter().filter_map(difference).collect()
    }
}

impl fmt::Display for State {
    /// All counters but those that are 0.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counted = self.0.iter().filter(|(_, value)| **value != 0);
        for (name, value) in counted {
            writeln!(f, "  {name:<40} {value}")?;
        }
        Ok(())
    }
}

//! Times of runs, and what to tell of them.

use serde::Serialize;

/// Nanoseconds per packet of several runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Spread {
    /// The middle one.
    pub median: u32,
    /// The least.
    pub min: u32,
    /// The greatest.
    pub max: u32,
}

impl Spread {
    /// Of these values; `None` if there are none.
    pub(super) fn of(values: &[u32]) -> Option<Self> {
        let mut sorted = values.to_vec();
        sorted.sort_unstable();
        Some(Self {
            median: *sorted.get(sorted.len() / 2)?,
            min: *sorted.first()?,
            max: *sorted.last()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_one() {
        let spread = |values: &[u32]| Spread::of(values).map(|s| (s.min, s.median, s.max));
        assert_eq!(spread(&[9, 1, 5]), Some((1, 5, 9)));
        assert_eq!(spread(&[7]), Some((7, 7, 7)));
        assert_eq!(spread(&[]), None);
    }
}

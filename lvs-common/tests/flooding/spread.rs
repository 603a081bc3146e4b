//! How evenly tuples lie in their buckets, and how evenly they have to.

use crate::chance::{chi_square_limit, poisson_limit};

/// Half buckets of a table for a million flows, as a power of two.
pub(crate) const TABLE: u32 = 20;

/// Which buckets are looked at.
#[derive(Clone, Copy, Debug)]
pub(crate) enum View {
    /// Those of the hash function that finds the home.
    Home,
    /// Those of the one that finds the alternative.
    Alternative,
    /// Pairs of a home and an alternative, each without its neighbour.
    Both,
}

impl View {
    /// The bucket of a tuple with these halves, one of 2^`bits`.
    pub(crate) fn bucket(self, home: u32, alternative: u32, bits: u32) -> u64 {
        let low = |number: u32, bits: u32| u64::from(number) & ((1 << bits) - 1);
        match self {
            Self::Home => low(home, bits),
            Self::Alternative => low(alternative, bits),
            Self::Both => {
                let half = bits / 2;
                low(home >> 1, half) << half | low(alternative >> 1, half)
            }
        }
    }
}

/// What the buckets of one set may look like in one view.
pub(crate) struct Bounds {
    view: View,
    /// There are 2^`bits` buckets.
    bits: u32,
    mean: f64,
    /// No bucket may have as many.
    most: u32,
    /// Chi-square where there are several tuples in a bucket, else pairs that share one: not above.
    uneven: f64,
}

/// How evenly tuples lie in their buckets.
struct Spread {
    most: u32,
    squares: f64,
    pairs: f64,
}

impl Spread {
    fn of(buckets: impl Iterator<Item = u64>, bits: u32) -> Self {
        let mut spread = Self {
            most: 0,
            squares: 0.0,
            pairs: 0.0,
        };
        let mut add = |count: u32| {
            let count64 = f64::from(count);
            spread.most = spread.most.max(count);
            spread.squares += count64 * count64;
            spread.pairs += count64 * (count64 - 1.0) / 2.0;
        };
        if bits < 16 {
            let mut counts = vec![0; 1 << bits];
            buckets.for_each(|bucket| counts[bucket as usize] += 1);
            counts.into_iter().for_each(&mut add);
        } else {
            let mut buckets: Vec<_> = buckets.collect();
            buckets.sort_unstable();
            let runs = buckets.chunk_by(|a, b| a == b);
            runs.for_each(|run| add(run.len() as u32));
        }
        spread
    }
}

impl Bounds {
    /// For a set of `n` tuples, if the bounds may be broken by chance with this probability.
    fn of(view: View, bits: u32, n: u32, probability: f64) -> Self {
        let (n, buckets, half) = (
            f64::from(n),
            2_f64.powi(bits.cast_signed()),
            probability / 2.0,
        );
        let mean = n / buckets;
        Self {
            view,
            bits,
            mean,
            most: poisson_limit(mean, half / buckets),
            uneven: if mean < 4.0 {
                f64::from(poisson_limit(n * (n - 1.0) / 2.0 / buckets, half))
            } else {
                chi_square_limit(buckets - 1.0, half)
            },
        }
    }

    /// What is wrong with tuples that have these halves.
    pub(crate) fn broken_by(&self, halves: &[(u32, u32)]) -> Option<String> {
        let bucket = |&(home, alternative): &_| self.view.bucket(home, alternative, self.bits);
        let spread = Spread::of(halves.iter().map(bucket), self.bits);
        let uneven = if self.mean < 4.0 {
            spread.pairs
        } else {
            spread.squares / self.mean - self.mean * 2_f64.powi(self.bits.cast_signed())
        };
        (spread.most >= self.most || uneven > self.uneven).then(|| {
            format!(
                "{:?} in 2^{} buckets: {} in one (must be below {}), uneven by {uneven:.0} (up to {:.0})",
                self.view, self.bits, spread.most, self.most, self.uneven
            )
        })
    }
}

/// The bounds for a set of `n` tuples in all views, few buckets and many.
pub(crate) fn bounds(n: u32, probability: f64) -> [Bounds; 6] {
    let few = (n / 64).max(4).ilog2();
    let few_pairs = (n / 4).max(4).ilog2() & !1;
    let views = [
        (View::Home, few),
        (View::Home, TABLE),
        (View::Alternative, few),
        (View::Alternative, TABLE),
        (View::Both, few_pairs),
        (View::Both, 2 * (TABLE - 1)),
    ];
    let one = probability / 6.0;
    views.map(|(view, bits)| Bounds::of(view, bits, n, one))
}

//! Where a tuple may be: a keyed universal hash, so that nobody can aim at one bucket.
//!
//! Multilinear hashing with halved multiplications (Lemire and Kaser, "Strongly universal string
//! hashing is fast", 2014): for secret keys any two tuples collide with a probability of 2^-32,
//! whatever they are, as long as nobody sees the results. It is not a cipher.

use super::{PLACES, Tuple};

/// Keys of one hash function: a constant and one for each half of a word of the longest tuple.
const KEYS: usize = 11;

/// The secret keys of the two hash functions, random per start of an empty table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "user",
    derive(
        zerocopy::FromBytes,
        zerocopy::IntoBytes,
        zerocopy::Immutable,
        zerocopy::KnownLayout
    )
)]
#[repr(C)]
pub struct Keys {
    home: [u64; KEYS],
    alternative: [u64; KEYS],
}

impl Keys {
    /// How many random words the keys take.
    pub const WORDS: usize = 2 * KEYS;

    /// From that many random words.
    pub const fn new(random: [u64; Self::WORDS]) -> Self {
        let mut keys = Self {
            home: [0; KEYS],
            alternative: [0; KEYS],
        };
        let mut i = 0;
        while i < KEYS {
            keys.home[i] = random[i];
            keys.alternative[i] = random[KEYS + i];
            i += 1;
        }
        keys
    }
}

#[inline(always)]
fn hash(keys: &[u64; KEYS], words: &[u64]) -> u32 {
    let mut sum = keys[0];
    for (i, word) in words.iter().enumerate() {
        let low = keys[2 * i + 1].wrapping_add(*word & 0xffff_ffff);
        let high = keys[2 * i + 2].wrapping_add(*word >> 32);
        sum = sum.wrapping_add(low.wrapping_mul(high));
    }
    mixed((sum >> 32) as u32)
}

/// A hash of a tuple that everybody may see the results of, and nobody needs a key for.
#[inline(always)]
pub fn spread<T: Tuple>(tuple: &T) -> u32 {
    let mut sum = 0_u64;
    for word in tuple.words() {
        sum = (sum ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        sum ^= sum >> 32;
    }
    mixed(sum as u32)
}

/// A bijection: arithmetic progressions of tuples stay so in the sum, and must not in the buckets.
#[inline(always)]
const fn mixed(mut hash: u32) -> u32 {
    hash ^= hash >> 16;
    hash = hash.wrapping_mul(0x85eb_ca6b);
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(0x9e37_79b9);
    hash ^ hash >> 16
}

/// The half buckets of one tuple, in a table of `mask + 1` halves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Places {
    home: u32,
    alternative: u32,
}

impl Places {
    /// Number of the half bucket in which almost every flow is.
    #[inline(always)]
    pub fn home<T: Tuple>(tuple: &T, keys: &Keys, mask: u32) -> u32 {
        hash(&keys.home, tuple.words()) & mask
    }

    /// All places of a tuple. `mask` is at least 3, so that the alternative is another pair of halves.
    #[inline(always)]
    pub fn of<T: Tuple>(tuple: &T, keys: &Keys, mask: u32) -> Self {
        let home = Self::home(tuple, keys, mask);
        let alternative = hash(&keys.alternative, tuple.words()) & mask;
        let same_pair = u32::from((home ^ alternative) < 2);
        Self {
            home,
            alternative: alternative ^ same_pair << 1,
        }
    }

    /// Number of the half bucket in the `place`-th place, below [`PLACES`]: home, the alternative, home's
    /// neighbour, the alternative's.
    ///
    /// What a full half does not take goes anywhere, and not next door: neighbours are then full together
    /// no more often than any two halves, and all four places are a tenth as often.
    #[inline(always)]
    pub const fn half(&self, place: u32) -> u32 {
        let pair = if place & 1 == 0 {
            self.home
        } else {
            self.alternative
        };
        pair ^ (place >> 1 & 1)
    }

    /// Both hashes in one word.
    #[inline(always)]
    pub const fn to_bits(self) -> u64 {
        self.home as u64 | (self.alternative as u64) << 32
    }

    /// From such a word.
    #[inline(always)]
    pub const fn from_bits(bits: u64) -> Self {
        Self {
            home: bits as u32,
            alternative: (bits >> 32) as u32,
        }
    }

    /// The places in the order in which they are searched and filled.
    pub fn halves(&self) -> impl Iterator<Item = u32> + use<'_> {
        (0..PLACES).map(|place| self.half(place))
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Tuple4, Tuple6};
    use super::*;

    fn keys(seed: u64) -> Keys {
        let mut state = seed;
        Keys::new(core::array::from_fn(|_| {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = state;
            z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
            z ^ z >> 31
        }))
    }

    #[test]
    fn mixing_loses_nothing() {
        const fn inverse(odd: u32) -> u32 {
            let mut x = odd;
            let mut bits = 3;
            while bits < 32 {
                x = x.wrapping_mul(2_u32.wrapping_sub(odd.wrapping_mul(x)));
                bits *= 2;
            }
            x
        }
        let unmixed = |mut hash: u32| {
            hash ^= hash >> 16;
            hash = hash.wrapping_mul(inverse(0x9e37_79b9));
            hash ^= hash >> 13 ^ hash >> 26;
            hash = hash.wrapping_mul(inverse(0x85eb_ca6b));
            hash ^ hash >> 16
        };
        for i in 0..100_000_u32 {
            for x in [i, !i, i << 15, i.wrapping_mul(0x9e37_79b9)] {
                assert_eq!(unmixed(mixed(x)), x);
            }
        }
    }

    #[test]
    fn four_different_places() {
        for i in 0..10_000_u32 {
            let places = Places::of(&Tuple4::new(i, 7, 9, 6), &keys(1), 3);
            let mut halves = [0; 4];
            places
                .halves()
                .enumerate()
                .for_each(|(n, half)| halves[n] = half);
            halves.sort_unstable();
            assert_eq!(halves, [0, 1, 2, 3]);
        }
    }

    /// Buckets stay near their mean for sets that break weaker hashes: consecutive ports and
    /// addresses, and pairs of flipped top bits (which collide in a jhash without a key).
    #[test]
    fn structured_tuples_spread() {
        extern crate std;
        const BUCKETS: usize = 1024;
        const N: u32 = 64 * BUCKETS as u32;
        let sets: [fn(u32) -> Tuple4; 4] = [
            |i| Tuple4::new(1, 2, i, 6),
            |i| Tuple4::new(i.swap_bytes(), 2, 3, 6),
            |i| Tuple4::new(i << 15 & 1 << 31 | i, 2, i << 14 & 1 << 31 | (i >> 1), 6),
            |i| Tuple4::new(i << 8, i << 8, i << 8, 6),
        ];
        for (n, set) in sets.iter().enumerate() {
            for seed in 1..20 {
                let keys = keys(seed);
                let mut counts = std::vec![0_u32; BUCKETS];
                for i in 0..N {
                    counts[Places::home(&set(i), &keys, BUCKETS as u32 - 1) as usize] += 1;
                }
                let most = counts.iter().max().copied().unwrap_or_default();
                // The mean is 64; chance alone reaches about 94.
                assert!(most < 3 * 64, "set {n}, seed {seed}: {most} in one bucket");
            }
        }
    }

    #[test]
    fn every_word_of_ipv6_counts() {
        let keys = keys(3);
        let zero = Places::of(&Tuple6::new([0; 4], [0; 4], 0, 0), &keys, u32::MAX);
        for bit in 0..32 * 8 {
            let mut words = [0_u32; 8];
            words[bit / 32] = 1 << (bit % 32);
            let (source, destination) = words.split_at(4);
            let tuple = Tuple6::new(
                source.try_into().unwrap(),
                destination.try_into().unwrap(),
                0,
                0,
            );
            assert_ne!(Places::of(&tuple, &keys, u32::MAX), zero, "bit {bit}");
        }
    }
}

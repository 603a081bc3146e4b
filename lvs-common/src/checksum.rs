//! Internet checksums, updated without reading the data again (RFC 1624).

/// The checksum of a header in which one 16-bit word changed.
///
/// `checksum`, `old` and `new` are in the same byte order, whichever it is (RFC 1071 section 2 (B)).
/// Implements RFC 1624 equation 3, which never yields the wrong zero of RFC 1141.
#[inline(always)]
pub const fn update(checksum: u16, old: u16, new: u16) -> u16 {
    let sum = !checksum as u32 + !old as u32 + new as u32;
    !fold(sum)
}

/// Sum of both halves of a word.
#[inline(always)]
const fn halves(word: u64) -> u64 {
    (word & 0xffff_ffff) + (word >> 32)
}

/// One's complement sum of 32 bits folded to 16.
#[inline(always)]
const fn fold(sum: u32) -> u16 {
    let sum = (sum & 0xffff) + (sum >> 16);
    (sum + (sum >> 16)) as u16
}

/// What changes in data that a checksum covers: a one's complement sum of all old words' complements
/// and all new words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Delta(pub u64);

impl Delta {
    /// Nothing.
    pub const NONE: Self = Self(0);

    /// Eight bytes of data that begin at an even offset become others; both as read from memory.
    #[inline(always)]
    #[must_use]
    pub const fn replace(self, old: u64, new: u64) -> Self {
        self.without(old).with(new)
    }

    /// Eight more bytes of data.
    #[inline(always)]
    #[must_use]
    pub const fn with(self, new: u64) -> Self {
        // A sum of halves has room for billions of them.
        Self(self.0 + halves(new))
    }

    /// Sixteen more bytes of data.
    #[inline(always)]
    #[must_use]
    pub const fn with_words(self, [a, b, c, d]: [u32; 4]) -> Self {
        self.with(a as u64 | (b as u64) << 32)
            .with(c as u64 | (d as u64) << 32)
    }

    /// Both changes.
    #[inline(always)]
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }

    /// Eight bytes of data less.
    #[inline(always)]
    #[must_use]
    pub const fn without(self, old: u64) -> Self {
        Self(self.0 + halves(!old))
    }

    /// The checksum of what was added to nothing, in the byte order of the data.
    #[inline(always)]
    pub const fn checksum(self) -> u16 {
        self.apply(u16::MAX)
    }

    /// The checksum of the data after the changes, in the byte order of the data (RFC 1624 equation 3).
    #[inline(always)]
    pub const fn apply(self, checksum: u16) -> u16 {
        let sum = halves(halves(self.0 + !checksum as u64));
        !fold(fold(sum as u32) as u32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full(words: &[u16]) -> u16 {
        let mut sum = 0_u32;
        for word in words {
            sum += u32::from(*word);
        }
        !fold(sum)
    }

    #[test]
    fn rfc_1624_section_4_example() {
        assert_eq!(update(0xdd2f, 0x5555, 0x3285), 0x0000);
    }

    #[test]
    fn equals_a_full_computation_for_every_ttl() {
        for ttl in 1..=255_u16 {
            let before = [
                0x4500,
                0x003c,
                0x1c46,
                0x4000,
                ttl << 8 | 6,
                0xac10,
                0x0a63,
                0xac10,
                0x0a0c,
            ];
            let mut after = before;
            after[4] -= 0x0100;
            assert_eq!(
                update(full(&before), before[4], after[4]),
                full(&after),
                "ttl {ttl}"
            );
        }
    }

    #[test]
    fn from_nothing() {
        let data = [0x0011_2233_4455_6677, 0xfedc_0000_1234_ffff];
        let sum = data.iter().fold(Delta::NONE, |sum, word| sum.with(*word));
        let words: [u16; 8] = core::array::from_fn(|i| (data[i / 4] >> (16 * (i % 4))) as u16);
        assert_eq!(sum.checksum(), full(&words));
        assert_eq!(sum.without(data[1]).with(0).checksum(), full(&words[..4]));
    }

    #[test]
    fn a_delta_equals_a_full_computation() {
        let mut state = 1_u64;
        let mut random = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state
        };
        let words = |data: [u64; 5]| -> [u16; 20] {
            core::array::from_fn(|i| (data[i / 4] >> (16 * (i % 4))) as u16)
        };
        for round in 0..10_000 {
            let old: [u64; 5] = core::array::from_fn(|_| random());
            let mut new: [u64; 5] = core::array::from_fn(|i| match (round + i) % 4 {
                0 => old[i],
                1 => u64::MAX,
                _ => random(),
            });
            // Data without a bit has the other zero.
            new[0] |= 1;
            let mut delta = Delta::NONE;
            for (old, new) in old.iter().zip(new) {
                delta = delta.replace(*old, new);
            }
            assert_eq!(
                delta.apply(full(&words(old))),
                full(&words(new)),
                "{old:x?} {new:x?}"
            );
        }
    }
}

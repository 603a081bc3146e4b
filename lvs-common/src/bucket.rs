//! A token bucket in one word.

/// Tokens are counted in so many parts, since fewer than one may come a tick.
pub const PARTS: u32 = 1 << 8;

/// How fast a bucket fills, and how much it holds, in [`PARTS`] of a token.
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
pub struct Rate {
    /// What comes in a tick.
    pub per_tick: u32,
    /// What there may be at most.
    pub burst: u32,
}

impl Rate {
    /// Never any.
    pub const NONE: Self = Self {
        per_tick: 0,
        burst: 0,
    };
}

/// A bucket: the tick of its last change, and what was in it then.
///
/// ```text
/// bits 0..32  parts of tokens that are missing to the burst        32..64  tick
/// ```
///
/// All zero is a full one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub struct Bucket(pub u64);

impl Bucket {
    /// The bucket without one token more; `None` if there is none.
    #[inline(always)]
    pub const fn take(self, now: u32, rate: Rate) -> Option<Self> {
        let passed = now.wrapping_sub((self.0 >> 32) as u32) as u64;
        let missing = (self.0 as u32 as u64).saturating_sub(passed * rate.per_tick as u64);
        let missing = missing + PARTS as u64;
        if missing > rate.burst as u64 {
            return None;
        }
        Some(Self(missing | (now as u64) << 32))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate {
        per_tick: PARTS / 2,
        burst: 3 * PARTS,
    };

    fn taken(bucket: &mut Bucket, now: u32) -> u32 {
        let mut count = 0;
        while let Some(next) = bucket.take(now, RATE) {
            *bucket = next;
            count += 1;
        }
        count
    }

    #[test]
    fn a_burst_and_then_the_rate() {
        for start in [0, 1_000, u32::MAX - 3] {
            let mut bucket = Bucket(0);
            let at = |ticks: u32| start.wrapping_add(ticks);
            assert_eq!(taken(&mut bucket, at(0)), 3, "{start}");
            assert_eq!(taken(&mut bucket, at(1)), 0);
            assert_eq!(taken(&mut bucket, at(2)), 1);
            assert_eq!(taken(&mut bucket, at(6)), 2);
            assert_eq!(taken(&mut bucket, at(1_000_000)), 3);
        }
    }

    #[test]
    fn no_rate_gives_nothing() {
        assert_eq!(Bucket(0).take(5, Rate::NONE), None);
    }
}

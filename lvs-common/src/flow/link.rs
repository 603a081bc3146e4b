//! How the two entries of a pair point at each other.

use super::WAYS;
use crate::Family;

/// An entry's place: its number in the table of its family, and which family that is.
///
/// ```text
/// bits 0..31  half bucket * WAYS + way        31  the table is that of IPv6
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub struct Slot(pub u32);

const IPV6: u32 = 1 << 31;

impl Slot {
    /// The `way`-th entry of a half bucket.
    #[inline(always)]
    pub const fn new(family: Family, half: u32, way: u32) -> Self {
        let table = match family {
            Family::Ipv4 => 0,
            Family::Ipv6 => IPV6,
        };
        Self((half * WAYS as u32) | (way % WAYS as u32) | table)
    }

    /// The table's family.
    #[inline(always)]
    pub const fn family(self) -> Family {
        if self.0 & IPV6 == 0 {
            Family::Ipv4
        } else {
            Family::Ipv6
        }
    }

    /// Number of the half bucket.
    #[inline(always)]
    pub const fn half(self) -> u32 {
        (self.0 & !IPV6) / WAYS as u32
    }

    /// Which entry of it.
    #[inline(always)]
    pub const fn way(self) -> u32 {
        self.0 % WAYS as u32
    }
}

/// The link of an entry to the other of its pair: where that is, which generation of it is meant, and
/// a note of the forwarding mode.
///
/// ```text
/// bits 0..32  slot        32..40  generation        40  there is one        41..64  note
/// ```
/// A link is written with the rest of the entry, before that is published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub struct Link(pub u64);

const GENERATION: u32 = 32;
const IS_SOME: u64 = 1 << 40;
const NOTE: u32 = 41;

impl Link {
    /// Of an entry that stands alone.
    pub const NONE: Self = Self(0);

    /// To this generation of the entry in `slot`.
    #[inline(always)]
    pub const fn new(slot: Slot, generation: u8) -> Self {
        Self(slot.0 as u64 | (generation as u64) << GENERATION | IS_SOME)
    }

    /// The same link with a note of 23 bits.
    #[inline(always)]
    #[must_use]
    pub const fn with_note(self, note: u32) -> Self {
        Self(self.0 & ((1 << NOTE) - 1) | (note as u64) << NOTE)
    }

    /// Whether the entry is one of a pair.
    #[inline(always)]
    pub const fn is_some(self) -> bool {
        self.0 & IS_SOME != 0
    }

    /// Where the other entry is.
    #[inline(always)]
    pub const fn slot(self) -> Slot {
        Slot(self.0 as u32)
    }

    /// Which generation of it is meant.
    #[inline(always)]
    pub const fn generation(self) -> u8 {
        (self.0 >> GENERATION) as u8
    }

    /// The note.
    #[inline(always)]
    pub const fn note(self) -> u32 {
        (self.0 >> NOTE) as u32
    }

    /// Whether both mean the same entry, whatever their notes say.
    #[inline(always)]
    pub const fn means(self, other: Self) -> bool {
        (self.0 ^ other.0) << (64 - NOTE) == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_do_not_touch_each_other() {
        let half = (1 << 28) - 1;
        for (family, way) in [(Family::Ipv4, 3), (Family::Ipv6, 0)] {
            let slot = Slot::new(family, half, way);
            let link = Link::new(slot, 0xff).with_note(0x7f_ffff);
            assert!(link.is_some() && !Link::NONE.is_some());
            assert_eq!(link.slot(), slot);
            assert_eq!(
                (slot.family(), slot.half(), slot.way()),
                (family, half, way)
            );
            assert_eq!((link.generation(), link.note()), (0xff, 0x7f_ffff));
            assert_eq!(link.with_note(5).note(), 5);
        }
    }

    #[test]
    fn the_note_is_no_part_of_what_is_meant() {
        let link = Link::new(Slot::new(Family::Ipv4, 7, 1), 9);
        assert!(link.means(link.with_note(3)));
        assert!(!link.means(Link::new(Slot::new(Family::Ipv4, 7, 1), 10)));
        assert!(!link.means(Link::new(Slot::new(Family::Ipv6, 7, 1), 9)));
        assert!(!link.means(Link::NONE));
    }
}

//! The flow table's entries: the word that rules one, the tuple that names it, where it may be.
//!
//! Design: an array of half buckets of four entries. A tuple may be in four halves, searched and
//! filled in this order: home, the alternative, home's neighbour, the alternative's. Entries never
//! move.

mod class;
mod hash;
mod link;
mod tuple;
mod word;

pub use class::Class;
pub use hash::{Keys, Places, spread};
pub use link::{Link, Slot};
pub use tuple::{Tuple, Tuple4, Tuple6};
pub use word::{Stage, Word};

/// Entries of one half bucket.
pub const WAYS: usize = 4;

/// Half buckets in which a tuple may be.
pub const PLACES: u32 = 4;

/// Slots per live flow: at a load of a quarter, fewer than one insert in a million finds all
/// sixteen places of its tuple taken by live flows.
pub const SLOTS_PER_FLOW: u64 = 4;

/// Jiffies per tick, as a power of two: a tick is 16 to 160 ms, and 32 bits of ticks last for years.
pub const TICK_SHIFT: u32 = 4;

/// Half buckets for that many live flows: a power of two, at least one pair of halves twice.
pub const fn halves_for(flows: u64) -> u64 {
    let halves = (flows * SLOTS_PER_FLOW).div_ceil(WAYS as u64);
    if halves < 4 {
        4
    } else {
        halves.next_power_of_two()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        assert_eq!(halves_for(0), 4);
        assert_eq!(halves_for(1_000_000), 1 << 20);
        assert_eq!(halves_for(1 << 18), 1 << 18);
    }
}

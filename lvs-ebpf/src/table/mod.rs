//! The flow table: find, open, advance, retire, sweep, flush.
//!
//! One word rules an entry ([`Word`]). Who wants an entry swaps that word for a busy one, writes the
//! body, and publishes it by an exchange. A reader checks the word before and after the tuple.
//! Whoever's swap takes a flow out of a class of load, and nobody else, books that move; so active
//! and inactive per backend equal what a scan of the table would count.
//!
//! A flow whose replies come by here has two entries that point at each other ([`pair`]). The
//! client's owns both: state, load and deadline are its.

mod advance;
mod claim;
mod find;
mod flush;
mod open;
pub mod pair;
mod retire;
mod sweep;
mod worth;

pub use advance::{Segment, advance};
pub use claim::{Claim, try_claim};
pub use find::{Hit, find};
pub use flush::flush;
pub use open::{open, settle};
pub use retire::{end, retire};
pub use sweep::{sweep, sweep_half};

use lvs_common::{
    Family as Number,
    flow::{Link, PLACES, Places, Slot, Tuple, Tuple4, Tuple6, WAYS},
    map::Timeouts,
};

use crate::{
    atomic::{add, bounded, in_order, load, nth16},
    family::{Family, V4, V6},
    kernel::Tables,
};

/// Offset of an entry of a half bucket from its first word, in words.
#[inline(always)]
const fn entry_offset<T: Tuple>(way: usize) -> usize {
    way * T::ENTRY_WORDS
}

/// Entries in which a tuple may be, numbered in the order of its places.
const NUMBERS: u32 = PLACES * WAYS as u32;

/// The entry of a tuple with this number, below [`NUMBERS`].
#[inline(always)]
fn entry_at<F: Family, K: Tables>(tables: &K, places: &Places, number: u32) -> Option<*mut u64> {
    way::<F, K>(tables, places.half(number / WAYS as u32), number)
}

/// The `way`-th entry, modulo [`WAYS`], of a half bucket.
#[inline(always)]
pub(crate) fn way<F: Family, K: Tables>(tables: &K, half: u32, way: u32) -> Option<*mut u64> {
    let way = bounded::<{ WAYS as u64 - 1 }>(u64::from(way)) as usize;
    Some(F::half(tables, half)?.wrapping_add(entry_offset::<F::Tuple>(way)))
}

/// Where the entry of a tuple with this number is.
#[inline(always)]
fn slot_at<T: Tuple>(places: &Places, number: u32) -> Slot {
    Slot::new(T::FAMILY, places.half(number / WAYS as u32), number)
}

/// An entry of either family, and the word of it that is its link.
#[inline(always)]
pub(crate) fn entry_of<K: Tables>(tables: &K, slot: Slot) -> Option<(*mut u64, *mut u64)> {
    match slot.family() {
        Number::Ipv4 => {
            let entry = way::<V4, K>(tables, slot.half(), slot.way())?;
            Some((entry, entry.wrapping_add(<Tuple4 as Tuple>::LINK)))
        }
        Number::Ipv6 => {
            let entry = way::<V6, K>(tables, slot.half(), slot.way())?;
            Some((entry, entry.wrapping_add(<Tuple6 as Tuple>::LINK)))
        }
    }
}

/// The link of an entry.
///
/// # Safety
/// `entry` must point to an entry of the table of this kind of tuples.
#[inline(always)]
unsafe fn link_of<T: Tuple>(entry: *const u64) -> Link {
    // SAFETY: the caller's.
    Link(unsafe { load(entry.add(T::LINK)) })
}

/// The last tick of a flow in this state that stays silent from now on.
#[inline(always)]
pub fn deadline(timeouts: &Timeouts, state: u8, now: u32) -> u32 {
    now.wrapping_add(nth16(timeouts, state))
}

/// Which bits of the tuple in the entry differ from `tuple`; 0: none.
///
/// # Safety
/// `entry` must point to an entry of the table of this kind of tuples.
#[inline(always)]
unsafe fn differs<T: Tuple>(entry: *const u64, tuple: &T) -> u64 {
    let mut different = 0;
    for (i, word) in tuple.words().iter().enumerate() {
        // SAFETY: the tuple's words follow the flow word.
        different = in_order(different | unsafe { load(entry.add(1 + i)) } ^ word);
    }
    different
}

/// Adds to a backend's load; `change` is modulo 2^64, see [`Word::load`](lvs_common::flow::Word::load).
#[inline(always)]
fn book<K: Tables>(tables: &K, backend: u16, change: u64) {
    if let Some(word) = tables.load(u32::from(backend)) {
        // SAFETY: `Tables` hands out valid words.
        unsafe { add(word, change) };
    }
}

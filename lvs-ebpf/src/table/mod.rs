//! The flow table: find, open, advance, retire, sweep.
//!
//! One word rules an entry ([`Word`]). Who wants an entry swaps that word for a busy one, writes the
//! body, and publishes it by an exchange. A reader checks the word before and after the tuple.
//! Whoever's swap takes a flow out of a class of load, and nobody else, books that move; so active
//! and inactive per backend equal what a scan of the table would count.

mod advance;
mod find;
mod open;
mod retire;
mod sweep;
mod worth;

pub use advance::{Segment, advance};
pub use find::{Hit, find};
pub use open::open;
pub use retire::retire;
pub use sweep::{sweep, sweep_half};

use lvs_common::{
    flow::{PLACES, Places, Tuple, WAYS, Word},
    map::Settings,
};

use crate::{
    atomic::{add, bounded, in_order, load, nth16, sign},
    family::Family,
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
    let half = F::half(tables, places.half(number / WAYS as u32))?;
    let way = bounded::<{ WAYS as u64 - 1 }>(u64::from(number)) as usize;
    Some(half.wrapping_add(entry_offset::<F::Tuple>(way)))
}

/// Ticks of silence that end a flow with this word.
#[inline(always)]
fn timeout(settings: &Settings, word: Word) -> u32 {
    nth16(&settings.timeouts, word.state())
}

/// Ticks since the flow was last seen. None if that is ahead of `now`: the clock is read once a
/// packet, and a CPU that read it a tick later may have been faster.
#[inline(always)]
fn age(word: Word, now: u32) -> u32 {
    let age = u64::from(word.age(now));
    (age & !sign((age << 32).cast_signed())) as u32
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

/// Adds to a backend's load; `change` is modulo 2^64, see [`Word::load`].
#[inline(always)]
fn book<K: Tables>(tables: &K, backend: u16, change: u64) {
    if let Some(word) = tables.load(u32::from(backend)) {
        // SAFETY: `Tables` hands out valid words.
        unsafe { add(word, change) };
    }
}

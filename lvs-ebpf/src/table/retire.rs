//! Ending a flow.

use lvs_common::flow::{Link, Slot, Word};

use super::{book, entry_of};
use crate::{
    atomic::{load, replace},
    kernel::Tables,
};

/// A packet that moves the deadline makes a swap fail without a reason to give up.
const TRIES: usize = 4;

/// Ends the flow that was read in `slot` with this word, if it is still there: frees its entry and the
/// other one of its pair, and books it out. Whether this call did.
#[inline(always)]
pub fn retire<K: Tables>(tables: &K, slot: Slot, flow: Word) -> bool {
    let Some((entry, link)) = entry_of(tables, slot) else {
        return false;
    };
    // Read before the swap: it belongs to the generation that is swapped out.
    // SAFETY: a word of an entry of the table.
    let link = Link(unsafe { load(link) });
    // SAFETY: an entry of the table.
    let is_ended = unsafe { free(tables, entry, flow) };
    if is_ended && link.is_some() {
        tables.end(link, Link::new(slot, flow.generation()));
    }
    is_ended
}

/// Frees the entry that `link` means, if it is still there and means the one of `back` in turn.
#[inline(always)]
pub fn end<K: Tables>(tables: &K, link: Link, back: Link) {
    let Some((entry, its_link)) = entry_of(tables, link.slot()) else {
        return;
    };
    // SAFETY: an entry of the table.
    let word = Word(unsafe { load(entry) });
    // SAFETY: a word of it.
    let its_link = Link(unsafe { load(its_link) });
    if word.is_live() && word.generation() == link.generation() && its_link.means(back) {
        // SAFETY: as above.
        unsafe { free(tables, entry, word) };
    }
}

/// Frees an entry, if it still is the flow that was read with this word, and books it out; whether
/// this call did.
///
/// # Safety
/// `entry` must point to an entry of the table.
#[inline(always)]
unsafe fn free<K: Tables>(tables: &K, entry: *mut u64, flow: Word) -> bool {
    let mut word = flow;
    for _ in 0..TRIES {
        // SAFETY: the caller's.
        if unsafe { release(tables, entry, word) } {
            return true;
        }
        // SAFETY: the caller's.
        word = Word(unsafe { load(entry) });
        if !word.is_live() || word.generation() != flow.generation() {
            return false;
        }
    }
    false
}

/// Frees an entry, if its word still is this one, and books it out; whether it did.
///
/// # Safety
/// `entry` must point to an entry of the table, and `word` be a live word read from it.
#[inline(always)]
pub(super) unsafe fn release<K: Tables>(tables: &K, entry: *mut u64, word: Word) -> bool {
    // SAFETY: the caller's.
    let is_free = unsafe { replace(entry, word.0, word.retired().0) };
    if is_free {
        book(tables, word.backend(), 0_u64.wrapping_sub(word.load()));
    }
    is_free
}

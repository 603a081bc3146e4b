//! Ending a flow.

use lvs_common::flow::Word;

use super::book;
use crate::{
    atomic::{load, replace},
    kernel::Tables,
};

/// A refresh of "last seen" makes a swap fail without a reason to give up.
const TRIES: usize = 4;

/// Frees the entry of a flow, if it still is that flow, and books it out; whether this call did.
///
/// # Safety
/// `entry` must point to an entry of the table, and `flow` be a live word read from it.
#[inline(always)]
pub unsafe fn retire<K: Tables>(tables: &K, entry: *mut u64, flow: Word) -> bool {
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

/// Frees the entry of a flow, if its word still is this one, and books it out; whether it did.
///
/// # Safety
/// As for [`retire`].
#[inline(always)]
pub(super) unsafe fn release<K: Tables>(tables: &K, entry: *mut u64, word: Word) -> bool {
    // SAFETY: the caller's.
    let is_free = unsafe { replace(entry, word.0, word.retired().0) };
    if is_free {
        book(tables, word.backend(), 0_u64.wrapping_sub(word.load()));
    }
    is_free
}

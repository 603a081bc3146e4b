//! Ending flows that somebody has picked.

use lvs_common::{
    flow::{Slot, Word},
    map::{FLUSH_CHUNK, FlowEvent, Flush, FlushTarget},
};

use super::entry_of;
use crate::{
    atomic::{bounded, load},
    kernel::Tables,
};

/// Ends the `index`-th flow of a request and notes the outcome in it. An entry of replies stands for
/// its whole flow.
#[inline(always)]
pub fn flush<K: Tables>(tables: &K, flush: &mut Flush, index: u32) {
    const { assert!(FLUSH_CHUNK.is_power_of_two()) };
    let index = bounded::<{ FLUSH_CHUNK as u64 - 1 }>(u64::from(index)) as usize;
    // SAFETY: the index is below the length.
    let flow: FlushTarget = unsafe { *flush.flows.get_unchecked(index) };
    let slot = Slot(flow.slot);
    let Some((entry, _)) = entry_of(tables, slot) else {
        return;
    };
    // SAFETY: an entry of the table.
    let word = Word(unsafe { load(entry) });
    if flow.is(word) && tables.retire(slot, word) {
        tables.count_event(FlowEvent::Flushed);
        flush.ended += 1;
    }
}

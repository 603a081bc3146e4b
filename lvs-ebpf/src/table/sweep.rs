//! Freeing what has expired.
//!
//! Entries expire by themselves: an expired one is a miss for who looks it up, and free for who
//! needs a place. The sweep keeps the counts of active and inactive flows true in between. It is
//! part of the data plane, so that a director which dies in the middle leaves nothing half done.

use lvs_common::{
    Family as Number,
    flow::{Link, Slot, Tuple, WAYS, Word},
    map::{FlowEvent, Sweep},
};

use super::{entry_offset, link_of, retire::release};
use crate::{
    atomic::load,
    family::{Family, V4, V6},
    kernel::Tables,
};

/// Sweeps the `index`-th half bucket of a request and notes the outcome in it.
#[inline(always)]
pub fn sweep<K: Tables>(tables: &K, sweep: &mut Sweep, index: u32) {
    let half = sweep.first.wrapping_add(index);
    if sweep.family == Number::Ipv4 as u32 {
        sweep_half::<V4, K>(tables, sweep, half);
    } else {
        sweep_half::<V6, K>(tables, sweep, half);
    }
}

/// Retires the expired flows of one half bucket.
#[inline(always)]
pub fn sweep_half<F: Family, K: Tables>(tables: &K, sweep: &mut Sweep, half: u32) {
    let Some(first) = F::half(tables, half) else {
        return;
    };
    for way in 0..WAYS {
        let entry = first.wrapping_add(entry_offset::<F::Tuple>(way));
        // SAFETY: one of the entries of a half bucket.
        let word = Word(unsafe { load(entry) });
        if !word.is_live() {
            continue;
        }
        // SAFETY: as above.
        let link = unsafe { link_of::<F::Tuple>(entry) };
        // One try: whoever changed the word meanwhile has seen the flow alive.
        // SAFETY: as above.
        if word.has_expired(tables.now()) && unsafe { release(tables, entry, word) } {
            tables.count_event(FlowEvent::Expired);
            if link.is_some() {
                let slot = Slot::new(F::Tuple::FAMILY, half, way as u32);
                tables.end(link, Link::new(slot, word.generation()));
            }
            sweep.retired += 1;
        } else if !word.is_reply() {
            sweep.live += 1;
        }
    }
}

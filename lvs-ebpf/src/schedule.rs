//! Which backend a new flow gets.

use lvs_common::{Reason, map::RING_CHUNK};

use crate::{
    atomic::{fetch_add, nth32},
    kernel::Tables,
    service::Found,
};

/// Id of the next backend on the service's ring (rr, wrr).
///
/// One cursor serves all CPUs, so that connections are shared out exactly.
///
/// # Errors
/// [`Reason::NoBackend`].
#[inline(always)]
pub fn schedule<K: Tables>(tables: &K, service: &Found) -> Result<u16, Reason> {
    let ring = service.ring;
    if ring.len == 0 {
        return Err(Reason::NoBackend);
    }
    let cursor = tables.cursor(service.id).ok_or(Reason::Inconsistent)?;
    // SAFETY: `Tables` hands out valid words.
    let turn = unsafe { fetch_add(cursor, 1) };
    let slot = ring.first.wrapping_add((turn % u64::from(ring.len)) as u32);
    let chunk = tables
        .ring(slot / RING_CHUNK as u32)
        .ok_or(Reason::Inconsistent)?;
    Ok(nth32(chunk, slot))
}

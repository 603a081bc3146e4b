//! What the walk needs of a backend.

use core::mem::offset_of;

use lvs_common::{Reason, map::Backend};

use crate::kernel::Tables;

/// A backend at this moment.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its id.
    pub id: u32,
    /// Id of its next hop, 0: unresolved.
    pub next_hop: u32,
    /// Id of its service.
    pub service: u32,
    /// Entry of TIMEOUTS that holds for its flows.
    pub timeouts: u32,
}

/// The backend with this id.
///
/// # Errors
/// [`Reason::Inconsistent`] if there is none.
#[inline(always)]
pub fn backend<K: Tables>(tables: &K, id: u16) -> Result<Target, Reason> {
    let id = u32::from(id);
    let entry: *const Backend = tables.backend(id).ok_or(Reason::Inconsistent)?;
    // SAFETY: `Tables` hands out valid entries; the director replaces the next hop in one store, and
    // changes nothing else while the id is in use.
    unsafe {
        Ok(Target {
            id,
            next_hop: entry
                .byte_add(offset_of!(Backend, next_hop))
                .cast::<u32>()
                .read_volatile(),
            service: entry
                .byte_add(offset_of!(Backend, service))
                .cast::<u32>()
                .read_volatile(),
            timeouts: u32::from(
                entry
                    .byte_add(offset_of!(Backend, timeouts))
                    .cast::<u16>()
                    .read_volatile(),
            ),
        })
    }
}

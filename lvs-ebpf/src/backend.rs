//! What the walk needs of a backend.

use core::mem::offset_of;

use lvs_common::{
    Reason,
    flow::Tuple as _,
    map::{Address, Backend},
};

use crate::{family::Family, kernel::Tables};

/// A backend at this moment.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    entry: *const Backend,
    /// Its id.
    pub id: u32,
    /// Id of its next hop, 0: unresolved.
    pub next_hop: u32,
    /// Id of its service.
    pub service: u32,
    /// [`ForwardingMode`](lvs_common::ForwardingMode) number.
    pub mode: u8,
    /// Entry of TIMEOUTS that holds for its flows.
    pub timeouts: u32,
}

/// Reads a field of an entry, which stays what it is unless its docs say otherwise.
macro_rules! field {
    ($entry:expr, $field:ident: $type:ty) => {
        // SAFETY: `Tables` hands out valid entries; the director replaces the next hop in one store, and
        // changes nothing else while the id is in use.
        unsafe {
            $entry
                .byte_add(offset_of!(Backend, $field))
                .cast::<$type>()
                .read_volatile()
        }
    };
}

/// The backend with this id.
///
/// # Errors
/// [`Reason::Inconsistent`] if there is none.
#[inline(always)]
pub fn backend<K: Tables>(tables: &K, id: u16) -> Result<Target, Reason> {
    let id = u32::from(id);
    let entry = tables.backend(id).ok_or(Reason::Inconsistent)?;
    Ok(Target {
        entry,
        id,
        next_hop: field!(entry, next_hop: u32),
        service: field!(entry, service: u32),
        mode: field!(entry, mode: u8),
        timeouts: u32::from(field!(entry, timeouts: u16)),
    })
}

impl Target {
    /// Family of its address, [`Family`](lvs_common::Family) number.
    #[inline(always)]
    pub fn family(&self) -> u8 {
        field!(self.entry, family: u8)
    }

    /// Whether its address is not of this family.
    #[inline(always)]
    pub fn crosses<F: Family>(&self) -> bool {
        self.family() != F::Tuple::FAMILY as u8
    }

    /// TUN: how many bits of a tunnel's source come from the flow's hash.
    #[inline(always)]
    pub fn entropy(&self) -> u8 {
        field!(self.entry, entropy: u8)
    }

    /// Its address.
    #[inline(always)]
    pub fn address(&self) -> Address {
        field!(self.entry, address: Address)
    }

    /// Its port, network byte order.
    #[inline(always)]
    pub fn port(&self) -> u16 {
        field!(self.entry, port: u16)
    }

    /// FULLNAT: number of its first local address, and how many there are.
    #[inline(always)]
    pub fn locals(&self) -> (u16, u16) {
        (
            field!(self.entry, first_local: u16),
            field!(self.entry, locals: u16),
        )
    }

    /// FULLNAT: the first and the last of the ports that are used of each.
    #[inline(always)]
    pub fn ports(&self) -> (u16, u16) {
        (
            field!(self.entry, first_port: u16),
            field!(self.entry, last_port: u16),
        )
    }
}

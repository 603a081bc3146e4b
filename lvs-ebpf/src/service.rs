//! Which service a packet is for.

use core::mem::offset_of;

use lvs_common::{
    Reason,
    map::{Ring, Service, ServiceKey},
};

use crate::{atomic::load, kernel::Tables};

/// A service that was found.
#[derive(Clone, Copy, Debug)]
pub struct Found {
    /// Its id.
    pub id: u32,
    /// Its ring at this moment.
    pub ring: Ring,
    /// What becomes of TCP segments of unknown flows, [`MidStream`](lvs_common::MidStream) number.
    pub mid_stream: u8,
}

/// The service with exactly this address, port and protocol.
///
/// # Errors
/// [`Reason::NoService`].
#[inline(always)]
pub fn service<K: Tables>(tables: &K, key: &ServiceKey) -> Result<Found, Reason> {
    let id = tables.service_id(key).ok_or(Reason::NoService)?;
    let service: *const Service = tables.service(id).ok_or(Reason::Inconsistent)?;
    // SAFETY: `Tables` hands out valid entries; the ring is the first word, replaced as a whole, and
    // nothing else changes while packets find the service.
    let (ring, mid_stream) = unsafe {
        let mid_stream = service.byte_add(offset_of!(Service, mid_stream));
        (
            load(service.cast()),
            mid_stream.cast::<u8>().read_volatile(),
        )
    };
    Ok(Found {
        id,
        ring: Ring::from_bits(ring),
        mid_stream,
    })
}

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
    /// What a client is told if there is no backend, [`NoBackend`](lvs_common::NoBackend) number.
    pub no_backend: u8,
}

/// The service with exactly this address, port and protocol.
///
/// # Errors
/// [`Reason::NoService`].
#[inline(always)]
pub fn service<K: Tables>(tables: &K, key: &ServiceKey) -> Result<Found, Reason> {
    let id = tables.service_id(key).ok_or(Reason::NoService)?;
    let service: *const Service = tables.service(id).ok_or(Reason::Inconsistent)?;
    let byte = |offset: usize| {
        // SAFETY: `Tables` hands out valid entries; these do not change while packets find the service.
        unsafe { service.byte_add(offset).cast::<u8>().read_volatile() }
    };
    // SAFETY: as above; the ring is the first word, replaced as a whole.
    let ring = unsafe { load(service.cast()) };
    Ok(Found {
        id,
        ring: Ring::from_bits(ring),
        mid_stream: byte(offset_of!(Service, mid_stream)),
        no_backend: byte(offset_of!(Service, no_backend)),
    })
}

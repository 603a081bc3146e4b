//! Which service a packet is for.

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
}

/// The service with exactly this address, port and protocol.
///
/// # Errors
/// [`Reason::NoService`].
#[inline(always)]
pub fn service<K: Tables>(tables: &K, key: &ServiceKey) -> Result<Found, Reason> {
    let id = tables.service_id(key).ok_or(Reason::NoService)?;
    let service: *const Service = tables.service(id).ok_or(Reason::Inconsistent)?;
    // SAFETY: `Tables` hands out valid entries; the ring is the first word, replaced as a whole.
    let ring = unsafe { load(service.cast()) };
    Ok(Found {
        id,
        ring: Ring::from_bits(ring),
    })
}

//! The way back to a client: over the gateway of the host's route, and where the host knows none, over the
//! one that the client's packet came from.
//!
//! They differ where another balancer is in front, which is no way back. The host routes only with
//! `ip_forward`, and knows nothing of networks behind tags that it has no device for.

use lvs_common::{
    Reason,
    map::{Address, GatewayKey, INTERFACE_SLOTS, Interface, NextHop},
};

use crate::{
    family::Family,
    kernel::{Frame, Tables},
    packet::Link,
    parse::read,
};

/// The next hop back to `client`, whose packet to `service` came in the frame.
///
/// # Errors
/// [`Reason::Inconsistent`].
#[inline(always)]
pub fn way_back<F: Family, K: Tables, X: Frame>(
    tables: &K,
    frame: X,
    link: &Link,
    client: &Address,
    service: &Address,
) -> Result<NextHop, Reason> {
    let (key, by) = gateway::<F, K, X>(tables, frame, link, client, service)?;
    Ok(key.next_hop(by))
}

/// The id of the gateway on that way.
///
/// # Errors
/// [`Reason::NoGateway`] if there are too many.
#[inline(always)]
pub fn gateway_id<F: Family, K: Tables, X: Frame>(
    tables: &K,
    frame: X,
    link: &Link,
    client: &Address,
    service: &Address,
) -> Result<u32, Reason> {
    let (key, by) = gateway::<F, K, X>(tables, frame, link, client, service)?;
    tables.gateway_id(&key, by).ok_or(Reason::NoGateway)
}

#[inline(always)]
fn gateway<'k, F: Family, K: Tables, X: Frame>(
    tables: &'k K,
    frame: X,
    link: &Link,
    client: &Address,
    service: &Address,
) -> Result<(GatewayKey, &'k Interface), Reason> {
    if link.tags[0] == 0
        && let Some(key) = frame.route::<F>(client, service)
        && let Some(by) = tables.interface(key.interface % INTERFACE_SLOTS)
        && by.index == key.interface
    {
        return Ok((key, by));
    }
    let interface = frame.ingress();
    let by = tables
        .interface(interface % INTERFACE_SLOTS)
        .ok_or(Reason::Inconsistent)?;
    // SAFETY: the Ethernet header was checked when it was parsed.
    let key = unsafe {
        GatewayKey {
            interface,
            mac_head: read(link.header, 6),
            mac_tail: read(link.header, 10),
            tags: link.tags,
            reserved: 0,
        }
    };
    Ok((key, by))
}

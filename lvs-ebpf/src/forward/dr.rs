//! Direct routing: the frame goes to the backend's MAC address, the packet keeps the VIP.

use lvs_common::{Reason, checksum::Delta, map::NextHop};

use super::{Outcome, frame::write_macs, may_pass, translate};
use crate::{
    family::Family,
    kernel::{Frame, Tables},
    packet::Packet,
};

/// Rewrites the frame for a backend on a network that is reached through `next_hop`.
///
/// TTL and hop limit go down by one, as in IPVS (`ip_vs_dr_xmit`, `decrement_ttl`).
///
/// # Errors
/// [`Reason::TtlExceeded`], [`Reason::TooBig`]; the frame is untouched then.
#[inline(always)]
pub fn dr<F: Family, K: Tables, X: Frame>(
    tables: &K,
    frame: X,
    packet: &Packet<F::Tuple>,
    next_hop: &NextHop,
) -> Result<Outcome, Reason> {
    may_pass(tables, packet.network.hops, packet.network.len, 0, next_hop)?;
    if packet.link.tags != next_hop.tags {
        return Ok(translate::<F, X>(frame, packet.shape(), None, next_hop));
    }
    // SAFETY: both headers were checked when they were parsed.
    unsafe {
        F::take_hop(packet.network.header, Delta::NONE);
        write_macs(packet.link.header, next_hop);
    }
    Ok(Outcome::sent(next_hop))
}

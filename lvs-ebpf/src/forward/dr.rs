//! Direct routing: the frame goes to the backend's MAC address, the packet keeps the VIP.

use lvs_common::{Reason, map::NextHop};

use super::Action;
use crate::{family::Family, kernel::Frame, packet::Packet, parse::write};

/// Rewrites the frame for a backend on a network that is reached through `next_hop`.
///
/// TTL and hop limit go down by one, as in IPVS (`ip_vs_dr_xmit`, `decrement_ttl`).
///
/// # Errors
/// [`Reason::TtlExceeded`], [`Reason::TooBig`], [`Reason::OtherVlan`]; the frame is untouched then.
#[inline(always)]
pub fn dr<F: Family, X: Frame>(
    frame: &X,
    packet: &Packet<F::Tuple>,
    next_hop: &NextHop,
) -> Result<Action, Reason> {
    if packet.network.hops <= 1 {
        return Err(Reason::TtlExceeded);
    }
    if packet.network.len > next_hop.mtu {
        return Err(Reason::TooBig);
    }
    if packet.link.tags != next_hop.tags {
        return Err(Reason::OtherVlan);
    }
    F::take_hop(packet);
    // SAFETY: the Ethernet header was checked when it was parsed.
    unsafe {
        write(packet.link.header, 0, next_hop.macs[0]);
        write(packet.link.header, 4, next_hop.macs[1]);
        write(packet.link.header, 8, next_hop.macs[2]);
    }
    if next_hop.interface == frame.ingress() {
        Ok(Action::Send)
    } else {
        Ok(Action::Redirect(next_hop.interface))
    }
}

//! Giving a packet other addresses and ports, and its frame another header.

use lvs_common::{Reason, checksum::Delta, map::NextHop};

use super::{
    Outcome,
    frame::write_header,
    transport::{Transport, rewrite},
};
use crate::{atomic::bounded, family::Family, kernel::Frame, packet::Shape};

/// Gives a packet of TCP or UDP the addresses and ports of `to`, if there is one, and its frame the
/// header that the next hop needs, with other tags or none. Takes one off the TTL or hop limit.
#[inline(never)]
pub fn translate<F: Family, X: Frame>(
    frame: X,
    shape: Shape,
    to: Option<&F::Tuple>,
    next_hop: &NextHop,
) -> Outcome {
    let link = next_hop.link_len();
    let grow = link.cast_signed() - shape.link().cast_signed();
    if !frame.grow(grow) {
        return Outcome::refused(Reason::NoRoom);
    }
    let start = frame.start();
    let network = start.wrapping_add(bounded::<31>(u64::from(link)) as usize);
    let Some(transport) = Transport::find::<F, X>(frame, network, shape) else {
        return Outcome::refused(Reason::Inconsistent);
    };
    // SAFETY: both headers were checked just above, here and below.
    unsafe { write_header(start, next_hop, F::ETHER_TYPE) };
    let changed = match to {
        // SAFETY: as above.
        Some(to) => unsafe { rewrite::<F>(network, transport, to) },
        None => Delta::NONE,
    };
    // SAFETY: as above.
    unsafe { F::take_hop(network, changed) };
    Outcome::sent(next_hop)
}

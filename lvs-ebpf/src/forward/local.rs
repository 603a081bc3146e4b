//! Packets for a backend that is this machine: the host takes them.

use lvs_common::Reason;

use super::{
    Outcome,
    transport::{Transport, rewrite},
};
use crate::{atomic::bounded, family::Family, kernel::Frame, packet::Shape};

/// Gives a packet of TCP or UDP the addresses and ports of `to`, and leaves it to the host.
///
/// It goes no further: TTL or hop limit stay (kernel: `ip_vs_nat_xmit`, `decrement_ttl`).
#[inline(never)]
pub fn local<F: Family, X: Frame>(frame: X, shape: Shape, to: &F::Tuple) -> Outcome {
    let link = bounded::<31>(u64::from(shape.link())) as usize;
    let network = frame.start().wrapping_add(link);
    let Some(transport) = Transport::find::<F, X>(frame, network, shape) else {
        return Outcome::refused(Reason::Inconsistent);
    };
    // SAFETY: both headers were checked just above.
    unsafe {
        let changed = rewrite::<F>(network, transport, to);
        F::follow(network, changed);
    }
    Outcome::refused(Reason::Local)
}

//! Tunnels: the packet travels within another of either family (IP-IP: RFC 2003, RFC 2473, RFC 4213),
//! and the backend takes it out.

use lvs_common::{
    Reason,
    checksum::Delta,
    ecn,
    flow::spread,
    map::{Address, NextHop},
};

use super::{Outcome, frame::write_header};
use crate::{
    atomic::{bounded, fetch_add, opaque},
    backend::{Target, backend},
    family::{Family, Fields},
    kernel::{Frame, Tables},
    packet::Shape,
};

/// Puts a packet of family `F` into one of family `O` to the backend.
///
/// As in IPVS (`ip_vs_tunnel_xmit`), one is taken off the inner TTL or hop limit, which the outer header
/// has too; it has the inner one's DSCP, ECN and "don't fragment".
#[inline(never)]
pub fn tun<F: Family, O: Family, K: Tables, X: Frame>(
    tables: &K,
    frame: X,
    tuple: &F::Tuple,
    shape: Shape,
    id: u16,
    next_hop: &NextHop,
) -> Outcome {
    let (Ok(target), Some(cursor)) = (backend(tables, id), tables.backend_cursor(id.into())) else {
        return Outcome::refused(Reason::Inconsistent);
    };
    let link = next_hop.link_len();
    let grow = link + O::HEADER as u32 - shape.link();
    if !frame.grow(grow.cast_signed()) {
        return Outcome::refused(Reason::NoRoom);
    }
    let start = frame.start();
    let outer = start.wrapping_add(bounded::<31>(u64::from(link)) as usize);
    let inner = outer.wrapping_add(O::HEADER);
    // The verifier wants to see once more that all this is there.
    if inner.wrapping_add(F::HEADER) > frame.end() {
        return Outcome::refused(Reason::Inconsistent);
    }
    // SAFETY: there are as many bytes by the check above.
    let (class, is_whole, hops) = unsafe {
        F::take_hop(inner, Delta::NONE);
        (F::class(inner), F::is_whole(inner), F::hops(inner))
    };
    let identification = if O::FRAGMENTS && !is_whole {
        // SAFETY: `Tables` hands out valid words.
        Some(unsafe { fetch_add(cursor, 1) } as u16)
    } else {
        None
    };
    let fields = Fields {
        source: source::<O, F>(&target, next_hop, opaque(tuple)),
        destination: target.address(),
        payload: shape.packet_len() as u16,
        protocol: F::PROTOCOL,
        class: ecn::encapsulated(class),
        hops,
        identification,
    };
    // SAFETY: as above.
    unsafe {
        write_header(start, next_hop, O::ETHER_TYPE);
        O::write_header(outer, &fields);
    }
    Outcome::sent(next_hop)
}

/// The address that the tunnel begins at: the same for all packets of a flow.
#[inline(always)]
fn source<O: Family, F: Family>(target: &Target, next_hop: &NextHop, tuple: &F::Tuple) -> Address {
    let mut source = next_hop.source;
    let bits = target.entropy();
    if bits != 0 {
        let mask = ((1_u64 << bounded::<63>(u64::from(bits))) - 1) as u32;
        let word = &mut source.words[O::LAST_WORD];
        *word = *word & !mask.to_be() | (spread(tuple) & mask).to_be();
    }
    source
}

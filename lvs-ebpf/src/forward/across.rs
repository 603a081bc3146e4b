//! Translation from one family to the other, headers after RFC 7915.

use lvs_common::{Reason, checksum::Delta, flow::Tuple as _, map::NextHop};

use super::{Outcome, frame::write_header, transport::Transport};
use crate::{
    atomic::bounded,
    family::{Family, Fields},
    kernel::Frame,
    packet::Shape,
    parse::read,
};

/// Gives a packet of family `F` the header of the other one, with the addresses and ports of `to`, and its
/// frame the header that the next hop needs. Takes one off the TTL or hop limit.
///
/// IPv4 options go (RFC 7915 section 4.1). A packet of IPv4 always says "don't fragment", so that it needs no
/// identification: a path that is too narrow is told to its sender, if that can send as little (section 5.1
/// lets routers fragment what has up to 1260 bytes).
#[inline(never)]
pub fn across<F: Family, X: Frame>(
    frame: X,
    shape: Shape,
    to: &<F::Other as Family>::Tuple,
    next_hop: &NextHop,
) -> Outcome {
    let old_link = bounded::<31>(u64::from(shape.link())) as usize;
    let old = frame.start().wrapping_add(old_link);
    let Some(transport) = Transport::find::<F, X>(frame, old, shape) else {
        return Outcome::refused(Reason::Inconsistent);
    };
    // SAFETY: both headers were checked just above, here and below.
    let (class, sum, ports) = unsafe { (F::class(old), transport.checksum(), transport.ports()) };
    let Some(sum) = sum else {
        // RFC 8200 section 8.1 wants one.
        return Outcome::refused(Reason::NoChecksum);
    };
    let mut changed = Delta::NONE;
    for at in (F::ADDRESSES..F::HEADER).step_by(8) {
        // SAFETY: as above; addresses are the last part of the header.
        changed = changed.without(unsafe { read(old, at) });
    }
    let words = to.words();
    let (last, addresses) = (words[words.len() - 1], &words[..words.len() - 1]);
    for word in addresses {
        changed = changed.with(*word);
    }
    let new_ports = last as u32;
    let sum = changed.replace(ports.into(), new_ports.into()).apply(sum);

    let header = <F::Other as Family>::HEADER as u32;
    let link = next_hop.link_len();
    let grow = (link + header).cast_signed() - (shape.link() + shape.network()).cast_signed();
    if !frame.grow(grow) {
        return Outcome::refused(Reason::NoRoom);
    }
    let start = frame.start();
    let network = start.wrapping_add(bounded::<31>(u64::from(link)) as usize);
    let Some(transport) = Transport::behind(frame, network, header, shape) else {
        return Outcome::refused(Reason::Inconsistent);
    };
    let (source, destination) = F::Other::addresses(to);
    let fields = Fields {
        source,
        destination,
        payload: (shape.packet_len() - shape.network()) as u16,
        protocol: shape.protocol(),
        class,
        hops: shape.hops().wrapping_sub(1),
        identification: None,
    };
    // SAFETY: the transport header was checked just above, and what comes before it with it.
    unsafe {
        write_header(start, next_hop, F::Other::ETHER_TYPE);
        F::Other::write_header(network, &fields);
        transport.set_ports(new_ports);
        transport.set_checksum(sum);
    }
    Outcome::sent(next_hop)
}

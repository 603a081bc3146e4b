//! ICMP errors about a packet that was translated to the other family: the message is written anew
//! (RFC 7915 sections 4.2 and 5.2).

use lvs_common::{Reason, flow::Tuple as _, map::NextHop};

use super::{
    error::IcmpError,
    icmp::{self, Icmp},
};
use crate::{
    atomic::bounded,
    family::{Family, Fields},
    forward::{Outcome, write_link},
    kernel::Frame,
    parse::{start, write},
};

/// Most bytes that are quoted behind the quoted IP header: with all headers no more than a message of ICMP
/// may have.
const MOST: u32 = 512;
/// Bytes of both ports.
const PORTS: usize = 4;
/// TTL or hop limit of the quoted packet in a message written anew; nobody looks at it.
const HOPS: u8 = 1;

/// Makes the error of family `F` one of the other about a packet of the tuple `to`, and sends it to who sent
/// that packet, from where that packet went: the client or backend knows nothing behind it.
#[inline(never)]
pub(super) fn requote_across<F: Icmp<Other: Icmp>, X: Frame>(
    frame: X,
    link: u64,
    to: &<F::Other as Family>::Tuple,
    next_hop: &NextHop,
) -> Outcome {
    Outcome::of(try_requote::<F, F::Other, X>(frame, link, to, next_hop))
}

#[inline(always)]
fn try_requote<F: Icmp, T: Icmp, X: Frame>(
    frame: X,
    link: u64,
    to: &T::Tuple,
    next_hop: &NextHop,
) -> Result<Outcome, Reason> {
    let (error, _) = IcmpError::read::<F, X>(frame, link)?;
    let quoted_packet = error.quote.network;
    let (kind, size) = F::across(error.kind, error.size).ok_or(Reason::OtherProtocol)?;
    // SAFETY: both headers were checked when they were read.
    let (class, quoted_class) =
        unsafe { (F::class(error.outer.header), F::class(quoted_packet.header)) };
    let before = error.link.len + error.headers();
    let quoted = frame
        .size()
        .wrapping_sub(before)
        .min(error.quote.left)
        .min(MOST)
        & !3;
    if !frame.cut(before + quoted) {
        return Err(Reason::Inconsistent);
    }
    let headers = (2 * T::HEADER + icmp::HEADER) as u32;
    let grow = (next_hop.link_len() + headers).cast_signed() - before.cast_signed();
    if !frame.grow(grow) {
        return Err(Reason::NoRoom);
    }
    let (source, service) = T::addresses(to);
    let inner = Fields {
        source,
        destination: service,
        payload: quoted_packet.payload as u16,
        protocol: quoted_packet.protocol,
        class: quoted_class,
        hops: HOPS,
        identification: None,
    };
    let outer = Fields {
        source: service,
        destination: source,
        payload: (icmp::HEADER + T::HEADER) as u16 + quoted as u16,
        protocol: T::ICMP,
        class,
        hops: error.outer.hops.wrapping_sub(1),
        identification: None,
    };
    let start = start(frame)?;
    let network = start.wrapping_add(bounded::<31>(u64::from(next_hop.link_len())) as usize);
    let header = network.wrapping_add(T::HEADER);
    let quote = header.wrapping_add(icmp::HEADER);
    let ports = quote.wrapping_add(T::HEADER);
    if ports.wrapping_add(PORTS) > frame.end() {
        return Err(Reason::Inconsistent);
    }
    let words = to.words();
    let first = u64::from(kind.0) | u64::from(kind.1) << 8 | u64::from(size.to_be()) << 32;
    // SAFETY: checked just above.
    unsafe {
        write_link(start, next_hop, T::ETHER_TYPE);
        T::write_header(network, &outer);
        write(header, 0, first);
        T::write_header(quote, &inner);
        write(ports, 0, words[words.len() - 1] as u32);
    }
    let at = next_hop.link_len() + T::HEADER as u32;
    let sum = T::pseudo(&outer).and(frame.sum(at, outer.payload.into()));
    // SAFETY: as above; a sum moves nothing.
    unsafe { write(header, icmp::CHECKSUM, sum.checksum()) };
    Ok(Outcome::sent(next_hop))
}

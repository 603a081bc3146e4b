//! ICMP errors about a packet of a flow, on their way to the one who sent that packet.
//!
//! A router on the client's side complains about a packet from the virtual address, one on the backend's
//! side about a packet to the backend. Either quotes the packet, so the flow is that of the reversed
//! tuple: the client's entry in the first case, that of the backend's answers in the other.

use lvs_common::{ForwardingMode, Reason, flow::Tuple as _, map::NextHop};

use super::{
    across::requote_across,
    icmp::{self, Icmp},
    requote::{Quoted, requote},
};
use crate::{
    atomic::{bounded, opaque},
    backend::{Target, backend},
    family::Family,
    forward::{Outcome, may_pass, translate, tun},
    kernel::{Frame, Tables},
    nat::{Origin, client, reply_tuple, translates},
    packet::{Link, Shape},
    parse::{Cursor, LONGEST_LINK, read},
    table::{Hit, find, pair::owner},
};

/// Bytes of both ports.
pub(super) const PORTS: u32 = 4;

/// What an error quotes.
struct Quote<T> {
    /// The frame around it.
    shape: Shape,
    /// The tuple of who sent the quoted packet.
    tuple: T,
    /// Bytes of the quoted IP header.
    header: u32,
}

/// Sends an ICMP error on, if it is about a packet of a flow.
#[inline(never)]
pub(super) fn quoted<F: Icmp<Other: Icmp>, K: Tables, X: Frame>(
    tables: &K,
    frame: X,
    link: u64,
) -> Outcome {
    Outcome::of(try_quoted::<F, K, X>(tables, frame, link))
}

#[inline(always)]
fn try_quoted<F: Icmp<Other: Icmp>, K: Tables, X: Frame>(
    tables: &K,
    frame: X,
    link: u64,
) -> Result<Outcome, Reason> {
    let quote = read_quote::<F, X>(frame, link)?;
    let settings = tables.settings().ok_or(Reason::Inconsistent)?;
    let hit = find::<F, K>(tables, settings, opaque(&quote.tuple), tables.now());
    let hit = hit.ok_or(Reason::OtherProtocol)?;
    if hit.word.is_reply() {
        to_client::<F, K, X>(tables, frame, &quote, &hit, link)
    } else {
        to_backend::<F, K, X>(tables, frame, &quote, &hit, link)
    }
}

/// Reads an error with what it quotes.
///
/// # Errors
/// [`Reason::OtherProtocol`] if it is none, or quotes no more than an IP header.
#[inline(always)]
fn read_quote<F: Icmp, X: Frame>(frame: X, link: u64) -> Result<Quote<F::Tuple>, Reason> {
    let mut cursor = Cursor::new(frame.start(), frame.end());
    let link = Link::from_bits(link, cursor.peek::<LONGEST_LINK>()?);
    cursor.skip(bounded::<31>(u64::from(link.len)) as usize);
    let (network, _, _) = F::network(&mut cursor)?;
    if network.protocol != F::ICMP {
        return Err(Reason::OtherProtocol);
    }
    let message = cursor.take::<{ icmp::HEADER }>()?;
    // SAFETY: checked just above.
    if !F::is_error(unsafe { read(message, 0) }) {
        return Err(Reason::OtherProtocol);
    }
    let Ok((inner, source, destination)) = F::quoted(&mut cursor) else {
        return Err(Reason::OtherProtocol);
    };
    let Ok(ports) = cursor.take::<4>() else {
        return Err(Reason::OtherProtocol);
    };
    // SAFETY: checked just above.
    let ports: u32 = unsafe { read(ports, 0) };
    let last = u64::from(ports) | u64::from(inner.protocol) << 32;
    let header = inner.len - inner.payload;
    // Behind the packet, Ethernet may have filled up the frame.
    if network.payload < icmp::HEADER as u32 + header + PORTS {
        return Err(Reason::OtherProtocol);
    }
    Ok(Quote {
        shape: Shape::new(&link, &network, 0),
        tuple: F::between(source, destination, last).reversed(),
        header,
    })
}

/// An error about an answer, or what a backend of DR or TUN sends itself.
#[inline(always)]
fn to_backend<F: Icmp<Other: Icmp>, K: Tables, X: Frame>(
    tables: &K,
    frame: X,
    quote: &Quote<F::Tuple>,
    hit: &Hit,
    link: u64,
) -> Result<Outcome, Reason> {
    let target = backend(tables, hit.word.backend())?;
    let next_hop = tables
        .next_hop(target.next_hop)
        .filter(|_| target.next_hop != 0)
        .ok_or(Reason::NoNextHop)?;
    let outcome = if translates(target.mode) {
        let origin = Origin(hit.link.note());
        pass(tables, quote.shape, 0, next_hop)?;
        if target.crosses::<F>() {
            if next_hop.is_local() {
                return Err(Reason::NoNextHop);
            }
            let answer = reply_tuple::<F, F::Other, K>(tables, &target, &quote.tuple, origin);
            let answer = answer.ok_or(Reason::Inconsistent)?;
            requote_across::<F, X>(frame, link, &answer, next_hop)
        } else {
            let answer = reply_tuple::<F, F, K>(tables, &target, &quote.tuple, origin);
            let answer = answer.ok_or(Reason::Inconsistent)?;
            let quoted = Quoted::new(quote.header);
            requote::<F, X>(frame, quote.shape, quoted, &answer, next_hop)
        }
    } else {
        untranslated::<F, K, X>(tables, frame, quote, &target, next_hop)?
    };
    if !outcome.is_taken() {
        return Ok(outcome);
    }
    let bytes = u64::from(quote.shape.packet_len());
    tables.count_packet(target.service, target.id, bytes);
    Ok(outcome)
}

/// As any other packet of the flow.
#[inline(always)]
fn untranslated<F: Icmp<Other: Icmp>, K: Tables, X: Frame>(
    tables: &K,
    frame: X,
    quote: &Quote<F::Tuple>,
    target: &Target,
    next_hop: &NextHop,
) -> Result<Outcome, Reason> {
    if next_hop.is_local() {
        return Ok(Outcome::refused(Reason::Local));
    }
    let (tuple, shape, id) = (&quote.tuple, quote.shape, target.id as u16);
    if target.mode != ForwardingMode::Tun as u8 {
        pass(tables, shape, 0, next_hop)?;
        return Ok(translate::<F, X>(frame, shape, None, next_hop));
    }
    if target.crosses::<F>() {
        pass(tables, shape, F::Other::HEADER as u32, next_hop)?;
        Ok(tun::<F, F::Other, K, X>(
            tables, frame, tuple, shape, id, next_hop,
        ))
    } else {
        pass(tables, shape, F::HEADER as u32, next_hop)?;
        Ok(tun::<F, F, K, X>(tables, frame, tuple, shape, id, next_hop))
    }
}

/// An error about a client's packet that was translated.
#[inline(always)]
fn to_client<F: Icmp<Other: Icmp>, K: Tables, X: Frame>(
    tables: &K,
    frame: X,
    quote: &Quote<F::Tuple>,
    hit: &Hit,
    link: u64,
) -> Result<Outcome, Reason> {
    let now = tables.now();
    let flow = owner(tables, hit, now).ok_or(Reason::OtherProtocol)?;
    let next_hop = tables
        .gateway(hit.link.note())
        .ok_or(Reason::Inconsistent)?;
    pass(tables, quote.shape, 0, next_hop)?;
    let outcome = if flow.slot.family() as u8 == F::Tuple::FAMILY as u8 {
        let client = client::<F, K>(tables, &flow)?;
        let quoted = Quoted::new(quote.header).by_service();
        requote::<F, X>(frame, quote.shape, quoted, &client, next_hop)
    } else {
        let client = client::<F::Other, K>(tables, &flow)?;
        requote_across::<F, X>(frame, link, &client, next_hop)
    };
    outcome.interface()?;
    let target = backend(tables, flow.word.backend())?;
    let bytes = u64::from(quote.shape.packet_len());
    tables.count_answer(target.service, target.id, bytes);
    Ok(outcome)
}

#[inline(always)]
fn pass<K: Tables>(tables: &K, shape: Shape, more: u32, next_hop: &NextHop) -> Result<(), Reason> {
    let (hops, len) = (shape.hops(), shape.packet_len());
    may_pass(tables, hops, len, more.cast_signed(), next_hop)
}

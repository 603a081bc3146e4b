//! ICMP errors about a packet of a flow, on their way to the one who sent that packet.
//!
//! A router on the client's side complains about a packet from the virtual address, one on the backend's
//! side about a packet to the backend. Either quotes the packet, so the flow is that of the reversed
//! tuple: the client's entry in the first case, that of the backend's answers in the other.

use lvs_common::{ForwardingMode, Reason, flow::Tuple as _, map::NextHop};

use super::{
    across::requote_across,
    error::IcmpError,
    icmp::Icmp,
    requote::{Quoted, requote},
};
use crate::{
    atomic::opaque,
    backend::{Target, backend},
    family::Family,
    forward::{Outcome, may_pass, translate, tun},
    kernel::{Frame, Tables},
    nat::{Origin, client, reply_tuple, translates},
    packet::Shape,
    table::{Hit, find, pair::owner},
};

/// What an error is about.
struct Subject<T> {
    /// The frame with the error.
    shape: Shape,
    /// The reversed tuple of the quoted packet.
    tuple: T,
    /// Bytes of its IP header.
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
    let (error, mut cursor) = IcmpError::read::<F, X>(frame, link)?;
    let about = Subject {
        shape: Shape::new(&error.link, &error.outer, 0),
        tuple: error.quote.tuple::<F>(&mut cursor)?.reversed(),
        header: error.quote.network.header_len(),
    };
    let settings = tables.settings().ok_or(Reason::Inconsistent)?;
    let hit = find::<F, K>(tables, settings, opaque(&about.tuple), tables.now());
    let hit = hit.ok_or(Reason::OtherProtocol)?;
    if hit.word.is_reply() {
        to_client::<F, K, X>(tables, frame, &about, &hit, link)
    } else {
        to_backend::<F, K, X>(tables, frame, &about, &hit, link)
    }
}

/// An error about an answer, or what a backend of DR or TUN sends itself.
#[inline(always)]
fn to_backend<F: Icmp<Other: Icmp>, K: Tables, X: Frame>(
    tables: &K,
    frame: X,
    about: &Subject<F::Tuple>,
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
        pass(tables, about.shape, 0, next_hop)?;
        if target.crosses::<F>() {
            if next_hop.is_local() {
                return Err(Reason::NoNextHop);
            }
            let answer = reply_tuple::<F, F::Other, K>(tables, &target, &about.tuple, origin);
            let answer = answer.ok_or(Reason::Inconsistent)?;
            requote_across::<F, X>(frame, link, &answer, next_hop)
        } else {
            let answer = reply_tuple::<F, F, K>(tables, &target, &about.tuple, origin);
            let answer = answer.ok_or(Reason::Inconsistent)?;
            let quoted = Quoted::new(about.header);
            requote::<F, X>(frame, about.shape, quoted, &answer, next_hop)
        }
    } else {
        untranslated::<F, K, X>(tables, frame, about, &target, next_hop)?
    };
    if !outcome.is_taken() {
        return Ok(outcome);
    }
    let bytes = u64::from(about.shape.packet_len());
    tables.count_packet(target.service, target.id, bytes);
    Ok(outcome)
}

/// As any other packet of the flow.
#[inline(always)]
fn untranslated<F: Icmp<Other: Icmp>, K: Tables, X: Frame>(
    tables: &K,
    frame: X,
    about: &Subject<F::Tuple>,
    target: &Target,
    next_hop: &NextHop,
) -> Result<Outcome, Reason> {
    if next_hop.is_local() {
        return Ok(Outcome::refused(Reason::Local));
    }
    let (tuple, shape, id) = (&about.tuple, about.shape, target.id as u16);
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
    about: &Subject<F::Tuple>,
    hit: &Hit,
    link: u64,
) -> Result<Outcome, Reason> {
    let now = tables.now();
    let flow = owner(tables, hit, now).ok_or(Reason::OtherProtocol)?;
    let next_hop = tables
        .gateway(hit.link.note())
        .ok_or(Reason::Inconsistent)?;
    pass(tables, about.shape, 0, next_hop)?;
    let outcome = if flow.slot.family() as u8 == F::Tuple::FAMILY as u8 {
        let client = client::<F, K>(tables, &flow)?;
        let quoted = Quoted::new(about.header).by_service();
        requote::<F, X>(frame, about.shape, quoted, &client, next_hop)
    } else {
        let client = client::<F::Other, K>(tables, &flow)?;
        requote_across::<F, X>(frame, link, &client, next_hop)
    };
    outcome.interface()?;
    let target = backend(tables, flow.word.backend())?;
    let bytes = u64::from(about.shape.packet_len());
    tables.count_answer(target.service, target.id, bytes);
    Ok(outcome)
}

#[inline(always)]
fn pass<K: Tables>(tables: &K, shape: Shape, more: u32, next_hop: &NextHop) -> Result<(), Reason> {
    let (hops, len) = (shape.hops(), shape.packet_len());
    may_pass(tables, hops, len, more.cast_signed(), next_hop)
}

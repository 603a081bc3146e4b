//! The walk of a packet: parse, guard, flow lookup or service lookup and schedule, forward, account.

use lvs_common::{
    ForwardingMode, Reason,
    map::{FlowEvent, NextHop, Settings},
    tcp,
};

use crate::{
    admit::admit,
    atomic::opaque,
    backend::{Target, backend},
    decap::decap,
    family::{Family, V4, V6},
    forward::{Action, Outcome, dr, may_pass, tun},
    gateway::gateway_id,
    guard::guard,
    kernel::{Frame, Tables},
    nat::{self, Flow, Opening, Origin, answer, request, request_across},
    packet::{Link, Packet},
    parse::{Cursor, behind_link, ethernet},
    table::{Hit, Segment, advance, find},
};

/// Decides what happens to a frame, and rewrites it if it is to be sent.
///
/// # Errors
/// The reason why it is not sent. The frame is untouched then, but for a tunnel that ended here and, with
/// [`Reason::Local`], for what the host needs to take it.
#[inline(always)]
pub fn walk<K: Tables, X: Frame>(tables: &K, frame: X) -> Result<Action, Reason> {
    let link = ethernet(&mut Cursor::new(frame.start(), frame.end()))?;
    guard(tables, frame, &link)?;
    let settings = tables.settings().ok_or(Reason::Inconsistent)?;
    let bits = if settings.endpoints == 0 {
        link.to_bits()
    } else {
        decap(tables, frame, &link)?
    };
    let outcome = match Link::ether_type_of(bits) {
        V4::ETHER_TYPE => walk_ip::<V4, K, X>(tables, frame, bits),
        V6::ETHER_TYPE => walk_ip::<V6, K, X>(tables, frame, bits),
        _ => return Err(Reason::NotIp),
    };
    Ok(Action::by(frame, outcome.interface()?))
}

/// How many backends are tried whose answers could not be told from those of another flow.
const BACKENDS: usize = 4;

/// Subprograms beside each other, since 512 bytes of stack serve a whole chain of calls. That for packets
/// of flows that are there is the hot path; the others read the frame once more, or what was left in
/// the scratch.
#[inline(always)]
fn walk_ip<F: Family, K: Tables, X: Frame>(tables: &K, frame: X, link: u64) -> Outcome {
    let outcome = known::<F, K, X>(tables, frame, link);
    if outcome.is_answer() {
        return answer::<F, K, X>(tables, frame);
    }
    if !outcome.is_unknown() {
        return outcome;
    }
    let mut outcome = unknown::<F, K, X>(tables, frame, link);
    for _ in 0..BACKENDS {
        outcome = match outcome.opening() {
            Some(opening) if opening.crosses() => tables.keep::<F, F::Other>(opening, tables.now()),
            Some(opening) => tables.keep::<F, F>(opening, tables.now()),
            None => break,
        };
    }
    match outcome.flow() {
        Some(flow) => first::<F, K, X>(tables, frame, link, flow),
        // Another CPU has opened it at the same time.
        None if outcome.is_unknown() => known::<F, K, X>(tables, frame, link).or_lost(),
        None if outcome.opening().is_some() => Outcome::refused(Reason::ReplyTaken),
        None => outcome,
    }
}

/// Reads the frame behind its Ethernet header.
///
/// # Errors
/// Those of [`crate::parse`].
#[inline(always)]
pub(crate) fn parse<F: Family, X: Frame>(frame: X, link: u64) -> Result<Packet<F::Tuple>, Reason> {
    let (mut cursor, link) = behind_link(frame, link)?;
    F::parse(&mut cursor, link)
}

/// Sends a packet on that belongs to a flow.
#[inline(never)]
fn known<F: Family, K: Tables, X: Frame>(tables: &K, frame: X, link: u64) -> Outcome {
    Outcome::of(try_known::<F, K, X>(tables, frame, link))
}

#[inline(always)]
fn try_known<F: Family, K: Tables, X: Frame>(
    tables: &K,
    frame: X,
    link: u64,
) -> Result<Outcome, Reason> {
    let packet = parse::<F, X>(frame, link)?;
    let settings = tables.settings().ok_or(Reason::Inconsistent)?;
    let now = tables.now();
    let Some(hit) = existing::<F, K>(tables, settings, &packet, now) else {
        return Ok(Outcome::UNKNOWN);
    };
    if hit.word.is_reply() {
        let scratch = tables.scratch().ok_or(Reason::Inconsistent)?;
        // SAFETY: this CPU's.
        unsafe { (*scratch).answer = (hit.slot, hit.word, packet.shape()) };
        return Ok(Outcome::ANSWER);
    }
    let target = backend(tables, hit.word.backend())?;
    let timeouts = tables
        .timeouts(target.timeouts)
        .ok_or(Reason::Inconsistent)?;
    let segment = Segment::of_client(packet.network.protocol, packet.tcp_flags);
    advance(tables, &hit, segment, timeouts, now);
    let flow = Flow::new(hit.word.backend(), Origin(hit.link.note()));
    deliver::<F, K, X>(tables, frame, &packet, &target, flow)
}

/// Admits the first packet of a flow: what is to be opened, with the tuple in the scratch.
#[inline(never)]
fn unknown<F: Family, K: Tables, X: Frame>(tables: &K, frame: X, link: u64) -> Outcome {
    Outcome::of(try_unknown::<F, K, X>(tables, frame, link))
}

#[inline(always)]
fn try_unknown<F: Family, K: Tables, X: Frame>(
    tables: &K,
    frame: X,
    link: u64,
) -> Result<Outcome, Reason> {
    let packet = parse::<F, X>(frame, link)?;
    let (tuple, tcp_flags) = (&packet.tuple, packet.tcp_flags);
    let scratch = tables.scratch().ok_or(Reason::Inconsistent)?;
    // SAFETY: this CPU's, with room for the longest tuple.
    let room = unsafe { &raw mut (*scratch).packet }.cast::<F::Tuple>();
    // SAFETY: as above.
    unsafe { room.write(*tuple) };
    let id = admit::<F, K>(tables, tuple, tcp_flags).backend()?;
    let target = backend(tables, id)?;
    let gateway = if nat::translates(target.mode) {
        let (client, service) = F::addresses(tuple);
        gateway_id::<F, K, X>(tables, frame, &packet.link, &client, &service)?
    } else {
        0
    };
    let opening = Opening::new(id, tcp_flags, gateway);
    Ok(Outcome::open(
        opening.with_backend(id, target.crosses::<F>()),
    ))
}

/// Sends the packet that has just opened a flow.
#[inline(never)]
fn first<F: Family, K: Tables, X: Frame>(tables: &K, frame: X, link: u64, flow: Flow) -> Outcome {
    let sent = || {
        let packet = parse::<F, X>(frame, link)?;
        let target = backend(tables, flow.backend())?;
        deliver::<F, K, X>(tables, frame, &packet, &target, flow)
    };
    Outcome::of(sent())
}

/// The flow that a packet belongs to.
#[inline(always)]
fn existing<F: Family, K: Tables>(
    tables: &K,
    settings: &Settings,
    packet: &Packet<F::Tuple>,
    now: u32,
) -> Option<Hit> {
    let hit = find::<F, K>(tables, settings, opaque(&packet.tuple), now)?;
    if tcp::begins(packet.tcp_flags) && hit.word.is_finished() && !hit.word.is_reply() {
        if tables.retire(hit.slot, hit.word) {
            tables.count_event(FlowEvent::Reused);
        }
        return None;
    }
    Some(hit)
}

/// Sends the packet to its backend and accounts for it.
///
/// # Errors
/// The reason why it is not sent; the frame is untouched then.
#[inline(always)]
pub fn deliver<F: Family, K: Tables, X: Frame>(
    tables: &K,
    frame: X,
    packet: &Packet<F::Tuple>,
    target: &Target,
    flow: Flow,
) -> Result<Outcome, Reason> {
    if target.next_hop == 0 {
        return Err(Reason::NoNextHop);
    }
    let next_hop = tables
        .next_hop(target.next_hop)
        .ok_or(Reason::Inconsistent)?;
    let bytes = u64::from(packet.network.len);
    let outcome = forward::<F, K, X>(tables, frame, packet, target, flow, next_hop)?;
    if outcome.is_taken() {
        tables.count_packet(target.service, target.id, bytes);
    }
    Ok(outcome)
}

/// Rewrites the packet as its mode says.
#[inline(always)]
fn forward<F: Family, K: Tables, X: Frame>(
    tables: &K,
    frame: X,
    packet: &Packet<F::Tuple>,
    target: &Target,
    flow: Flow,
    next_hop: &NextHop,
) -> Result<Outcome, Reason> {
    let (hops, len) = (packet.network.hops, packet.network.len);
    let (tuple, shape) = (&packet.tuple, packet.shape());
    match target.mode {
        // Both ends would be this machine: no director says so.
        NAT | FULL_NAT if target.crosses::<F>() && next_hop.is_local() => Err(Reason::NoNextHop),
        NAT | FULL_NAT if target.crosses::<F>() => {
            may_pass(tables, hops, len, shape.more_across::<F>(), next_hop)?;
            Ok(request_across::<F, K, X>(
                tables, frame, tuple, shape, flow, next_hop,
            ))
        }
        NAT | FULL_NAT => {
            may_pass(tables, hops, len, 0, next_hop)?;
            Ok(request::<F, K, X>(
                tables, frame, tuple, shape, flow, next_hop,
            ))
        }
        _ if next_hop.is_local() => Ok(Outcome::refused(Reason::Local)),
        TUN if target.crosses::<F>() => {
            may_pass(tables, hops, len, header::<F::Other>(), next_hop)?;
            Ok(tun::<F, F::Other, K, X>(
                tables,
                frame,
                tuple,
                shape,
                flow.backend(),
                next_hop,
            ))
        }
        TUN => {
            may_pass(tables, hops, len, header::<F>(), next_hop)?;
            Ok(tun::<F, F, K, X>(
                tables,
                frame,
                tuple,
                shape,
                flow.backend(),
                next_hop,
            ))
        }
        _ => dr::<F, K, X>(tables, frame, packet, next_hop),
    }
}

/// Bytes that a tunnel of this family adds.
#[inline(always)]
const fn header<O: Family>() -> i32 {
    (O::HEADER as u32).cast_signed()
}

const NAT: u8 = ForwardingMode::Nat as u8;
const FULL_NAT: u8 = ForwardingMode::FullNat as u8;
const TUN: u8 = ForwardingMode::Tun as u8;

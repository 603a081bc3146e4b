//! The data plane's walk with another flow table, from the data plane's own steps.
//!
//! It leaves out what an LRU map cannot do: the counts of active and inactive flows, which would be
//! wrong after the first eviction, and the preference of proven flows over half-open ones.

use aya_ebpf::{
    bindings::{
        BPF_NOEXIST,
        xdp_action::{XDP_ABORTED, XDP_DROP, XDP_PASS, XDP_TX},
    },
    helpers::generated::bpf_redirect,
    programs::XdpContext,
};
use lvs_common::{
    Protocol, Reason, Verdict,
    flow::{Tuple as _, Word},
    tcp,
};
use lvs_ebpf::{
    Action,
    atomic::{load, replace, store_low},
    backend::backend,
    deliver,
    family::{V4, V6},
    guard::guard,
    kernel::{Frame as _, Tables as _},
    nat::{Flow, Origin},
    packet::{Link, Packet},
    parse::{Cursor, ethernet},
    schedule::schedule,
    service::service,
    table::{Segment, deadline},
};
use network_types::eth::EtherType;

use super::{
    frame::Xdp,
    lru::{Kind, Stored},
    maps::{Maps, count_reason},
};

const IPV4: u16 = EtherType::Ipv4 as u16;
const IPV6: u16 = EtherType::Ipv6 as u16;

/// Walks a packet, counts its reason, and gives the verdict.
#[inline(always)]
pub(super) fn run<K: Kind>(ctx: &XdpContext) -> u32 {
    let frame_len = ctx.data_end() as u64 - ctx.data() as u64;
    let frame = Xdp::new(ctx);
    let (reason, verdict) = match walk::<K>(frame) {
        Ok(Action::Send) => (Reason::Sent, XDP_TX),
        // SAFETY: the helper has no conditions.
        Ok(Action::Redirect(interface)) => (Reason::Redirected, unsafe {
            bpf_redirect(interface, 0).cast_unsigned() as u32
        }),
        Err(reason) => match reason.verdict() {
            Verdict::Pass => (reason, XDP_PASS),
            Verdict::Drop => (reason, XDP_DROP),
            Verdict::Forward => (reason, XDP_ABORTED),
        },
    };
    count_reason(reason, frame_len);
    verdict
}

#[inline(always)]
fn walk<K: Kind>(frame: Xdp) -> Result<Action, Reason> {
    let mut cursor = Cursor::new(frame.start(), frame.end());
    let link = ethernet(&mut cursor)?;
    guard(&Maps, frame, &link)?;
    match link.ether_type {
        IPV4 => walk_ip::<V4, K>(frame, &mut cursor, link),
        IPV6 => walk_ip::<V6, K>(frame, &mut cursor, link),
        _ => Err(Reason::NotIp),
    }
}

#[inline(always)]
fn walk_ip<F: Stored, K: Kind>(
    frame: Xdp,
    cursor: &mut Cursor,
    link: Link,
) -> Result<Action, Reason> {
    let packet = F::parse(cursor, link)?;
    let now = Maps.now();
    let id = match existing::<F, K>(&packet, now) {
        Some(id) => id,
        None => admit::<F, K>(&packet, now)?,
    };
    let flow = Flow::new(id, Origin::CLIENT);
    let outcome = deliver::<F, Maps, Xdp>(&Maps, frame, &packet, &backend(&Maps, id)?, flow)?;
    Ok(Action::by(frame, outcome.interface()?))
}

/// The backend of a packet that belongs to a flow.
#[inline(always)]
fn existing<F: Stored, K: Kind>(packet: &Packet<F::Tuple>, now: u32) -> Option<u16> {
    let flows = F::flows::<K>();
    let entry = flows.get_ptr_mut(packet.tuple)?;
    // SAFETY: the value of an element, which is a word, here and below.
    let word = Word(unsafe { load(entry) });
    if word.has_expired(now) || tcp::begins(packet.tcp_flags) && word.is_finished() {
        // It fails if another CPU was faster, which is as good.
        let _ = flows.remove(packet.tuple);
        return None;
    }
    let timeouts = Maps.timeouts(0)?;
    let next = segment(packet).next(word, timeouts, now);
    if !next.same_but_deadline(word) {
        // Lost to another CPU: the flow's next packet brings the state up to date.
        // SAFETY: as above.
        unsafe { replace(entry, word.0, next.0) };
    } else if next != word {
        // SAFETY: as above.
        unsafe { store_low(entry, next.deadline()) };
    }
    Some(word.backend())
}

#[inline(always)]
fn segment<T: lvs_common::flow::Tuple>(packet: &Packet<T>) -> Segment {
    Segment::of_client(packet.network.protocol, packet.tcp_flags)
}

/// Opens the flow of a packet that belongs to none.
#[inline(always)]
fn admit<F: Stored, K: Kind>(packet: &Packet<F::Tuple>, now: u32) -> Result<u16, Reason> {
    let tuple = packet.tuple;
    let found = service(&Maps, &F::service_key(&tuple))?;
    let is_tcp = tuple.protocol() == Protocol::Tcp as u8;
    if is_tcp && !tcp::opens(packet.tcp_flags) {
        return Err(Reason::NoFlow);
    }
    let backend = schedule(&Maps, &found)?;
    let state = segment(packet).first_state();
    let timeouts = Maps.timeouts(0).ok_or(Reason::Inconsistent)?;
    let word = Word::open(backend, state, deadline(timeouts, state, now));
    let flows = F::flows::<K>();
    if flows.insert(tuple, word.0, u64::from(BPF_NOEXIST)).is_ok() {
        Maps.count_connection(found.id, u32::from(backend));
        return Ok(backend);
    }
    // Another CPU has opened it at the same time, or there is no memory for it.
    match flows.get_ptr_mut(tuple) {
        // SAFETY: as in `existing`.
        Some(entry) => Ok(Word(unsafe { load(entry) }).backend()),
        None => Ok(backend),
    }
}

//! The walk of a packet: parse, guard, flow lookup or service lookup and schedule, forward, account.

use core::mem::offset_of;

use lvs_common::{
    Reason,
    map::{Backend, FlowEvent, Settings},
    tcp,
};
use network_types::eth::EtherType;

use crate::{
    admit::admit,
    atomic::opaque,
    family::{Family, V4, V6},
    forward::{self, Action},
    guard::guard,
    kernel::{Frame, Tables},
    packet::{Link, Packet},
    parse::{Cursor, ethernet},
    table::{Segment, advance, find, retire},
};

const IPV4: u16 = EtherType::Ipv4 as u16;
const IPV6: u16 = EtherType::Ipv6 as u16;

/// Decides what happens to a frame, and rewrites it if it is to be sent.
///
/// # Errors
/// The reason why it is not sent; the frame is untouched then.
#[inline(always)]
pub fn walk<K: Tables, X: Frame>(tables: &K, frame: &X) -> Result<Action, Reason> {
    let mut cursor = Cursor::new(frame.start(), frame.end());
    let link = ethernet(&mut cursor)?;
    guard(tables, frame, &link)?;
    match link.ether_type {
        IPV4 => walk_ip::<V4, K, X>(tables, frame, &mut cursor, link),
        IPV6 => walk_ip::<V6, K, X>(tables, frame, &mut cursor, link),
        _ => Err(Reason::NotIp),
    }
}

#[inline(always)]
fn walk_ip<F: Family, K: Tables, X: Frame>(
    tables: &K,
    frame: &X,
    cursor: &mut Cursor,
    link: Link,
) -> Result<Action, Reason> {
    let packet = F::parse(cursor, link)?;
    let settings = tables.settings().ok_or(Reason::Inconsistent)?;
    let now = tables.now();
    let backend = match existing::<F, K>(tables, settings, &packet, now) {
        Some(backend) => backend,
        None => admit::<F, K>(tables, &packet.tuple, packet.tcp_flags, now).backend()?,
    };
    deliver::<F, K, X>(tables, frame, &packet, u32::from(backend))
}

/// The backend of a packet that belongs to a flow.
#[inline(always)]
fn existing<F: Family, K: Tables>(
    tables: &K,
    settings: &Settings,
    packet: &Packet<F::Tuple>,
    now: u32,
) -> Option<u16> {
    let hit = find::<F, K>(tables, settings, opaque(&packet.tuple), now)?;
    if tcp::begins(packet.tcp_flags) && hit.word.is_finished() {
        // SAFETY: a hit is an entry of the table with a live word.
        if unsafe { retire(tables, hit.entry, hit.word) } {
            tables.count_event(FlowEvent::Reused);
        }
        return None;
    }
    let segment = Segment::new(packet.network.protocol, packet.tcp_flags);
    advance(tables, &hit, segment, now);
    Some(hit.word.backend())
}

/// Sends the packet to its backend and accounts for it.
///
/// # Errors
/// The reason why it is not sent; the frame is untouched then.
#[inline(always)]
pub fn deliver<F: Family, K: Tables, X: Frame>(
    tables: &K,
    frame: &X,
    packet: &Packet<F::Tuple>,
    id: u32,
) -> Result<Action, Reason> {
    let backend: *const Backend = tables.backend(id).ok_or(Reason::Inconsistent)?;
    // SAFETY: `Tables` hands out valid entries; the director replaces the next hop in one store.
    let (hop, service) = unsafe {
        (
            backend
                .byte_add(offset_of!(Backend, next_hop))
                .cast::<u32>()
                .read_volatile(),
            backend
                .byte_add(offset_of!(Backend, service))
                .cast::<u32>()
                .read_volatile(),
        )
    };
    if hop == 0 {
        return Err(Reason::NoNextHop);
    }
    let next_hop = tables.next_hop(hop).ok_or(Reason::Inconsistent)?;
    let action = forward::dr::<F, X>(frame, packet, next_hop)?;
    tables.count_packet(service, id, u64::from(packet.network.len));
    Ok(action)
}

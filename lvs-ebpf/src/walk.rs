//! The walk of a packet: parse, guard, flow lookup or service lookup and schedule, forward, account.

use lvs_common::{
    Reason,
    map::{FlowEvent, Settings},
    tcp,
};
use network_types::eth::EtherType;

use crate::{
    admit::{admit, keep},
    atomic::opaque,
    backend::{Target, backend},
    family::{Family, V4, V6},
    forward::{self, Action},
    guard::guard,
    kernel::{Frame, Tables},
    packet::{Link, Packet},
    parse::{Cursor, ethernet},
    table::{Hit, Segment, advance, find},
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
    let flow = existing::<F, K>(tables, settings, &packet, now);
    let id = if let Some(flow) = flow {
        flow.word.backend()
    } else {
        let (tuple, tcp_flags) = (&packet.tuple, packet.tcp_flags);
        let id = admit::<F, K>(tables, tuple, tcp_flags).backend()?;
        keep::<F, K>(tables, tuple, id, tcp_flags, now).backend()?
    };
    let target = backend(tables, id)?;
    if let Some(flow) = flow {
        let timeouts = tables
            .timeouts(target.timeouts)
            .ok_or(Reason::Inconsistent)?;
        let segment = Segment::of_client(packet.network.protocol, packet.tcp_flags);
        advance(tables, &flow, segment, timeouts, now);
    }
    deliver::<F, K, X>(tables, frame, &packet, &target)
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
    if tcp::begins(packet.tcp_flags) && hit.word.is_finished() {
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
    frame: &X,
    packet: &Packet<F::Tuple>,
    target: &Target,
) -> Result<Action, Reason> {
    if target.next_hop == 0 {
        return Err(Reason::NoNextHop);
    }
    let next_hop = tables
        .next_hop(target.next_hop)
        .ok_or(Reason::Inconsistent)?;
    let action = forward::dr::<F, X>(frame, packet, next_hop)?;
    let bytes = u64::from(packet.network.len);
    tables.count_packet(target.service, target.id, bytes);
    Ok(action)
}

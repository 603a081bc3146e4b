//! ICMP errors that the balancer sends itself (RFC 792, RFC 1812 section 4.3.2, RFC 4443).

use lvs_common::{
    Reason,
    map::{Address, NextHop, Notice},
};

use super::{
    icmp::{self, Icmp},
    limit::may_notify,
};
use crate::{
    atomic::bounded,
    backend::backend,
    family::Fields,
    forward::{Outcome, write_link},
    gateway::way_back,
    kernel::{Frame, Tables},
    parse::{behind_link, start, write},
};

/// TTL or hop limit of what the balancer sends itself (kernel: `IPDEFTTL`).
pub(super) const HOPS: u8 = 64;

/// What is told, in one word: a BPF subprogram takes five.
///
/// ```text
/// bits 0..8  type        8..16  code        16..24  Notice        32..64  the size that would do, or 0
/// ```
#[derive(Clone, Copy, Debug)]
#[repr(transparent)]
pub struct Message(u64);

impl Message {
    /// None.
    pub const NONE: Self = Self(0);

    /// Of an ICMP type and code.
    #[inline(always)]
    pub(super) const fn new(notice: Notice, (kind, code): (u8, u8), size: u32) -> Self {
        Self(kind as u64 | (code as u64) << 8 | (notice as u64) << 16 | (size as u64) << 32)
    }

    /// The ICMP header as a word, without its checksum. The size is at the end of either family's.
    #[inline(always)]
    const fn header(self) -> u64 {
        (self.0 & 0xffff) | (((self.0 >> 32) as u32).to_be() as u64) << 32
    }

    #[inline(always)]
    const fn notice(self) -> u32 {
        (self.0 >> 16) as u8 as u32
    }
}

/// Makes the frame a message about its packet, to the packet's sender; refused for whatever reason if it
/// may not be sent.
///
/// It quotes as much of the packet as the RFCs say, so it is longer by the headers at most.
#[inline(never)]
pub(super) fn notice<F: Icmp, K: Tables, X: Frame>(
    tables: &K,
    frame: X,
    link: u64,
    message: Message,
) -> Outcome {
    Outcome::of(try_notice::<F, K, X>(tables, frame, link, message))
}

#[inline(always)]
fn try_notice<F: Icmp, K: Tables, X: Frame>(
    tables: &K,
    frame: X,
    link: u64,
    message: Message,
) -> Result<Outcome, Reason> {
    let (mut cursor, link) = behind_link(frame, link)?;
    // Of one that was in a tunnel, the frame has what a router quoted.
    let (network, sender, destination) = F::quoted(&mut cursor)?;
    if !F::is_host(&sender) {
        return Err(Reason::NoRoom);
    }
    let way = way_back::<F, K, X>(tables, frame, &link, &sender, &destination)?;
    if !may_notify(tables, &sender) {
        return Err(Reason::NoRoom);
    }
    // SAFETY: the header was checked when it was read.
    let class = unsafe { F::class(network.header) };
    let there = frame.size().wrapping_sub(link.len);
    let quoted = network.len.min(there).min(F::QUOTED) & !3;
    let fields = Fields {
        source: own_address(tables, destination),
        destination: sender,
        payload: (icmp::HEADER as u32 + quoted) as u16,
        protocol: F::ICMP,
        class: <F as Icmp>::notice_class(class),
        hops: HOPS,
        identification: None,
    };
    if !frame.cut(link.len + quoted) {
        return Err(Reason::NoRoom);
    }
    let grow = (F::HEADER + icmp::HEADER) as u32 + way.link_len() - link.len;
    if !frame.grow(grow.cast_signed()) {
        return Err(Reason::NoRoom);
    }
    write_message::<F, X>(frame, &fields, message, quoted, &way)?;
    tables.count_notice(message.notice());
    Ok(Outcome::sent(&way))
}

/// Writes the headers before what is quoted.
#[inline(always)]
fn write_message<F: Icmp, X: Frame>(
    frame: X,
    fields: &Fields,
    message: Message,
    quoted: u32,
    way: &NextHop,
) -> Result<(), Reason> {
    let start = start(frame)?;
    let network = start.wrapping_add(bounded::<31>(u64::from(way.link_len())) as usize);
    let header = network.wrapping_add(F::HEADER);
    let quote = header.wrapping_add(icmp::HEADER);
    if quote > frame.end() {
        return Err(Reason::Inconsistent);
    }
    let at = way.link_len() + (F::HEADER + icmp::HEADER) as u32;
    let sum = F::pseudo(fields)
        .with(message.header())
        .and(frame.sum(at, quoted));
    // SAFETY: the headers were checked above.
    unsafe {
        write_link(start, way, F::ETHER_TYPE);
        F::write_header(network, fields);
        write(header, 0, message.header());
        write(header, icmp::CHECKSUM, sum.checksum());
    }
    Ok(())
}

/// Where a message about a packet comes from: a client's knows the virtual address alone (so does the
/// kernel, `icmp_send`, since that is its own). Towards a backend it is the balancer's address there.
#[inline(always)]
fn own_address<K: Tables>(tables: &K, destination: Address) -> Address {
    let answerer = || {
        // SAFETY: this CPU's, and written when the packet was refused.
        let id = unsafe { (*tables.scratch()?).answerer };
        let target = backend(tables, u16::try_from(id).ok()?).ok()?;
        let source = tables.next_hop(target.next_hop)?.source;
        (id != 0 && source != Address::UNSPECIFIED).then_some(source)
    };
    answerer().unwrap_or(destination)
}

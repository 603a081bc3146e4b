//! ICMP errors about a tunnel to a backend: its client is told, as if the packet within had met what the
//! tunnel did (RFC 2003 section 4, RFC 2473 section 8; kernel: `ip_vs_in_icmp`).

use lvs_common::{
    ForwardingMode, Reason,
    flow::Tuple as _,
    map::{Address, Notice},
};

use super::{
    icmp::{self, Icmp},
    later,
    notice::Message,
    quoted::PORTS,
};
use crate::{
    atomic::{bounded, opaque},
    backend::backend,
    family::{Family, V4, V6},
    forward::{Outcome, put_link},
    kernel::{Frame, Tables},
    packet::Link,
    parse::{Cursor, LONGEST_LINK, read},
    table::find,
};

/// What an error says of a tunnel.
struct Complaint {
    /// The Ethernet part of the frame.
    link: Link,
    /// Type, code and size.
    kind: (u8, u8),
    size: u32,
    /// Where the tunnel goes.
    end: Address,
    /// Protocol of the packet within.
    protocol: u8,
    /// Bytes before that, from the IP header on.
    before: u32,
    /// How many bytes of it are quoted.
    left: u32,
}

/// Makes an error about a tunnel one about the packet within, to that one's sender.
#[inline(never)]
pub(super) fn tunnelled<F: Icmp, K: Tables, X: Frame>(tables: &K, frame: X, link: u64) -> Outcome {
    Outcome::of(try_tunnelled::<F, K, X>(tables, frame, link))
}

#[inline(always)]
fn try_tunnelled<F: Icmp, K: Tables, X: Frame>(
    tables: &K,
    frame: X,
    link: u64,
) -> Result<Outcome, Reason> {
    let mut cursor = Cursor::new(frame.start(), frame.end());
    let complaint = read_complaint::<F>(&mut cursor, link)?;
    if complaint.protocol == V4::PROTOCOL {
        tell::<F, V4, K, X>(tables, frame, &mut cursor, &complaint)
    } else {
        tell::<F, V6, K, X>(tables, frame, &mut cursor, &complaint)
    }
}

/// Reads an error up to the packet in the tunnel that it quotes.
///
/// # Errors
/// [`Reason::OtherProtocol`] if it is none.
#[inline(always)]
fn read_complaint<F: Icmp>(cursor: &mut Cursor, link: u64) -> Result<Complaint, Reason> {
    let link = Link::from_bits(link, cursor.peek::<LONGEST_LINK>()?);
    cursor.skip(bounded::<31>(u64::from(link.len)) as usize);
    let (network, _, _) = F::network(cursor)?;
    if network.protocol != F::ICMP {
        return Err(Reason::OtherProtocol);
    }
    let message = cursor.take::<{ icmp::HEADER }>()?;
    // SAFETY: checked just above.
    let (kind, code, size): (u8, u8, u32) = unsafe {
        (
            read(message, 0),
            read(message, 1),
            read(message, icmp::SIZE),
        )
    };
    let Ok((outer, _, end)) = F::quoted(cursor) else {
        return Err(Reason::OtherProtocol);
    };
    let is_tunnel = outer.protocol == V4::PROTOCOL || outer.protocol == V6::PROTOCOL;
    if !F::is_error(kind) || !is_tunnel {
        return Err(Reason::OtherProtocol);
    }
    let quoted = outer.len - outer.payload;
    let headers = network.len - network.payload + quoted;
    Ok(Complaint {
        link,
        kind: (kind, code),
        size: u32::from_be(size) & F::SIZE_MASK,
        end,
        protocol: outer.protocol,
        before: headers + icmp::HEADER as u32,
        left: network.payload.saturating_sub(icmp::HEADER as u32 + quoted),
    })
}

/// Tells the sender of the packet of family `I` in a tunnel of family `F`.
#[inline(always)]
fn tell<F: Icmp, I: Icmp, K: Tables, X: Frame>(
    tables: &K,
    frame: X,
    cursor: &mut Cursor,
    complaint: &Complaint,
) -> Result<Outcome, Reason> {
    // Routers may quote as little as the beginning of the inner header.
    let Ok((inner, client, service)) = I::quoted(cursor) else {
        return Err(Reason::OtherProtocol);
    };
    let Ok(ports) = cursor.take::<4>() else {
        return Err(Reason::OtherProtocol);
    };
    if complaint.left < inner.len - inner.payload + PORTS {
        return Err(Reason::OtherProtocol);
    }
    // SAFETY: checked just above.
    let ports: u32 = unsafe { read(ports, 0) };
    let last = u64::from(ports) | u64::from(inner.protocol) << 32;
    let tuple = I::between(client, service, last);
    let settings = tables.settings().ok_or(Reason::Inconsistent)?;
    let hit = find::<I, K>(tables, settings, opaque(&tuple), tables.now());
    let hit = hit.ok_or(Reason::OtherProtocol)?;
    let target = backend(tables, hit.word.backend())?;
    let is_its = target.mode == ForwardingMode::Tun as u8
        && target.family() == F::Tuple::FAMILY as u8
        && target.address() == complaint.end;
    if !is_its || hit.word.is_reply() {
        return Err(Reason::OtherProtocol);
    }
    // SAFETY: the header was checked when it was read.
    let is_whole = !I::FRAGMENTS || unsafe { I::is_whole(inner.header) };
    let may_tell = is_whole || settings.quiet_without_df == 0;
    let message = message::<F, I>(complaint, may_tell)?;
    let link = complaint.link;
    let macs = link.read_header();
    if !frame.grow(-complaint.before.cast_signed()) {
        return Err(Reason::NoRoom);
    }
    let start = Cursor::new(frame.start(), frame.end()).peek::<LONGEST_LINK>()?;
    // SAFETY: checked just above.
    unsafe { put_link(start, &macs, link.len, I::ETHER_TYPE) };
    let scratch = tables.scratch().ok_or(Reason::Inconsistent)?;
    // SAFETY: this CPU's.
    unsafe { (*scratch).answerer = 0 };
    let link = Link {
        ether_type: I::ETHER_TYPE,
        ..link
    };
    Ok(later(tables, message, link.to_bits()))
}

/// The same for the packet within; a packet that is too big may have the size without the tunnel's header.
///
/// # Errors
/// [`Reason::TunnelError`] if nobody is to be told that.
#[inline(always)]
fn message<F: Icmp, I: Icmp>(complaint: &Complaint, may_tell: bool) -> Result<Message, Reason> {
    if complaint.kind == F::TOO_BIG {
        let size = complaint.size.saturating_sub(F::HEADER as u32);
        if size < I::SMALLEST_MTU || !may_tell {
            return Err(Reason::TunnelError);
        }
        return Ok(Message::new(Notice::TooBig, I::TOO_BIG, size));
    }
    let kind = complaint.kind.0;
    if kind == F::TIME_EXCEEDED.0 {
        Ok(Message::new(Notice::TimeExceeded, I::TIME_EXCEEDED, 0))
    } else if kind == F::HOST_UNREACHABLE.0 {
        Ok(Message::new(Notice::Unreachable, I::HOST_UNREACHABLE, 0))
    } else {
        // A source quench, for one, is the tunnel's own matter.
        Err(Reason::TunnelError)
    }
}

//! ICMP errors about a tunnel to a backend: its client is told, as if the packet within had met what the
//! tunnel did (RFC 2003 section 4, RFC 2473 section 8; kernel: `ip_vs_in_icmp`).

use lvs_common::{ForwardingMode, Reason, flow::Tuple as _, map::Notice};

use super::{
    error::{IcmpError, Quote},
    icmp::Icmp,
    later,
    notice::Message,
};
use crate::{
    atomic::opaque,
    backend::backend,
    family::{Family, V4, V6},
    forward::{Outcome, put_link},
    kernel::{Frame, Tables},
    packet::Link,
    parse::{Cursor, start},
    table::find,
};

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
    let (error, mut cursor) = IcmpError::read::<F, X>(frame, link)?;
    match error.quote.network.protocol {
        V4::PROTOCOL => tell::<F, V4, K, X>(tables, frame, &mut cursor, &error),
        V6::PROTOCOL => tell::<F, V6, K, X>(tables, frame, &mut cursor, &error),
        _ => Err(Reason::OtherProtocol),
    }
}

/// Tells the sender of the packet of family `I` in a tunnel of family `F`.
#[inline(always)]
fn tell<F: Icmp, I: Icmp, K: Tables, X: Frame>(
    tables: &K,
    frame: X,
    cursor: &mut Cursor,
    error: &IcmpError,
) -> Result<Outcome, Reason> {
    let inner = Quote::read::<I>(cursor, error.quote.left)?;
    let tuple = inner.tuple::<I>(cursor)?;
    let settings = tables.settings().ok_or(Reason::Inconsistent)?;
    let hit = find::<I, K>(tables, settings, opaque(&tuple), tables.now());
    let hit = hit.ok_or(Reason::OtherProtocol)?;
    let target = backend(tables, hit.word.backend())?;
    let is_its = target.mode == ForwardingMode::Tun as u8
        && target.family() == F::Tuple::FAMILY as u8
        && target.address() == error.quote.destination;
    if !is_its || hit.word.is_reply() {
        return Err(Reason::OtherProtocol);
    }
    // SAFETY: the header was checked when it was read.
    let is_whole = !I::FRAGMENTS || unsafe { I::is_whole(inner.network.header) };
    let may_tell = is_whole || settings.quiet_without_df == 0;
    let message = message::<F, I>(error, may_tell)?;
    let link = error.link;
    let macs = link.read_header();
    if !frame.grow(-error.headers().cast_signed()) {
        return Err(Reason::NoRoom);
    }
    let start = start(frame)?;
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
fn message<F: Icmp, I: Icmp>(error: &IcmpError, may_tell: bool) -> Result<Message, Reason> {
    if error.kind == F::TOO_BIG {
        let size = error.size.saturating_sub(F::HEADER as u32);
        if size < I::SMALLEST_MTU || !may_tell {
            return Err(Reason::TunnelError);
        }
        return Ok(Message::new(Notice::TooBig, I::TOO_BIG, size));
    }
    let kind = error.kind.0;
    if kind == F::TIME_EXCEEDED.0 {
        Ok(Message::new(Notice::TimeExceeded, I::TIME_EXCEEDED, 0))
    } else if kind == F::HOST_UNREACHABLE.0 {
        Ok(Message::new(Notice::Unreachable, I::HOST_UNREACHABLE, 0))
    } else {
        // A source quench, for one, is the tunnel's own matter.
        Err(Reason::TunnelError)
    }
}

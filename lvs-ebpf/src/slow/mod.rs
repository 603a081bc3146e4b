//! The slow path: what becomes of packets that the walk itself has no way for. A program of its own,
//! with a stack of its own.

mod across;
mod error;
mod icmp;
mod limit;
mod notice;
mod quoted;
mod requote;
mod reset;
mod sum;
mod tunnelled;

use lvs_common::{NoBackend, Reason, map::Notice};

use crate::{
    family::{Family, V4, V6},
    forward::{Action, Outcome},
    kernel::{Frame, Tables},
    packet::Link,
    parse::{Cursor, ethernet},
    service::service,
    walk::parse,
};

use self::{icmp::Icmp, notice::notice, quoted::quoted, reset::reset, tunnelled::tunnelled};
pub use self::{notice::Message, sum::sum};

/// Whether there is something to do for packets that the walk ends with this reason.
#[inline(always)]
pub const fn is_slow(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::OtherProtocol | Reason::TtlExceeded | Reason::TooBig | Reason::NoBackend
    )
}

/// Does it. Yields the reason that counts, and what is to be done with the frame if it leaves.
#[inline(always)]
pub fn slow<K: Tables, X: Frame>(tables: &K, frame: X, reason: Reason) -> (Reason, Option<Action>) {
    let Ok(link) = ethernet(&mut Cursor::new(frame.start(), frame.end())) else {
        return (reason, None);
    };
    let bits = link.to_bits();
    let outcome = match link.ether_type {
        V4::ETHER_TYPE => slow_ip::<V4, K, X>(tables, frame, bits, reason),
        V6::ETHER_TYPE => slow_ip::<V6, K, X>(tables, frame, bits, reason),
        _ => return (reason, None),
    };
    // A packet that somebody is told about ends here, all the same.
    let is_icmp = reason as u32 == Reason::OtherProtocol as u32;
    if outcome.is_unknown() {
        let reason = if is_icmp { Reason::TunnelError } else { reason };
        return (reason, tell(tables, frame));
    }
    match outcome.interface() {
        Ok(interface) => {
            let action = Action::by(frame, interface);
            let reason = if is_icmp { action.reason() } else { reason };
            (reason, Some(action))
        }
        Err(reason) => (reason, None),
    }
}

/// What becomes of the frame; [`Outcome::UNKNOWN`]: it ends here, and its sender is told what is in the scratch.
#[inline(always)]
fn slow_ip<F: Icmp<Other: Icmp>, K: Tables, X: Frame>(
    tables: &K,
    frame: X,
    link: u64,
    reason: Reason,
) -> Outcome {
    let message = match reason {
        // Nobody is told about errors (RFC 1122 section 3.2.2).
        Reason::OtherProtocol => {
            let outcome = quoted::<F, K, X>(tables, frame, link);
            if outcome == Outcome::refused(Reason::OtherProtocol) {
                return tunnelled::<F, K, X>(tables, frame, link);
            }
            return outcome;
        }
        Reason::TtlExceeded => Ok(Message::new(Notice::TimeExceeded, F::TIME_EXCEEDED, 0)),
        Reason::TooBig => too_big::<F, K, X>(tables, frame, link),
        Reason::NoBackend => match no_backend::<F, K, X>(tables, frame, link) {
            Ok(None) => return reset::<F, K, X>(tables, frame, link),
            Ok(Some(message)) => Ok(message),
            Err(reason) => Err(reason),
        },
        reason => Err(reason),
    };
    match message {
        Ok(message) => later(tables, message, link),
        Err(reason) => Outcome::refused(reason),
    }
}

/// Has [`slow`] send this about the packet behind this [`Link::to_bits`].
#[inline(always)]
fn later<K: Tables>(tables: &K, message: Message, link: u64) -> Outcome {
    let Some(scratch) = tables.scratch() else {
        return Outcome::refused(Reason::Inconsistent);
    };
    // SAFETY: this CPU's.
    unsafe { (*scratch).notice = (message, link) };
    Outcome::UNKNOWN
}

/// Tells the sender. Whether that works or not, its packet ends here.
#[inline(always)]
fn tell<K: Tables, X: Frame>(tables: &K, frame: X) -> Option<Action> {
    // SAFETY: this CPU's, and just written.
    let (message, link) = unsafe { (*tables.scratch()?).notice };
    let told = match Link::ether_type_of(link) {
        V4::ETHER_TYPE => notice::<V4, K, X>(tables, frame, link, message),
        _ => notice::<V6, K, X>(tables, frame, link, message),
    };
    let interface = told.interface().ok()?;
    Some(Action::by(frame, interface))
}

/// RFC 1191, RFC 8201.
#[inline(always)]
fn too_big<F: Icmp, K: Tables, X: Frame>(
    tables: &K,
    frame: X,
    link: u64,
) -> Result<Message, Reason> {
    let scratch = tables.scratch().ok_or(Reason::Inconsistent)?;
    let settings = tables.settings().ok_or(Reason::Inconsistent)?;
    // SAFETY: this CPU's, and written when the packet was found too big.
    let mtu = unsafe { (*scratch).mtu };
    // Nobody may be told less (RFC 791 section 3.2, RFC 8200 section 5; kernel: `ip_vs_xmit.c`).
    if mtu < F::SMALLEST_MTU || settings.quiet_without_df != 0 && !says_df::<F, X>(frame, link) {
        return Err(Reason::TooBig);
    }
    Ok(Message::new(Notice::TooBig, F::TOO_BIG, mtu))
}

/// Whether it may not be fragmented on its way.
#[inline(always)]
fn says_df<F: Icmp, X: Frame>(frame: X, link: u64) -> bool {
    let packet = parse::<F, X>(frame, link);
    // SAFETY: the header was checked when it was read.
    packet.is_ok_and(|packet| !F::FRAGMENTS || unsafe { F::is_whole(packet.network.header) })
}

/// As its service has it; `None`: a RST.
#[inline(always)]
fn no_backend<F: Icmp, K: Tables, X: Frame>(
    tables: &K,
    frame: X,
    link: u64,
) -> Result<Option<Message>, Reason> {
    const DROP: u8 = NoBackend::Drop as u8;
    const RESET: u8 = NoBackend::Reset as u8;
    let scratch = tables.scratch().ok_or(Reason::Inconsistent)?;
    // SAFETY: this CPU's; it is a client's packet.
    unsafe { (*scratch).answerer = 0 };
    let packet = parse::<F, X>(frame, link)?;
    let service = service(tables, &F::service_key(&packet.tuple))?;
    match service.no_backend {
        DROP => Err(Reason::NoBackend),
        RESET if packet.is_tcp() => Ok(None),
        _ => Ok(Some(Message::new(
            Notice::Unreachable,
            F::PORT_UNREACHABLE,
            0,
        ))),
    }
}

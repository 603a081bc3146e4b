//! The slow path: what becomes of packets that the walk itself has no way for. A program of its own,
//! with a stack of its own.

mod icmp;
mod limit;
mod notice;
mod quoted;
mod requote;
mod reset;

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

use self::{
    icmp::Icmp,
    notice::{Message, notice},
    quoted::quoted,
    reset::reset,
};

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
    match link.ether_type {
        V4::ETHER_TYPE => slow_ip::<V4, K, X>(tables, frame, &link, reason),
        V6::ETHER_TYPE => slow_ip::<V6, K, X>(tables, frame, &link, reason),
        _ => (reason, None),
    }
}

#[inline(always)]
fn slow_ip<F: Icmp, K: Tables, X: Frame>(
    tables: &K,
    frame: X,
    link: &Link,
    reason: Reason,
) -> (Reason, Option<Action>) {
    if reason as u32 != Reason::OtherProtocol as u32 {
        // Whoever is told, the packet itself ends here.
        let told = tell::<F, K, X>(tables, frame, link, reason).interface();
        return (reason, told.ok().map(|by| Action::by(frame, by)));
    }
    // Nobody is told about errors (RFC 1122 section 3.2.2).
    match quoted::<F, K, X>(tables, frame, link.to_bits()).interface() {
        Ok(interface) => {
            let action = Action::by(frame, interface);
            (action.reason(), Some(action))
        }
        Err(reason) => (reason, None),
    }
}

/// Tells the sender why its packet ends here.
#[inline(always)]
fn tell<F: Icmp, K: Tables, X: Frame>(
    tables: &K,
    frame: X,
    link: &Link,
    reason: Reason,
) -> Outcome {
    let bits = link.to_bits();
    match reason {
        Reason::TtlExceeded => {
            let message = Message::new(Notice::TimeExceeded, F::TIME_EXCEEDED, 0);
            notice::<F, K, X>(tables, frame, bits, message, reason)
        }
        Reason::TooBig => too_big::<F, K, X>(tables, frame, bits),
        Reason::NoBackend => no_backend::<F, K, X>(tables, frame, bits),
        _ => Outcome::refused(reason),
    }
}

/// RFC 1191, RFC 8201.
#[inline(always)]
fn too_big<F: Icmp, K: Tables, X: Frame>(tables: &K, frame: X, link: u64) -> Outcome {
    let refused = Outcome::refused(Reason::TooBig);
    let (Some(scratch), Some(settings)) = (tables.scratch(), tables.settings()) else {
        return refused;
    };
    // SAFETY: this CPU's, and written when the packet was found too big.
    let mtu = unsafe { (*scratch).mtu };
    // Nobody may be told less (RFC 791 section 3.2, RFC 8200 section 5; kernel: `ip_vs_xmit.c`).
    if mtu < F::SMALLEST_MTU || settings.quiet_without_df != 0 && !says_df::<F, X>(frame, link) {
        return refused;
    }
    let message = Message::new(Notice::TooBig, F::TOO_BIG, mtu);
    notice::<F, K, X>(tables, frame, link, message, Reason::TooBig)
}

/// Whether it may not be fragmented on its way.
#[inline(always)]
fn says_df<F: Icmp, X: Frame>(frame: X, link: u64) -> bool {
    let packet = parse::<F, X>(frame, link);
    // SAFETY: the header was checked when it was read.
    packet.is_ok_and(|packet| !F::FRAGMENTS || unsafe { F::is_whole(packet.network.header) })
}

/// As its service has it.
#[inline(always)]
fn no_backend<F: Icmp, K: Tables, X: Frame>(tables: &K, frame: X, link: u64) -> Outcome {
    let policy = || {
        let packet = parse::<F, X>(frame, link)?;
        let service = service(tables, &F::service_key(&packet.tuple))?;
        Ok((service.no_backend, packet.is_tcp()))
    };
    let (policy, is_tcp) = match policy() {
        Ok(found) => found,
        Err(reason) => return Outcome::refused(reason),
    };
    if policy == NoBackend::Drop as u8 {
        return Outcome::refused(Reason::NoBackend);
    }
    if policy == NoBackend::Reset as u8 && is_tcp {
        return reset::<F, K, X>(tables, frame, link);
    }
    let message = Message::new(Notice::Unreachable, F::PORT_UNREACHABLE, 0);
    notice::<F, K, X>(tables, frame, link, message, Reason::NoBackend)
}

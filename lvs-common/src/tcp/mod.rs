//! The TCP state machine of IPVS (`net/netfilter/ipvs/ip_vs_proto_tcp.c`).

mod state;
mod transition;

pub use state::State;
pub use transition::{Direction, Event, TRANSITIONS, next};

/// FIN of the flags byte of a TCP header (RFC 9293 section 3.1).
pub const FIN: u8 = 0x01;
/// SYN of the flags byte.
pub const SYN: u8 = 0x02;
/// RST of the flags byte.
pub const RST: u8 = 0x04;
/// ACK of the flags byte.
pub const ACK: u8 = 0x10;

/// Whether a segment may open a connection: SYN, with or without ACK, and no RST (kernel:
/// `tcp_conn_schedule`).
#[inline(always)]
pub const fn opens(flags: u8) -> bool {
    flags & (SYN | RST) == SYN
}

/// Whether a segment on the tuple of a finished connection begins another: a plain SYN. One with ACK
/// answers somebody, and goes where the connection's segments went.
#[inline(always)]
pub const fn begins(flags: u8) -> bool {
    flags & (SYN | ACK | RST) == SYN
}

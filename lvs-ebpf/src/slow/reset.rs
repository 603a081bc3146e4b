//! RST (RFC 9293 section 3.10.7.1, "if the state is CLOSED").

use core::mem::offset_of;

use lvs_common::{
    Reason,
    map::Notice,
    tcp::{ACK, FIN, RST, SYN},
};
use network_types::tcp::TcpHdr;

use super::{icmp::Icmp, limit::may_notify, notice::HOPS};
use crate::{
    atomic::bounded,
    family::Fields,
    forward::{Outcome, write_link},
    gateway::way_back,
    kernel::{Frame, Tables},
    parse::{read, start, write},
    walk::parse,
};

const SEQUENCE: usize = offset_of!(TcpHdr, seq);
const ACKNOWLEDGMENT: usize = offset_of!(TcpHdr, ack_seq);
/// Offset of the length of the header, in the high half of its byte.
const LENGTH: usize = 12;
/// Offset of the checksum.
const CHECKSUM: usize = 16;

/// Makes the frame of a TCP segment the RST that refuses it.
#[inline(never)]
pub(super) fn reset<F: Icmp, K: Tables, X: Frame>(tables: &K, frame: X, link: u64) -> Outcome {
    Outcome::of(try_reset::<F, K, X>(tables, frame, link))
}

#[inline(always)]
fn try_reset<F: Icmp, K: Tables, X: Frame>(
    tables: &K,
    frame: X,
    link: u64,
) -> Result<Outcome, Reason> {
    let packet = parse::<F, X>(frame, link)?;
    let (client, service) = F::addresses(&packet.tuple);
    if packet.tcp_flags & RST != 0 || !F::is_host(&client) {
        return Err(Reason::NoBackend);
    }
    let way = way_back::<F, K, X>(tables, frame, &packet.link, &client, &service)?;
    if !may_notify(tables, &client) {
        return Err(Reason::NoBackend);
    }
    let at = packet.link.len + packet.network.header_len();
    let segment = frame
        .start()
        .wrapping_add(bounded::<127>(u64::from(at)) as usize);
    if segment.wrapping_add(TcpHdr::LEN) > frame.end() {
        return Err(Reason::Inconsistent);
    }
    // SAFETY: checked just above.
    let refusal = unsafe { refusal(segment, packet.network.payload, packet.tcp_flags) };

    if !frame.cut(at + TcpHdr::LEN as u32) {
        return Err(Reason::NoBackend);
    }
    let wanted = way.link_len() + F::HEADER as u32;
    let grow = wanted.cast_signed() - at.cast_signed();
    if !frame.grow(grow) {
        return Err(Reason::NoRoom);
    }
    let start = start(frame)?;
    let network = start.wrapping_add(bounded::<31>(u64::from(way.link_len())) as usize);
    let segment = network.wrapping_add(F::HEADER);
    if segment.wrapping_add(TcpHdr::LEN) > frame.end() {
        return Err(Reason::Inconsistent);
    }
    let fields = Fields {
        source: service,
        destination: client,
        payload: TcpHdr::LEN as u16,
        protocol: packet.network.protocol,
        class: 0,
        hops: HOPS,
        identification: None,
    };
    let [ports, sequence, acknowledged, length_and_flags] = refusal;
    let sum = fields.pseudo_header().with_words(refusal);
    // SAFETY: checked just above.
    unsafe {
        write_link(start, &way, F::ETHER_TYPE);
        F::write_header(network, &fields);
        write(segment, 0, ports);
        write(segment, SEQUENCE, sequence);
        write(segment, ACKNOWLEDGMENT, acknowledged);
        write(segment, LENGTH, length_and_flags);
        write(segment, CHECKSUM, u32::from(sum.checksum()));
    }
    tables.count_notice(Notice::Reset as u32);
    Ok(Outcome::sent(&way))
}

/// The header that refuses a segment with so many bytes, but for its last word: there is the checksum.
///
/// # Safety
/// The segment must have a whole header.
#[inline(always)]
unsafe fn refusal(segment: *const u8, bytes: u32, flags: u8) -> [u32; 4] {
    // SAFETY: the caller's.
    let (ports, sequence, acknowledged, length): (u32, u32, u32, u8) = unsafe {
        (
            read(segment, 0),
            read(segment, SEQUENCE),
            read(segment, ACKNOWLEDGMENT),
            read(segment, LENGTH),
        )
    };
    let header = u32::from(length >> 4) * 4;
    let data = bytes.saturating_sub(header);
    let count = |flag: u8| u32::from(flags & flag != 0);
    let end = u32::from_be(sequence)
        .wrapping_add(data)
        .wrapping_add(count(SYN) + count(FIN));
    let (sequence, acknowledged, flags) = if flags & ACK != 0 {
        (acknowledged, 0, RST)
    } else {
        (0, end.to_be(), RST | ACK)
    };
    let length_and_flags = 5 << 4 | u32::from(flags) << 8;
    [
        ports.rotate_left(16),
        sequence,
        acknowledged,
        length_and_flags,
    ]
}

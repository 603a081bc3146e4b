//! What the balancer has to write to the sender of a packet that ends at it.

use std::net::IpAddr;

use lvs_common::{
    Family,
    bucket::{PARTS, Rate},
};
use lvs_tests::packet::Frame;

use crate::modes::network::Tags;

/// So many that no test gets to the end of them.
pub(crate) const MANY: Rate = Rate {
    per_tick: 0,
    burst: 1_000_000 * PARTS,
};

/// Exactly so many, however long it takes.
pub(crate) const fn exactly(count: u32) -> Rate {
    Rate {
        per_tick: 0,
        burst: count * PARTS,
    }
}

/// TTL or hop limit of what the balancer sends.
const HOPS: u8 = 64;

/// The family of a packet.
const fn family(frame: &Frame) -> Family {
    if frame.ip().source.is_ipv4() {
        Family::Ipv4
    } else {
        Family::Ipv6
    }
}

/// The ICMP error about a packet that came with these tags, from `source`: it quotes what fits into the
/// smallest packet that everybody takes (RFC 1812 section 4.3.2.3, RFC 4443 section 2.4), in whole words.
pub(crate) fn error(frame: &Frame, tags: Tags, source: IpAddr, kind: (u8, u8), size: u32) -> Frame {
    let bytes = frame.bytes();
    let packet = &bytes[frame.ip_offset()..];
    let (most, class) = match family(frame) {
        // Internetwork control (RFC 1812 section 4.3.2.5), as the kernel's `icmp_send` has it.
        Family::Ipv4 => (548, frame.ip().traffic_class & 0x1e | 0xc0),
        Family::Ipv6 => (1232, 0),
    };
    let quoted = packet.len().min(most) & !3;
    let error = Frame::icmp(
        source,
        frame.ip().source,
        kind,
        size,
        packet[..quoted].to_vec(),
    );
    back(error, frame, tags).traffic_class(class)
}

/// The header of what goes back by the way that `frame` came.
pub(crate) fn back(reply: Frame, frame: &Frame, tags: Tags) -> Frame {
    let way = frame.back();
    reply
        .tags(tags.header())
        .to_mac(way.to)
        .from_mac(way.from)
        .hops(HOPS)
        .identification(0)
}

/// Type and code of "time exceeded in transit".
pub(crate) const fn time_exceeded(family: Family) -> (u8, u8) {
    match family {
        Family::Ipv4 => (11, 0),
        Family::Ipv6 => (3, 0),
    }
}

/// Of "fragmentation needed", or "packet too big".
pub(crate) const fn too_big(family: Family) -> (u8, u8) {
    match family {
        Family::Ipv4 => (3, 4),
        Family::Ipv6 => (2, 0),
    }
}

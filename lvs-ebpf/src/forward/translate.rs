//! Giving a packet other addresses and ports, and its frame another header.

use core::mem::offset_of;

use lvs_common::{Protocol, Reason, checksum::Delta, flow::Tuple as _, map::NextHop};
use network_types::udp::UdpHdr;

use super::{Outcome, frame::write_header};
use crate::{
    atomic::bounded,
    family::Family,
    kernel::Frame,
    packet::Shape,
    parse::{read, write},
};

/// Offset of the checksum in a TCP header; network-types has it behind single bits.
const TCP_CHECKSUM: usize = 16;
const UDP_CHECKSUM: usize = offset_of!(UdpHdr, check);
/// Bytes of both ports, and of a checksum.
const PORTS: usize = 4;
const CHECKSUM: usize = 2;

/// Gives a packet of TCP or UDP the addresses and ports of `to`, if there is one, and its frame the
/// header that the next hop needs, with other tags or none. Takes one off the TTL or hop limit.
///
/// Checksums follow by what was changed (RFC 1624). A UDP datagram that has none (RFC 768, and over IPv6
/// RFC 6935) gets none: the kernel's IPVS computes one.
#[inline(never)]
pub fn translate<F: Family, X: Frame>(
    frame: X,
    shape: Shape,
    to: Option<&F::Tuple>,
    next_hop: &NextHop,
) -> Outcome {
    let link = next_hop.link_len();
    let grow = link.cast_signed() - shape.link().cast_signed();
    if grow != 0 && !frame.grow(grow) {
        return Outcome::refused(Reason::NoRoom);
    }
    let start = frame.start();
    let network = start.wrapping_add(bounded::<31>(u64::from(link)) as usize);
    let transport = network.wrapping_add(bounded::<63>(u64::from(shape.network())) as usize);
    let is_tcp = shape.protocol() == Protocol::Tcp as u8;
    let checksum_at = if is_tcp { TCP_CHECKSUM } else { UDP_CHECKSUM };
    let checksum = transport.wrapping_add(bounded::<31>(checksum_at as u64) as usize);
    let reaches = |header: *mut u8, len: usize| header.wrapping_add(len) <= frame.end();
    // The verifier wants to see once more that all this is there.
    if !reaches(network, F::HEADER) || !reaches(transport, PORTS) || !reaches(checksum, CHECKSUM) {
        return Outcome::refused(Reason::Inconsistent);
    }
    // SAFETY: there are as many bytes by the check above, here and below.
    unsafe { write_header(start, next_hop, F::ETHER_TYPE) };
    let mut changed = Delta::NONE;
    let Some(to) = to else {
        // SAFETY: as above.
        unsafe { F::take_hop(network, changed) };
        return Outcome::sent(next_hop);
    };
    let words = to.words();
    let (last, addresses) = (words[words.len() - 1], &words[..words.len() - 1]);
    for (i, new) in addresses.iter().enumerate() {
        let at = F::ADDRESSES + 8 * i;
        // SAFETY: as above.
        unsafe {
            changed = changed.replace(read(network, at), *new);
            write(network, at, *new);
        }
    }
    // SAFETY: as above.
    unsafe {
        F::take_hop(network, changed);
        let ports: u32 = read(transport, 0);
        changed = changed.replace(ports.into(), u64::from(last as u32));
        write(transport, 0, last as u32);
        let sum: u16 = read(checksum, 0);
        if is_tcp {
            write(checksum, 0, changed.apply(sum));
        } else if sum != 0 {
            write(checksum, 0, udp(changed.apply(sum)));
        }
    }
    Outcome::sent(next_hop)
}

/// A checksum of UDP: 0 would mean that there is none (RFC 768).
#[inline(always)]
const fn udp(sum: u16) -> u16 {
    if sum == 0 { u16::MAX } else { sum }
}

//! What a frame is, read from its bytes in the plainest way: the yardstick for the walk's parser.

use lvs_common::{
    Protocol, Reason,
    flow::{Tuple4, Tuple6},
    map::MAX_TAGS,
};

use super::flows::AnyTuple;

pub(super) const IPV4: u16 = 0x0800;
pub(super) const IPV6: u16 = 0x86dd;
const TAGS: [u16; 2] = [0x8100, 0x88a8];
/// Bytes of an Ethernet header with two tags: no IP packet fits into a frame that is shorter.
pub(super) const SHORTEST: usize = 22;
/// Next header of a fragment of IPv6.
const FRAGMENT6: u8 = 44;

/// A frame that carries TCP or UDP in one piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// Where the IP header starts.
    pub network: usize,
    /// Bytes of the IP packet.
    pub len: usize,
    /// TTL or hop limit.
    pub hops: u8,
    /// VLAN ids, outermost first; 0: no tag.
    pub tags: [u16; MAX_TAGS],
    /// Bytes of the IP header.
    pub header: usize,
    /// Addresses, ports and protocol.
    pub tuple: AnyTuple,
    /// The flags byte of TCP; 0 for UDP.
    pub tcp_flags: u8,
}

impl Reading {
    /// Where the TTL or hop limit is.
    pub const fn hops_at(&self) -> usize {
        match self.tuple {
            AnyTuple::V4(_) => self.network + 8,
            AnyTuple::V6(_) => self.network + 7,
        }
    }

    /// Where the addresses are in the IP packet: from, to.
    pub const fn addresses_at(&self) -> (usize, usize) {
        match self.tuple {
            AnyTuple::V4(_) => (12, 20),
            AnyTuple::V6(_) => (8, 40),
        }
    }

    /// Where the first `len` bytes of the transport header are in the IP packet: from, to.
    pub const fn transport_at(&self, len: usize) -> (usize, usize) {
        (self.header, self.header + len)
    }

    /// Where the checksum of the transport header is in the IP packet: from, to.
    pub fn checksum_at(&self) -> (usize, usize) {
        let at = self.header
            + if self.tuple.protocol() == Protocol::Tcp as u8 {
                16
            } else {
                6
            };
        (at, at + 2)
    }
}

fn bytes<const N: usize>(frame: &[u8], at: usize) -> Result<[u8; N], Reason> {
    let found = frame.get(at..).and_then(|rest| rest.first_chunk());
    found.copied().ok_or(Reason::Truncated)
}

fn number(frame: &[u8], at: usize) -> Result<u16, Reason> {
    bytes(frame, at).map(u16::from_be_bytes)
}

fn word(frame: &[u8], at: usize) -> Result<u32, Reason> {
    bytes(frame, at).map(u32::from_le_bytes)
}

/// Reads a frame that came by an interface with this MAC address; `None`: by one that the program
/// is not attached to.
///
/// # Errors
/// The reason that the walk must have.
pub fn read(frame: &[u8], mac: Option<[u8; 6]>) -> Result<Reading, Reason> {
    if frame.len() < SHORTEST {
        return Err(Reason::Truncated);
    }
    let destination: [u8; 6] = bytes(frame, 0)?;
    let (tags, ether_type) = link(frame)?;
    if Some(destination) != mac {
        return Err(Reason::NotOurFrame);
    }
    let network = 14 + 4 * tags.iter().flatten().count();
    let tags = tags.map(Option::unwrap_or_default);
    match ether_type {
        IPV4 => read4(frame, network, tags),
        IPV6 => read6(frame, network, tags),
        _ => Err(Reason::NotIp),
    }
}

/// VLAN ids of a frame, outermost first, and the `EtherType` of what follows.
pub(super) fn link(frame: &[u8]) -> Result<([Option<u16>; MAX_TAGS], u16), Reason> {
    let mut tags = [None; MAX_TAGS];
    let mut at = 12;
    let mut ether_type = number(frame, at)?;
    for tag in &mut tags {
        if TAGS.contains(&ether_type) {
            *tag = Some(number(frame, at + 2)? & 0x0fff);
            at += 4;
            ether_type = number(frame, at)?;
        }
    }
    Ok((tags, ether_type))
}

fn read4(frame: &[u8], network: usize, tags: [u16; MAX_TAGS]) -> Result<Reading, Reason> {
    let header: [u8; 20] = bytes(frame, network)?;
    let header_len = usize::from(header[0] & 0xf) * 4;
    let len = usize::from(number(&header, 2)?);
    if header[0] >> 4 != 4 || header_len < 20 || len < header_len {
        return Err(Reason::BadHeader);
    }
    if frame.len() < network + len {
        return Err(Reason::Truncated);
    }
    // Either more fragments follow, or this one is not the first.
    if number(&header, 6)? & 0x3fff != 0 {
        return Err(Reason::Fragment);
    }
    let protocol = header[9];
    let payload = &frame[network + header_len..network + len];
    let (ports, tcp_flags) = transport(payload, protocol)?;
    Ok(Reading {
        network,
        len,
        hops: header[8],
        tags,
        header: header_len,
        tuple: Tuple4::new(word(&header, 12)?, word(&header, 16)?, ports, protocol).into(),
        tcp_flags,
    })
}

fn read6(frame: &[u8], network: usize, tags: [u16; MAX_TAGS]) -> Result<Reading, Reason> {
    let header: [u8; 40] = bytes(frame, network)?;
    if header[0] >> 4 != 6 {
        return Err(Reason::BadHeader);
    }
    let len = 40 + usize::from(number(&header, 4)?);
    if frame.len() < network + len {
        return Err(Reason::Truncated);
    }
    let protocol = header[6];
    if protocol == FRAGMENT6 {
        return Err(Reason::Fragment);
    }
    let (ports, tcp_flags) = transport(&frame[network + 40..network + len], protocol)?;
    let mut addresses = [[0; 4]; 2];
    for (i, part) in addresses.as_flattened_mut().iter_mut().enumerate() {
        *part = word(&header, 8 + 4 * i)?;
    }
    Ok(Reading {
        network,
        len,
        hops: header[7],
        tags,
        header: 40,
        tuple: Tuple6::new(addresses[0], addresses[1], ports, protocol).into(),
        tcp_flags,
    })
}

/// Ports as on the wire, and the flags byte of TCP.
fn transport(payload: &[u8], protocol: u8) -> Result<(u32, u8), Reason> {
    let (len, is_tcp) = match protocol {
        tcp if tcp == Protocol::Tcp as u8 => (20, true),
        udp if udp == Protocol::Udp as u8 => (8, false),
        _ => return Err(Reason::OtherProtocol),
    };
    if payload.len() < len {
        return Err(Reason::Truncated);
    }
    Ok((word(payload, 0)?, if is_tcp { payload[13] } else { 0 }))
}

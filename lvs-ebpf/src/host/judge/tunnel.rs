//! Tunnels in the plainest way: what is in one, and what is left of one that ends here.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use lvs_common::{Family, Reason};

use super::super::{memory::Memory, reading};
use crate::kernel::Tables as _;

const IPV4: u8 = 4;
const IPV6: u8 = 41;
/// Bytes of the outer header of an IPv6 tunnel, and of one of IPv4 without options.
const HEADER6: usize = 40;
const HEADER4: usize = 20;
/// Congestion experienced, in the last two bits of TOS or traffic class.
const CE: u8 = 3;

/// An outer header.
#[derive(Clone, Debug)]
pub(super) struct Outer {
    pub(super) source: IpAddr,
    pub(super) destination: IpAddr,
    pub(super) class: u8,
    pub(super) hops: u8,
    /// Of IPv4.
    pub(super) identification: u16,
    /// Of IPv4: "don't fragment".
    pub(super) is_whole: bool,
    /// Bytes of it.
    pub(super) len: usize,
}

/// Where the IP header of a frame is, and its EtherType.
fn network(frame: &[u8]) -> Option<(usize, u16)> {
    let (tags, ether_type) = reading::link(frame).ok()?;
    Some((14 + 4 * tags.iter().flatten().count(), ether_type))
}

/// The outer header of a tunnel, and the frame without it; `None` if it is none.
pub(super) fn peel(frame: &[u8]) -> Option<(Outer, Vec<u8>)> {
    let (at, ether_type) = network(frame)?;
    let header = frame.get(at..)?;
    let (outer, protocol, len) = match ether_type {
        reading::IPV4 => {
            let fixed: &[u8; HEADER4] = header.first_chunk()?;
            let len = usize::from(fixed[0] & 15) * 4;
            let total = usize::from(u16::from_be_bytes([fixed[2], fixed[3]]));
            let fragment = u16::from_be_bytes([fixed[6], fixed[7]]);
            if fixed[0] >> 4 != 4 || len < HEADER4 || total < len || fragment & 0x3fff != 0 {
                return None;
            }
            let address = |at: usize| Some(Ipv4Addr::from(*fixed[at..].first_chunk::<4>()?).into());
            let outer = Outer {
                source: address(12)?,
                destination: address(16)?,
                class: fixed[1],
                hops: fixed[8],
                identification: u16::from_be_bytes([fixed[4], fixed[5]]),
                is_whole: fragment & 0x4000 != 0,
                len,
            };
            (outer, fixed[9], total)
        }
        reading::IPV6 => {
            let fixed: &[u8; HEADER6] = header.first_chunk()?;
            if fixed[0] >> 4 != 6 {
                return None;
            }
            let address =
                |at: usize| Some(Ipv6Addr::from(*fixed[at..].first_chunk::<16>()?).into());
            let outer = Outer {
                source: address(8)?,
                destination: address(24)?,
                class: fixed[0] << 4 | fixed[1] >> 4,
                hops: fixed[7],
                identification: 0,
                is_whole: true,
                len: HEADER6,
            };
            let payload = usize::from(u16::from_be_bytes([fixed[4], fixed[5]]));
            (outer, fixed[6], HEADER6 + payload)
        }
        _ => return None,
    };
    let inner_type = match protocol {
        IPV4 => reading::IPV4,
        IPV6 => reading::IPV6,
        _ => return None,
    };
    if header.len() < len {
        return None;
    }
    let mut inner = frame[..at - 2].to_vec();
    inner.extend(inner_type.to_be_bytes());
    inner.extend(&frame[at + outer.len..]);
    Some((outer, inner))
}

/// What is left of a frame in which a tunnel ends; `None`: none does.
///
/// # Errors
/// The reason why it may not.
pub(super) fn strip(
    memory: &Memory,
    mac: Option<[u8; 6]>,
    frame: &[u8],
) -> Result<Option<Vec<u8>>, Reason> {
    let is_ours = frame.len() >= reading::SHORTEST && frame.first_chunk().copied() == mac;
    let Some((outer, mut inner)) = peel(frame).filter(|_| is_ours) else {
        return Ok(None);
    };
    if memory.settings.endpoints == 0 || !memory.is_endpoint(&outer.destination.into()) {
        return Ok(None);
    }
    if !memory.may_tunnel(&outer.source.into()) {
        return Err(Reason::TunnelSource);
    }
    let (at, ether_type) = network(&inner).ok_or(Reason::Truncated)?;
    let (family, needed) = match ether_type {
        reading::IPV4 => (Family::Ipv4, HEADER4),
        _ => (Family::Ipv6, HEADER6),
    };
    let (outer_at, outer_type) = network(frame).ok_or(Reason::Truncated)?;
    let len_at = outer_at + if outer_type == reading::IPV4 { 2 } else { 4 };
    let told = usize::from(u16::from_be_bytes([frame[len_at], frame[len_at + 1]]));
    let payload = match outer_type {
        reading::IPV4 => told - outer.len,
        _ => told,
    };
    if payload < needed {
        return Err(Reason::Truncated);
    }
    if inner[at] >> 4 != family as u8 {
        return Err(Reason::BadHeader);
    }
    if outer.class & CE == CE {
        tell(&mut inner[at..], family)?;
    }
    Ok(Some(inner))
}

/// Tells an inner packet that there was congestion.
fn tell(packet: &mut [u8], family: Family) -> Result<(), Reason> {
    let ecn = match family {
        Family::Ipv4 => packet[1] & CE,
        Family::Ipv6 => packet[1] >> 4 & CE,
    };
    if ecn == 0 {
        return Err(Reason::TunnelCongested);
    }
    match family {
        Family::Ipv6 => packet[1] |= CE << 4,
        Family::Ipv4 if ecn == CE => {}
        Family::Ipv4 => {
            // RFC 1624 equation 3, on the 16-bit word that TOS is the low byte of.
            let word = |packet: &[u8], at: usize| u16::from_be_bytes([packet[at], packet[at + 1]]);
            let (old, sum) = (word(packet, 0), word(packet, 10));
            packet[1] |= CE;
            let mut new = u32::from(!sum) + u32::from(!old) + u32::from(word(packet, 0));
            while new > 0xffff {
                new = (new & 0xffff) + (new >> 16);
            }
            packet[10..12].copy_from_slice(&(!(new as u16)).to_be_bytes());
        }
    }
    Ok(())
}

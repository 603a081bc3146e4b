//! IPv6 (RFC 8200) whose payload follows the fixed header.

use core::mem::offset_of;

use lvs_common::Reason;
use network_types::ip::{IpProto, Ipv6Hdr};

use super::{Cursor, read};
use crate::packet::Network;

/// Offset of the hop limit in the header.
pub const HOP_LIMIT: usize = offset_of!(Ipv6Hdr, hop_limit);

/// Reads the header of a packet that is all there and in one piece; yields it with source and destination,
/// as on the wire.
///
/// # Errors
/// [`Reason::Truncated`], [`Reason::BadHeader`], [`Reason::Fragment`].
#[inline(always)]
pub fn ipv6(cursor: &mut Cursor) -> Result<(Network, [u32; 4], [u32; 4]), Reason> {
    let (network, source, destination) = quoted_ipv6(cursor)?;
    if !cursor.reaches(network.header, network.len) {
        return Err(Reason::Truncated);
    }
    if network.protocol == IpProto::Ipv6Frag as u8 {
        return Err(Reason::Fragment);
    }
    Ok((network, source, destination))
}

/// Reads the header of a packet that is quoted: the frame may not have all of it.
///
/// # Errors
/// [`Reason::Truncated`], [`Reason::BadHeader`].
#[inline(always)]
pub fn quoted_ipv6(cursor: &mut Cursor) -> Result<(Network, [u32; 4], [u32; 4]), Reason> {
    let header = cursor.take::<{ Ipv6Hdr::LEN }>()?;
    // SAFETY: the header was checked just above, here and for the reads below.
    let version: u8 = unsafe { read(header, offset_of!(Ipv6Hdr, vcf)) };
    if version >> 4 != 6 {
        return Err(Reason::BadHeader);
    }
    // SAFETY: as above.
    let (payload, hops, protocol): (u16, u8, u8) = unsafe {
        (
            read(header, offset_of!(Ipv6Hdr, payload_len)),
            read(header, HOP_LIMIT),
            read(header, offset_of!(Ipv6Hdr, next_hdr)),
        )
    };
    // SAFETY: as above.
    let (source, destination) = unsafe {
        (
            words(header, offset_of!(Ipv6Hdr, src_addr)),
            words(header, offset_of!(Ipv6Hdr, dst_addr)),
        )
    };
    let payload = u32::from(u16::from_be(payload));
    Ok((
        Network {
            header,
            len: payload + Ipv6Hdr::LEN as u32,
            payload,
            hops,
            protocol,
        },
        source,
        destination,
    ))
}

/// # Safety
/// As for [`read`], of sixteen bytes.
#[inline(always)]
unsafe fn words(header: *const u8, offset: usize) -> [u32; 4] {
    // SAFETY: the caller's.
    unsafe {
        [
            read(header, offset),
            read(header, offset + 4),
            read(header, offset + 8),
            read(header, offset + 12),
        ]
    }
}

//! IPv6 (RFC 8200) whose payload follows the fixed header.

use core::mem::offset_of;

use lvs_common::Reason;
use network_types::ip::{IpProto, Ipv6Hdr};

use super::{Cursor, read};
use crate::packet::Network;

/// Offset of the hop limit in the header.
pub const HOP_LIMIT: usize = offset_of!(Ipv6Hdr, hop_limit);

/// Reads the header; yields it with source and destination, as on the wire.
///
/// # Errors
/// [`Reason::Truncated`], [`Reason::BadHeader`], [`Reason::Fragment`].
#[inline(always)]
pub fn ipv6(cursor: &mut Cursor) -> Result<(Network, [u32; 4], [u32; 4]), Reason> {
    let header = cursor.take::<{ Ipv6Hdr::LEN }>()?;
    // SAFETY: the header was checked just above, here and for the reads below.
    let version: u8 = unsafe { read(header, offset_of!(Ipv6Hdr, vcf)) };
    if version >> 4 != 6 {
        return Err(Reason::BadHeader);
    }
    // SAFETY: as above.
    let payload: u16 = unsafe { read(header, offset_of!(Ipv6Hdr, payload_len)) };
    let payload = u32::from(u16::from_be(payload));
    let len = payload + Ipv6Hdr::LEN as u32;
    if !cursor.reaches(header, len) {
        return Err(Reason::Truncated);
    }
    // SAFETY: as above.
    let protocol: u8 = unsafe { read(header, offset_of!(Ipv6Hdr, next_hdr)) };
    if protocol == IpProto::Ipv6Frag as u8 {
        return Err(Reason::Fragment);
    }
    // SAFETY: as above.
    let (hops, source, destination) = unsafe {
        (
            read(header, HOP_LIMIT),
            words(header, offset_of!(Ipv6Hdr, src_addr)),
            words(header, offset_of!(Ipv6Hdr, dst_addr)),
        )
    };
    Ok((
        Network {
            header,
            len,
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

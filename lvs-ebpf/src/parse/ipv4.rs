//! IPv4 with options (RFC 791).

use core::mem::offset_of;

use lvs_common::Reason;
use network_types::ip::Ipv4Hdr;

use super::{Cursor, read};
use crate::{atomic::bounded, packet::Network};

/// Offset of the TTL in the header.
pub const TTL: usize = offset_of!(Ipv4Hdr, ttl);

/// More-fragments flag and fragment offset.
const FRAGMENT: u16 = 0x3fff;

/// Reads the header; yields it with source and destination, as on the wire.
///
/// # Errors
/// [`Reason::Truncated`], [`Reason::BadHeader`], [`Reason::Fragment`].
#[inline(always)]
pub fn ipv4(cursor: &mut Cursor) -> Result<(Network, u32, u32), Reason> {
    let header = cursor.take::<{ Ipv4Hdr::LEN }>()?;
    // SAFETY: the header was checked just above, here and for the reads below.
    let version_and_len: u8 = unsafe { read(header, offset_of!(Ipv4Hdr, vihl)) };
    let header_len = bounded::<0x3c>(u64::from(version_and_len) << 2) as usize;
    // SAFETY: as above.
    let total: u16 = unsafe { read(header, offset_of!(Ipv4Hdr, tot_len)) };
    let len = u32::from(u16::from_be(total));
    if version_and_len >> 4 != 4 || header_len < Ipv4Hdr::LEN || (len as usize) < header_len {
        return Err(Reason::BadHeader);
    }
    if !cursor.reaches(header, len) {
        return Err(Reason::Truncated);
    }
    // SAFETY: as above.
    let fragment: u16 = unsafe { read(header, offset_of!(Ipv4Hdr, frags)) };
    if u16::from_be(fragment) & FRAGMENT != 0 {
        return Err(Reason::Fragment);
    }
    cursor.skip(header_len - Ipv4Hdr::LEN);
    // SAFETY: as above.
    let (hops, protocol, source, destination) = unsafe {
        (
            read(header, TTL),
            read(header, offset_of!(Ipv4Hdr, proto)),
            read(header, offset_of!(Ipv4Hdr, src_addr)),
            read(header, offset_of!(Ipv4Hdr, dst_addr)),
        )
    };
    Ok((
        Network {
            header,
            len,
            payload: len - header_len as u32,
            hops,
            protocol,
        },
        source,
        destination,
    ))
}

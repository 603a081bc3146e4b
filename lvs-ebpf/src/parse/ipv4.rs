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
/// The offset alone.
const OFFSET: u16 = 0x1fff;

/// Reads the header of a packet that is all there and in one piece; yields it with source and destination,
/// as on the wire.
///
/// # Errors
/// [`Reason::Truncated`], [`Reason::BadHeader`], [`Reason::Fragment`].
#[inline(always)]
pub fn ipv4(cursor: &mut Cursor) -> Result<(Network, u32, u32), Reason> {
    let network = header(cursor)?;
    if !cursor.reaches(network.header, network.len) {
        return Err(Reason::Truncated);
    }
    finish(cursor, network, FRAGMENT)
}

/// Reads the header of a packet that is quoted: the frame may not have all of it, nor need it be the whole
/// datagram, but its beginning.
///
/// # Errors
/// As for [`ipv4`].
#[inline(always)]
pub fn quoted_ipv4(cursor: &mut Cursor) -> Result<(Network, u32, u32), Reason> {
    let network = header(cursor)?;
    finish(cursor, network, OFFSET)
}

/// The fixed part of the header; the cursor is behind it then.
#[inline(always)]
fn header(cursor: &mut Cursor) -> Result<Network, Reason> {
    let header = cursor.take::<{ Ipv4Hdr::LEN }>()?;
    // SAFETY: the header was checked just above, here and for the reads below.
    let version_and_len: u8 = unsafe { read(header, offset_of!(Ipv4Hdr, vihl)) };
    let header_len = bounded::<0x3c>(u64::from(version_and_len) << 2) as u32;
    // SAFETY: as above.
    let (total, hops, protocol): (u16, u8, u8) = unsafe {
        (
            read(header, offset_of!(Ipv4Hdr, tot_len)),
            read(header, TTL),
            read(header, offset_of!(Ipv4Hdr, proto)),
        )
    };
    let len = u32::from(u16::from_be(total));
    if version_and_len >> 4 != 4 || (header_len as usize) < Ipv4Hdr::LEN || len < header_len {
        return Err(Reason::BadHeader);
    }
    Ok(Network {
        header,
        len,
        payload: len - header_len,
        hops,
        protocol,
    })
}

/// Skips the options of a packet that is no fragment as of these bits.
#[inline(always)]
fn finish(
    cursor: &mut Cursor,
    network: Network,
    fragment: u16,
) -> Result<(Network, u32, u32), Reason> {
    let header = network.header;
    // SAFETY: the fixed part was checked when it was read.
    let (word, source, destination): (u16, u32, u32) = unsafe {
        (
            read(header, offset_of!(Ipv4Hdr, frags)),
            read(header, offset_of!(Ipv4Hdr, src_addr)),
            read(header, offset_of!(Ipv4Hdr, dst_addr)),
        )
    };
    if u16::from_be(word) & fragment != 0 {
        return Err(Reason::Fragment);
    }
    let options = (network.len - network.payload) as usize - Ipv4Hdr::LEN;
    cursor.skip(bounded::<0x3c>(options as u64) as usize);
    Ok((network, source, destination))
}

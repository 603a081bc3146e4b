//! The Ethernet header of a frame that is sent on.

use lvs_common::map::NextHop;
use network_types::{
    eth::{EthHdr, EtherType},
    vlan::VlanHdr,
};

use crate::{
    packet::{LinkHeader, TAGS},
    parse::write,
};

/// Writes MAC addresses, tags and `EtherType` of a frame to a next hop.
///
/// A single tag is a customer's (IEEE 802.1Q), the outer one of two a service's (802.1ad).
///
/// # Safety
/// `header` must have as many bytes as [`NextHop::link_len`] says.
#[inline(always)]
pub(crate) unsafe fn write_header(header: *mut u8, next_hop: &NextHop, ether_type: u16) {
    // SAFETY: the caller's.
    unsafe {
        write_macs(header, next_hop);
        let [first, second] = next_hop.tags;
        let mut at = TAGS;
        if second != 0 {
            write(header, at, EtherType::Ieee8021ad as u16);
            write(header, at + 2, first.to_be());
            at += VlanHdr::LEN;
        }
        if first != 0 {
            let inner = if second != 0 { second } else { first };
            write(header, at, EtherType::Ieee8021q as u16);
            write(header, at + 2, inner.to_be());
            at += VlanHdr::LEN;
        }
        write(header, at, ether_type);
    }
}

/// Writes the MAC addresses alone.
///
/// # Safety
/// `header` must have twelve bytes.
#[inline(always)]
pub(super) unsafe fn write_macs(header: *mut u8, next_hop: &NextHop) {
    // SAFETY: the caller's.
    unsafe {
        write(header, 0, next_hop.macs[0]);
        write(header, 4, next_hop.macs[1]);
        write(header, 8, next_hop.macs[2]);
    }
}

/// Puts the copy of a header of so many bytes, its MAC addresses and tags, before an IP packet with this
/// `EtherType`.
///
/// # Safety
/// `header` must have as many bytes as the longest header.
#[inline(always)]
pub(crate) unsafe fn put_link(header: *mut u8, copy: &LinkHeader, len: u32, ether_type: u16) {
    // SAFETY: the caller's.
    unsafe {
        write(header, 0, copy.macs);
        // At constant offsets, for the verifier's sake.
        match (len as usize - EthHdr::LEN) / VlanHdr::LEN {
            0 => write(header, TAGS, ether_type),
            1 => {
                write(header, TAGS, copy.tags[0]);
                write(header, TAGS + VlanHdr::LEN, ether_type);
            }
            _ => {
                write(header, TAGS, copy.tags);
                write(header, TAGS + 2 * VlanHdr::LEN, ether_type);
            }
        }
    }
}

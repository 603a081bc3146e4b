//! Ethernet II and up to two VLAN tags (IEEE 802.1Q, 802.1ad).

use core::mem::offset_of;

use lvs_common::{Reason, map::MAX_TAGS};
use network_types::{
    eth::{EthHdr, EtherType},
    vlan::VlanHdr,
};

use super::{Cursor, read};
use crate::{atomic::is_zero, packet::Link};

const VLAN_ID: u16 = 0x0fff;
const CUSTOMER_TAG: u16 = EtherType::Ieee8021q as u16;
const SERVICE_TAG: u16 = EtherType::Ieee8021ad as u16;

/// Header and as many tags as there may be. Shorter frames cannot hold an IP packet.
pub const LONGEST_LINK: usize = EthHdr::LEN + MAX_TAGS * VlanHdr::LEN;

/// Reads the Ethernet header and the tags behind it.
///
/// Without branches: the verifier would follow all that comes after once for each number of tags.
///
/// # Errors
/// [`Reason::Truncated`]. A third tag is left as the EtherType that it is.
#[inline(always)]
pub fn ethernet(cursor: &mut Cursor) -> Result<Link, Reason> {
    let header = cursor.peek::<LONGEST_LINK>()?;
    // A tag's EtherType stands where that of a frame with one tag less stands, four bytes on.
    let ether_type = |tags: usize| -> u16 {
        let offset = offset_of!(EthHdr, ether_type) + tags * VlanHdr::LEN;
        // SAFETY: header and tags were checked just above.
        unsafe { read(header, offset) }
    };
    let id = |tag: usize| -> u16 {
        let offset = EthHdr::LEN + tag * VlanHdr::LEN + offset_of!(VlanHdr, tci);
        // SAFETY: as above.
        u16::from_be(unsafe { read(header, offset) }) & VLAN_ID
    };
    let first = is_tag(ether_type(0));
    let second = first & is_tag(ether_type(1));
    let inner = u64::from(ether_type(0)) & !first
        | u64::from(ether_type(1)) & first & !second
        | u64::from(ether_type(2)) & second;
    let tag_bytes = (first & VlanHdr::LEN as u64) + (second & VlanHdr::LEN as u64);
    cursor.skip(EthHdr::LEN + tag_bytes as usize);
    Ok(Link {
        header,
        ether_type: inner as u16,
        tags: [id(0) & first as u16, id(1) & second as u16],
        len: EthHdr::LEN as u32 + tag_bytes as u32,
    })
}

/// All ones if this EtherType is a tag's, else 0.
#[inline(always)]
fn is_tag(ether_type: u16) -> u64 {
    is_zero(u64::from(ether_type ^ CUSTOMER_TAG)) | is_zero(u64::from(ether_type ^ SERVICE_TAG))
}

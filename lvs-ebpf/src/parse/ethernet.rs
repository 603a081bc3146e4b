//! Ethernet II and up to two VLAN tags (IEEE 802.1Q, 802.1ad).

use core::mem::offset_of;

use lvs_common::{Reason, map::MAX_TAGS};
use network_types::{
    eth::{EthHdr, EtherType},
    vlan::VlanHdr,
};

use super::{Cursor, read};
use crate::packet::Link;

const VLAN_ID: u16 = 0x0fff;
const CUSTOMER_TAG: u16 = EtherType::Ieee8021q as u16;
const SERVICE_TAG: u16 = EtherType::Ieee8021ad as u16;

/// Reads the Ethernet header and the tags behind it.
///
/// # Errors
/// [`Reason::Truncated`]. A third tag is left as the EtherType that it is.
#[inline(always)]
pub fn ethernet(cursor: &mut Cursor) -> Result<Link, Reason> {
    let header = cursor.take::<{ EthHdr::LEN }>()?;
    // SAFETY: the header was checked just above.
    let mut ether_type: u16 = unsafe { read(header, offset_of!(EthHdr, ether_type)) };
    let mut tags = [0; MAX_TAGS];
    for id in &mut tags {
        if ether_type != CUSTOMER_TAG && ether_type != SERVICE_TAG {
            break;
        }
        let tag = cursor.take::<{ VlanHdr::LEN }>()?;
        // SAFETY: the tag was checked just above.
        let control: u16 = unsafe { read(tag, offset_of!(VlanHdr, tci)) };
        *id = u16::from_be(control) & VLAN_ID;
        // SAFETY: the tag was checked just above.
        ether_type = unsafe { read(tag, offset_of!(VlanHdr, ether_type)) };
    }
    Ok(Link {
        header,
        ether_type,
        tags,
    })
}

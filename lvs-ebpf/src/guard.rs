//! What must not reach the tables.

use lvs_common::{Reason, map::INTERFACE_SLOTS};

use crate::{
    kernel::{Frame, Tables},
    packet::Link,
    parse::read,
};

/// Lets through frames for the MAC address of the interface they came by: XDP also sees what a
/// switch floods and what a promiscuous interface overhears.
///
/// # Errors
/// [`Reason::NotOurFrame`].
#[inline(always)]
pub fn guard<K: Tables, X: Frame>(tables: &K, frame: X, link: &Link) -> Result<(), Reason> {
    let ingress = frame.ingress();
    let ours = tables
        .interface(ingress % INTERFACE_SLOTS)
        .ok_or(Reason::Inconsistent)?;
    // SAFETY: the Ethernet header was checked when it was parsed.
    let (head, tail): (u32, u16) = unsafe { (read(link.header, 0), read(link.header, 4)) };
    if ours.index == ingress && ours.mac_head == head && ours.mac_tail == tail {
        Ok(())
    } else {
        Err(Reason::NotOurFrame)
    }
}

//! Interfaces that the program is attached to.

use super::entry;

/// Entries of INTERFACES: an interface's entry is at its index modulo this.
pub const INTERFACE_SLOTS: u32 = 1024;

entry! {
    /// An attached interface.
    pub struct Interface {
        /// Its index, since indices share entries; 0 where there is none.
        pub index: u32,
        /// First four bytes of its MAC address, as on the wire.
        pub mac_head: u32,
        /// Last two bytes of its MAC address, as on the wire.
        pub mac_tail: u16,
        /// Zero.
        pub reserved: u16,
        /// Largest IP packet in bytes that it sends.
        pub mtu: u32,
    }
}

impl Interface {
    /// The entry of the interface with this index, MAC address and MTU.
    pub const fn new(index: u32, mac: [u8; 6], mtu: u32) -> Self {
        Self {
            index,
            mac_head: u32::from_le_bytes([mac[0], mac[1], mac[2], mac[3]]),
            mac_tail: u16::from_le_bytes([mac[4], mac[5]]),
            reserved: 0,
            mtu,
        }
    }
}

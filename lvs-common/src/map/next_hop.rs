//! Where a frame goes.

use super::{Address, entry};

/// VLAN tags that the program understands: 802.1Q within 802.1ad.
pub const MAX_TAGS: usize = 2;

entry! {
    /// Interface, MAC addresses and MTU that a frame to some neighbour needs; or this machine itself.
    pub struct NextHop {
        /// Index of the interface it leaves by; 0: it stays here.
        pub interface: u32,
        /// Largest IP packet in bytes.
        pub mtu: u32,
        /// Destination and source MAC address: the first twelve bytes of the frame.
        pub macs: [u32; 3],
        /// VLAN ids of the network, outermost first, 0 where there is no tag.
        pub tags: [u16; MAX_TAGS],
        /// Where tunnels to it begin: an address of this machine, of the family of the backend's.
        pub source: Address,
    }
}

impl NextHop {
    /// This machine itself.
    pub const LOCAL: Self = Self::new(0, u32::MAX, [0; 6], [0; 6]);

    /// An untagged neighbour behind an interface.
    pub const fn new(interface: u32, mtu: u32, destination: [u8; 6], source: [u8; 6]) -> Self {
        let (d, s) = (destination, source);
        let macs = [
            u32::from_le_bytes([d[0], d[1], d[2], d[3]]),
            u32::from_le_bytes([d[4], d[5], s[0], s[1]]),
            u32::from_le_bytes([s[2], s[3], s[4], s[5]]),
        ];
        Self {
            interface,
            mtu,
            macs,
            tags: [0; MAX_TAGS],
            source: Address::UNSPECIFIED,
        }
    }

    /// Whether it is this machine itself.
    #[inline(always)]
    pub const fn is_local(&self) -> bool {
        self.interface == 0
    }

    /// Bytes of the Ethernet header of a frame to it.
    #[inline(always)]
    pub const fn link_len(&self) -> u32 {
        14 + 4 * (self.tags[0] != 0) as u32 + 4 * (self.tags[1] != 0) as u32
    }
}

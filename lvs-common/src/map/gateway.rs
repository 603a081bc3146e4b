//! Where clients' packets come from, and answers to them go.

use super::{Address, Interface, MAX_TAGS, NextHop, entry};

/// Entries of GATEWAYS, of which 0 is nobody's: the hosts and routers that clients are behind.
pub const GATEWAY_SLOTS: u32 = 1 << 14;

entry! {
    /// The frame's end of a gateway: what its id is looked up by.
    pub struct GatewayKey {
        /// Index of the interface its frames come by.
        pub interface: u32,
        /// First four bytes of its MAC address, as on the wire.
        pub mac_head: u32,
        /// Last two bytes of it.
        pub mac_tail: u16,
        /// VLAN ids of its frames, outermost first; 0: no tag.
        pub tags: [u16; MAX_TAGS],
        /// Zero.
        pub reserved: u16,
    }
}

impl GatewayKey {
    /// The next hop back to it by that interface.
    #[inline(always)]
    pub const fn next_hop(&self, by: &Interface) -> NextHop {
        NextHop {
            interface: self.interface,
            mtu: by.mtu,
            macs: [
                self.mac_head,
                self.mac_tail as u32 | by.mac_head << 16,
                by.mac_head >> 16 | (by.mac_tail as u32) << 16,
            ],
            tags: self.tags,
            source: Address::UNSPECIFIED,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_back() {
        let (gateway, ours) = ([2, 0xaa, 3, 4, 5, 6], [2, 0xbb, 9, 8, 7, 1]);
        let key = GatewayKey {
            interface: 7,
            mac_head: u32::from_le_bytes([2, 0xaa, 3, 4]),
            mac_tail: u16::from_le_bytes([5, 6]),
            tags: [100, 0],
            reserved: 0,
        };
        let interface = Interface::new(7, ours, 1500);
        let hop = key.next_hop(&interface);
        let expected = NextHop {
            tags: [100, 0],
            ..NextHop::new(7, 1500, gateway, ours)
        };
        assert_eq!(hop, expected);
    }
}

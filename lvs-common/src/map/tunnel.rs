//! Where tunnels may end, and where they may come from.

use core::net::IpAddr;

use super::{Address, entry};
use crate::Family;

entry! {
    /// An address of this machine at which IP-IP tunnels end.
    pub struct Endpoint {
        /// The address.
        pub address: Address,
        /// Its [`Family`] number.
        pub family: u32,
    }
}

impl From<IpAddr> for Endpoint {
    fn from(address: IpAddr) -> Self {
        Self {
            address: address.into(),
            family: Family::from(address) as u32,
        }
    }
}

entry! {
    /// Data of a key of the longest-prefix trie `TUNNEL_SOURCES`: families do not mix.
    pub struct TunnelSource {
        /// [`Family`] number.
        pub family: u32,
        /// An address.
        pub address: Address,
    }
}

impl TunnelSource {
    /// Bits before those of the address.
    const HEAD: u32 = 32;

    /// Bits of a prefix that has so many of the address.
    pub const fn prefix(bits: u8) -> u32 {
        Self::HEAD + bits as u32
    }

    /// Bits of an address as a whole.
    pub const fn host(family: Family) -> u32 {
        match family {
            Family::Ipv4 => Self::prefix(32),
            Family::Ipv6 => Self::prefix(128),
        }
    }
}

impl From<IpAddr> for TunnelSource {
    fn from(address: IpAddr) -> Self {
        Self {
            family: Family::from(address) as u32,
            address: address.into(),
        }
    }
}

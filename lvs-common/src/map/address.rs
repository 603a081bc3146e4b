//! Addresses in map entries.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::entry;
use crate::Family;

entry! {
    /// An IPv4 or IPv6 address as it is on the wire; IPv4 fills the first word, the others are zero.
    /// Which of both it is stands beside it.
    pub struct Address {
        /// The four words, in network byte order.
        pub words: [u32; 4],
    }
}

impl Address {
    /// No address.
    pub const UNSPECIFIED: Self = Self { words: [0; 4] };

    /// The address with its family.
    pub fn to_ip(self, family: Family) -> IpAddr {
        let mut bytes = [0; 16];
        for (chunk, word) in bytes.chunks_exact_mut(4).zip(self.words) {
            chunk.copy_from_slice(&word.to_le_bytes());
        }
        match family {
            Family::Ipv4 => Ipv4Addr::new(bytes[0], bytes[1], bytes[2], bytes[3]).into(),
            Family::Ipv6 => Ipv6Addr::from(bytes).into(),
        }
    }
}

impl From<IpAddr> for Address {
    fn from(address: IpAddr) -> Self {
        let mut words = [0; 4];
        match address {
            IpAddr::V4(v4) => words[0] = u32::from_le_bytes(v4.octets()),
            IpAddr::V6(v6) => {
                for (word, chunk) in words.iter_mut().zip(v6.octets().chunks_exact(4)) {
                    *word = u32::from_le_bytes([chunk[0], chunk[1], chunk[2], chunk[3]]);
                }
            }
        }
        Self { words }
    }
}

impl From<IpAddr> for Family {
    fn from(address: IpAddr) -> Self {
        if address.is_ipv4() {
            Self::Ipv4
        } else {
            Self::Ipv6
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_families_come_back() {
        for text in ["10.0.0.29", "2001:db8::29", "::"] {
            let address: IpAddr = text.parse().unwrap();
            assert_eq!(Address::from(address).to_ip(address.into()), address);
        }
    }
}

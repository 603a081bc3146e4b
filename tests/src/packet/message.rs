//! ICMP and `ICMPv6`.

use std::net::IpAddr;

use etherparse::{IpNumber, PacketBuilder};

use super::IpHeader;

/// A message of either.
#[derive(Clone, Debug)]
pub(super) struct Message {
    /// Type and code.
    pub(super) kind: (u8, u8),
    /// What follows the checksum, as a number.
    pub(super) word: u32,
    /// What follows that.
    pub(super) body: Vec<u8>,
}

impl Message {
    /// Its IP packet with this header, which says which of both it is.
    pub(super) fn packet(&self, ip: &IpHeader) -> Vec<u8> {
        let (kind, code) = self.kind;
        let word = self.word.to_be_bytes();
        let mut packet = Vec::new();
        let written = match ip.source {
            IpAddr::V4(_) => PacketBuilder::ip(ip.headers(IpNumber::ICMP))
                .icmpv4_raw(kind, code, word)
                .write(&mut packet, &self.body),
            IpAddr::V6(_) => PacketBuilder::ip(ip.headers(IpNumber::IPV6_ICMP))
                .icmpv6_raw(kind, code, word)
                .write(&mut packet, &self.body),
        };
        assert!(written.is_ok(), "no such message: {written:?}");
        packet
    }
}

//! What differs between ICMP (RFC 792) and `ICMPv6` (RFC 4443).

use lvs_common::{checksum::Delta, map::Address};
use network_types::ip::IpProto;

use crate::family::{Family, Fields, V4, V6};

/// Bytes of the header of a message.
pub(super) const HEADER: usize = 8;
/// Offset of the checksum in it.
pub(super) const CHECKSUM: usize = 2;

/// A family's messages.
pub(super) trait Icmp: Family {
    /// IANA number of its protocol.
    const ICMP: u8;
    /// Type and code of "time exceeded in transit".
    const TIME_EXCEEDED: (u8, u8);
    /// Type and code of "fragmentation needed", or "packet too big".
    const TOO_BIG: (u8, u8);
    /// Type and code of "port unreachable".
    const PORT_UNREACHABLE: (u8, u8);
    /// The smallest MTU that there is.
    const SMALLEST_MTU: u32;
    /// Most bytes that a message quotes of a packet.
    const QUOTED: u32;

    /// Whether this may be the address of one host, of which no packet is made up.
    fn is_host(address: &Address) -> bool;
    /// DSCP and ECN of a message about a packet with these.
    fn notice_class(quoted: u8) -> u8;
    /// What the checksum covers of the IP header.
    fn pseudo(fields: &Fields) -> Delta;
}

/// RFC 791 section 3.2; messages have up to 576 bytes (RFC 1812 section 4.3.2.3).
impl Icmp for V4 {
    const ICMP: u8 = IpProto::Icmp as u8;
    const TIME_EXCEEDED: (u8, u8) = (11, 0);
    const TOO_BIG: (u8, u8) = (3, 4);
    const PORT_UNREACHABLE: (u8, u8) = (3, 3);
    const SMALLEST_MTU: u32 = 68;
    const QUOTED: u32 = 576 - (Self::HEADER + HEADER) as u32;

    /// Neither "this network", nor loopback, nor multicast and beyond.
    #[inline(always)]
    fn is_host(address: &Address) -> bool {
        let first = address.words[0] as u8;
        first != 0 && first != 127 && first < 224
    }

    /// Internetwork control, as the kernel does (`icmp_send`).
    #[inline(always)]
    fn notice_class(quoted: u8) -> u8 {
        quoted & 0x1e | 0xc0
    }

    #[inline(always)]
    fn pseudo(_fields: &Fields) -> Delta {
        Delta::NONE
    }
}

/// RFC 8200 section 5; messages have up to as many bytes (RFC 4443 section 2.4).
impl Icmp for V6 {
    const ICMP: u8 = IpProto::Ipv6Icmp as u8;
    const TIME_EXCEEDED: (u8, u8) = (3, 0);
    const TOO_BIG: (u8, u8) = (2, 0);
    const PORT_UNREACHABLE: (u8, u8) = (1, 4);
    const SMALLEST_MTU: u32 = 1280;
    const QUOTED: u32 = Self::SMALLEST_MTU - (Self::HEADER + HEADER) as u32;

    /// Neither unspecified, nor loopback, nor multicast.
    #[inline(always)]
    fn is_host(address: &Address) -> bool {
        let [a, b, c, d] = address.words;
        let is_low = a | b | c == 0 && u32::from_be(d) <= 1;
        a as u8 != 0xff && !is_low
    }

    #[inline(always)]
    fn notice_class(_quoted: u8) -> u8 {
        0
    }

    #[inline(always)]
    fn pseudo(fields: &Fields) -> Delta {
        Delta::NONE
            .with_words(fields.source.words)
            .with_words(fields.destination.words)
            .with(u32::from(fields.payload).to_be().into())
            .with(u32::from(fields.protocol).to_be().into())
    }
}

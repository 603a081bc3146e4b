//! What differs between ICMP (RFC 792) and `ICMPv6` (RFC 4443).

use lvs_common::{checksum::Delta, map::Address};
use network_types::ip::IpProto;

use crate::{
    family::{Family, Fields, V4, V6},
    parse::{read, write},
};

/// Bytes of the header of a message.
pub(super) const HEADER: usize = 8;
/// Offset of the checksum in it.
pub(super) const CHECKSUM: usize = 2;
/// Offset of the size that would do, of which [`Icmp::SIZE_MASK`] has the bits.
pub(super) const SIZE: usize = 4;

/// A family's messages.
pub(super) trait Icmp: Family {
    /// IANA number of its protocol.
    const ICMP: u8;
    /// Type and code of "time exceeded in transit".
    const TIME_EXCEEDED: (u8, u8);
    /// Type and code of "fragmentation needed", or "packet too big".
    const TOO_BIG: (u8, u8);
    /// The bits that a size may have.
    const SIZE_MASK: u32;
    /// Type and code of "host unreachable", or "address unreachable".
    const HOST_UNREACHABLE: (u8, u8);
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
    /// Whether messages of this type are errors, which quote a packet.
    fn is_error(kind: u8) -> bool;
    /// Type, code and size of the other family for an error; `None` if it has none (RFC 7915 sections 4.2
    /// and 5.2). What is too big may be bigger by the difference of the headers, or is smaller.
    fn across(kind: (u8, u8), size: u32) -> Option<((u8, u8), u32)>;
    /// What changes for the checksum where addresses change in a quoted IP header, whose own checksum follows,
    /// and in the one before the message.
    fn covered(quoted: Delta, outer: Delta) -> Delta;
    /// Changes the source address of an IP header.
    ///
    /// # Safety
    /// The header must have been checked, here and below.
    unsafe fn set_source(header: *mut u8, address: &Address) -> Delta;
    /// Changes the destination address.
    ///
    /// # Safety
    /// As above.
    unsafe fn set_destination(header: *mut u8, address: &Address) -> Delta;
}

/// RFC 791 section 3.2; messages have up to 576 bytes (RFC 1812 section 4.3.2.3).
impl Icmp for V4 {
    const ICMP: u8 = IpProto::Icmp as u8;
    const TIME_EXCEEDED: (u8, u8) = (11, 0);
    const TOO_BIG: (u8, u8) = (3, 4);
    const SIZE_MASK: u32 = 0xffff;
    const HOST_UNREACHABLE: (u8, u8) = (3, 1);
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

    /// Unreachable, source quench, time exceeded (kernel: `ip_vs_in_icmp`).
    #[inline(always)]
    fn is_error(kind: u8) -> bool {
        matches!(kind, 3 | 4 | 11)
    }

    #[inline(always)]
    fn across(kind: (u8, u8), size: u32) -> Option<((u8, u8), u32)> {
        const MORE: u32 = (V6::HEADER - V4::HEADER) as u32;
        Some(match kind {
            // Of routers older than RFC 1191 it has no size: every link of IPv6 carries as much.
            Self::TOO_BIG => (V6::TOO_BIG, (size + MORE).max(V6::SMALLEST_MTU)),
            (3, 3) => (V6::PORT_UNREACHABLE, 0),
            // Prohibited, for whatever reason.
            (3, 9 | 10 | 13 | 15) => ((1, 1), 0),
            // No route.
            (3, _) => ((1, 0), 0),
            (11, code) => ((3, code), 0),
            _ => return None,
        })
    }

    /// A header and its checksum together sum up to the same as before.
    #[inline(always)]
    fn covered(_quoted: Delta, _outer: Delta) -> Delta {
        Delta::NONE
    }

    #[inline(always)]
    unsafe fn set_source(header: *mut u8, address: &Address) -> Delta {
        // SAFETY: the caller's.
        unsafe { set4(header, Self::ADDRESSES, address) }
    }

    #[inline(always)]
    unsafe fn set_destination(header: *mut u8, address: &Address) -> Delta {
        // SAFETY: the caller's.
        unsafe { set4(header, Self::ADDRESSES + 4, address) }
    }
}

/// RFC 8200 section 5; messages have up to as many bytes (RFC 4443 section 2.4).
impl Icmp for V6 {
    const ICMP: u8 = IpProto::Ipv6Icmp as u8;
    const TIME_EXCEEDED: (u8, u8) = (3, 0);
    const TOO_BIG: (u8, u8) = (2, 0);
    const SIZE_MASK: u32 = u32::MAX;
    const HOST_UNREACHABLE: (u8, u8) = (1, 3);
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
        fields.pseudo_header()
    }

    #[inline(always)]
    fn is_error(kind: u8) -> bool {
        kind < 128
    }

    #[inline(always)]
    fn across(kind: (u8, u8), size: u32) -> Option<((u8, u8), u32)> {
        const LESS: u32 = (V6::HEADER - V4::HEADER) as u32;
        Some(match kind {
            Self::TOO_BIG => (
                V4::TOO_BIG,
                size.saturating_sub(LESS)
                    .clamp(V4::SMALLEST_MTU, V4::SIZE_MASK),
            ),
            Self::PORT_UNREACHABLE => (V4::PORT_UNREACHABLE, 0),
            // Administratively prohibited.
            (1, 1) => ((3, 10), 0),
            (1, _) => (V4::HOST_UNREACHABLE, 0),
            (3, code) => ((11, code), 0),
            // An unknown next header is an unknown protocol.
            (4, 1) => ((3, 2), 0),
            _ => return None,
        })
    }

    #[inline(always)]
    fn covered(quoted: Delta, outer: Delta) -> Delta {
        quoted.and(outer)
    }

    #[inline(always)]
    unsafe fn set_source(header: *mut u8, address: &Address) -> Delta {
        // SAFETY: the caller's.
        unsafe { set6(header, Self::ADDRESSES, address) }
    }

    #[inline(always)]
    unsafe fn set_destination(header: *mut u8, address: &Address) -> Delta {
        // SAFETY: the caller's.
        unsafe { set6(header, Self::ADDRESSES + 16, address) }
    }
}

#[inline(always)]
unsafe fn set4(header: *mut u8, at: usize, address: &Address) -> Delta {
    let new = address.words[0];
    // SAFETY: the caller's.
    unsafe {
        let old: u32 = read(header, at);
        write(header, at, new);
        Delta::NONE.replace(old.into(), new.into())
    }
}

#[inline(always)]
unsafe fn set6(header: *mut u8, at: usize, address: &Address) -> Delta {
    let [a, b, c, d] = address.words;
    let mut changed = Delta::NONE;
    for (i, (low, high)) in [(a, b), (c, d)].into_iter().enumerate() {
        let new = u64::from(low) | u64::from(high) << 32;
        // SAFETY: the caller's.
        unsafe {
            changed = changed.replace(read(header, at + 8 * i), new);
            write(header, at + 8 * i, new);
        }
    }
    changed
}

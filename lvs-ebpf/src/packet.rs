//! What the walk knows about a frame: computed once, read by every later step.

use core::mem::offset_of;

use lvs_common::{Family, Protocol, flow::Tuple, map::MAX_TAGS};
use network_types::eth::EthHdr;

use crate::parse::read;

/// The Ethernet part of a frame.
#[derive(Clone, Copy, Debug)]
pub struct Link {
    /// The Ethernet header.
    pub header: *mut u8,
    /// EtherType of what follows the tags, as on the wire.
    pub ether_type: u16,
    /// VLAN ids, outermost first; 0: no tag.
    pub tags: [u16; MAX_TAGS],
    /// Bytes of the header and its tags.
    pub len: u32,
}

impl Link {
    /// All of it but where it is, in one word: for a BPF subprogram, which takes five. The second byte of
    /// the word is 0.
    ///
    /// ```text
    /// bits 0..8  bytes        16..32  EtherType        32..64  VLAN ids
    /// ```
    #[inline(always)]
    pub const fn to_bits(&self) -> u64 {
        self.len as u8 as u64
            | (self.ether_type as u64) << 16
            | (self.tags[0] as u64) << 32
            | (self.tags[1] as u64) << 48
    }

    /// From such a word, of the frame that begins there.
    #[inline(always)]
    pub const fn from_bits(bits: u64, header: *mut u8) -> Self {
        Self {
            header,
            ether_type: Self::ether_type_of(bits),
            tags: [(bits >> 32) as u16, (bits >> 48) as u16],
            len: bits as u8 as u32,
        }
    }

    /// Copies it, with both tags that there may be.
    #[inline(always)]
    pub fn read_header(&self) -> LinkHeader {
        // SAFETY: the longest header was checked when it was parsed.
        unsafe {
            LinkHeader {
                macs: read(self.header, 0),
                tags: read(self.header, TAGS),
            }
        }
    }

    /// The `EtherType` in such a word.
    #[inline(always)]
    pub const fn ether_type_of(bits: u64) -> u16 {
        (bits >> 16) as u16
    }
}

/// Offset of the first tag of an Ethernet header, or of the `EtherType` where there is none.
pub(crate) const TAGS: usize = offset_of!(EthHdr, ether_type);

/// A copy of an Ethernet header: MAC addresses, and tags as far as there are any.
#[derive(Clone, Copy, Debug)]
pub struct LinkHeader {
    pub(crate) macs: [u32; 3],
    pub(crate) tags: [u32; MAX_TAGS],
}

/// The IP part of a frame.
#[derive(Clone, Copy, Debug)]
pub struct Network {
    /// The IP header.
    pub header: *mut u8,
    /// Bytes of the IP packet.
    pub len: u32,
    /// Bytes of what follows the header.
    pub payload: u32,
    /// TTL or hop limit.
    pub hops: u8,
    /// IANA number of the transport protocol.
    pub protocol: u8,
}

impl Network {
    /// Bytes of the IP header.
    #[inline(always)]
    pub const fn header_len(&self) -> u32 {
        self.len - self.payload
    }
}

/// A frame that carries TCP or UDP over IP.
#[derive(Clone, Copy, Debug)]
pub struct Packet<T: Tuple> {
    /// Its Ethernet part.
    pub link: Link,
    /// Its IP part.
    pub network: Network,
    /// Addresses, ports and protocol.
    pub tuple: T,
    /// The flags byte of TCP; 0 for UDP.
    pub tcp_flags: u8,
}

impl<T: Tuple> Packet<T> {
    /// Its address family.
    pub const FAMILY: Family = T::FAMILY;

    /// Whether it carries TCP, and not UDP.
    #[inline(always)]
    pub const fn is_tcp(&self) -> bool {
        self.network.protocol == Protocol::Tcp as u8
    }

    /// What a step needs that finds the headers anew.
    #[inline(always)]
    pub const fn shape(&self) -> Shape {
        Shape::new(&self.link, &self.network, self.tcp_flags)
    }
}

/// Where the headers of a frame are, and what they say, in one word: for a BPF subprogram, which takes
/// five.
///
/// ```text
/// bits  0..8  bytes of the Ethernet header        8..16  bytes of the IP header
///     16..24  transport protocol                 24..32  flags byte of TCP
///     32..56  bytes of the IP packet             56..64  TTL or hop limit
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub struct Shape(pub u64);

impl Shape {
    /// Of a frame's parts.
    #[inline(always)]
    pub const fn new(link: &Link, network: &Network, tcp_flags: u8) -> Self {
        Self(
            (network.hops as u64) << 56
                | (network.len as u64) << 32
                | (tcp_flags as u64) << 24
                | (network.protocol as u64) << 16
                | (network.header_len() as u64) << 8
                | link.len as u64,
        )
    }

    /// Bytes of the Ethernet header and its tags.
    #[inline(always)]
    pub const fn link(self) -> u32 {
        self.0 as u8 as u32
    }

    /// Bytes of the IP header.
    #[inline(always)]
    pub const fn network(self) -> u32 {
        (self.0 >> 8) as u8 as u32
    }

    /// IANA number of the transport protocol.
    #[inline(always)]
    pub const fn protocol(self) -> u8 {
        (self.0 >> 16) as u8
    }

    /// The flags byte of TCP; 0 for UDP.
    #[inline(always)]
    pub const fn tcp_flags(self) -> u8 {
        (self.0 >> 24) as u8
    }

    /// Bytes of the IP packet.
    #[inline(always)]
    pub const fn packet_len(self) -> u32 {
        (self.0 >> 32) as u32 & 0xff_ffff
    }

    /// How many bytes the plain header of the other family has more than its own, which is of `F`.
    #[inline(always)]
    pub const fn more_across<F: crate::family::Family>(self) -> i32 {
        (<F::Other as crate::family::Family>::HEADER as u32).cast_signed()
            - self.network().cast_signed()
    }

    /// TTL or hop limit.
    #[inline(always)]
    pub const fn hops(self) -> u8 {
        (self.0 >> 56) as u8
    }
}

//! What the walk knows about a frame: computed once, read by every later step.

use lvs_common::{Family, flow::Tuple, map::MAX_TAGS};

/// The Ethernet part of a frame.
#[derive(Clone, Copy, Debug)]
pub struct Link {
    /// The Ethernet header.
    pub header: *mut u8,
    /// EtherType of what follows the tags, as on the wire.
    pub ether_type: u16,
    /// VLAN ids, outermost first; 0: no tag.
    pub tags: [u16; MAX_TAGS],
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
}

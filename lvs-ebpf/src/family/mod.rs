//! What differs between IPv4 and IPv6, so that each step is written once.

mod v4;
mod v6;

pub use v4::V4;
pub use v6::V6;

use lvs_common::{
    Reason,
    checksum::Delta,
    flow::Tuple,
    map::{Address, ServiceKey, Settings},
};

use crate::{
    kernel::Tables,
    packet::{Link, Network, Packet},
    parse::Cursor,
};

/// An address family as the walk sees it.
pub trait Family {
    /// What names its flows.
    type Tuple: Tuple;
    /// The other one.
    type Other: Family<Other = Self>;

    /// Reads the IP header; yields source and destination too.
    ///
    /// # Errors
    /// Those of [`crate::parse`].
    fn network(cursor: &mut Cursor) -> Result<(Network, Address, Address), Reason>;
    /// The same of a packet that is quoted: the frame may not have all of it.
    ///
    /// # Errors
    /// Those of [`crate::parse`].
    fn quoted(cursor: &mut Cursor) -> Result<(Network, Address, Address), Reason>;
    /// Reads what follows the Ethernet header.
    ///
    /// # Errors
    /// Those of [`crate::parse`].
    fn parse(cursor: &mut Cursor, link: Link) -> Result<Packet<Self::Tuple>, Reason>;
    /// First word of a half bucket of its table.
    fn half<K: Tables>(tables: &K, half: u32) -> Option<*mut u64>;
    /// Half buckets of its table minus one.
    fn mask(settings: &Settings) -> u32;
    /// What the service of a tuple is looked up by.
    fn service_key(tuple: &Self::Tuple) -> ServiceKey;
    /// EtherType of its packets, as on the wire.
    const ETHER_TYPE: u16;
    /// IANA number of it as what another IP packet carries.
    const PROTOCOL: u8;
    /// Whether routers may fragment its packets.
    const FRAGMENTS: bool;
    /// Bytes of the fixed part of its header.
    const HEADER: usize;
    /// Offset of source and destination address in the header, which follow each other as they do in
    /// a tuple.
    const ADDRESSES: usize;
    /// Number of the last word of an [`Address`].
    const LAST_WORD: usize;

    /// The tuple of packets between these ends; ports and protocol are the last word of another.
    fn between(source: Address, destination: Address, last: u64) -> Self::Tuple;
    /// Source and destination address of a tuple.
    fn addresses(tuple: &Self::Tuple) -> (Address, Address);
    /// TTL or hop limit.
    ///
    /// # Safety
    /// `header` must point to an IP header that was checked, here and below.
    unsafe fn hops(header: *const u8) -> u8;
    /// Takes one off the TTL or hop limit, which is more than one, and has the header's checksum follow
    /// that and what else was changed in it.
    ///
    /// # Safety
    /// As above.
    unsafe fn take_hop(header: *mut u8, changed: Delta);
    /// Has the header's checksum, if there is one, follow what was changed in it.
    ///
    /// # Safety
    /// As above.
    unsafe fn follow(header: *mut u8, changed: Delta);
    /// DSCP and ECN: the TOS byte, or the traffic class.
    ///
    /// # Safety
    /// As above.
    unsafe fn class(header: *const u8) -> u8;
    /// Changes DSCP and ECN.
    ///
    /// # Safety
    /// As above.
    unsafe fn set_class(header: *mut u8, class: u8);
    /// Whether it has a flag that tells routers not to fragment it.
    ///
    /// # Safety
    /// As above.
    unsafe fn is_whole(header: *const u8) -> bool;
    /// Writes a header without options, with its checksum if it has one.
    ///
    /// # Safety
    /// There must be [`Self::HEADER`] bytes.
    unsafe fn write_header(header: *mut u8, fields: &Fields);
}

/// What a new IP header says.
#[derive(Clone, Copy, Debug)]
pub struct Fields {
    /// Where it comes from.
    pub source: Address,
    /// Where it goes.
    pub destination: Address,
    /// Bytes that follow the header.
    pub payload: u16,
    /// IANA number of what follows.
    pub protocol: u8,
    /// DSCP and ECN.
    pub class: u8,
    /// TTL or hop limit.
    pub hops: u8,
    /// IPv4: the identification of one that may be fragmented; none: it may not, and needs none (RFC 6864
    /// section 4).
    pub identification: Option<u16>,
}

impl Fields {
    /// What a checksum of the payload covers of them. In both families it comes to the same (RFC 9293 section 3.1,
    /// RFC 8200 section 8.1).
    #[inline(always)]
    pub fn pseudo_header(&self) -> Delta {
        Delta::NONE
            .with_words(self.source.words)
            .with_words(self.destination.words)
            .with(u32::from(self.payload).to_be().into())
            .with(u32::from(self.protocol).to_be().into())
    }
}

/// The last word of a tuple is its ports, source first, and its protocol.
#[inline(always)]
fn key(address: Address, ports: u64, family: lvs_common::Family) -> ServiceKey {
    ServiceKey {
        address,
        port: (ports >> 16) as u16,
        protocol: (ports >> 32) as u8,
        family: family as u8,
    }
}

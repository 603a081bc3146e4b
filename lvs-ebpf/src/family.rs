//! What differs between IPv4 and IPv6, so that each step is written once.

use core::mem::offset_of;

use lvs_common::{
    Reason,
    checksum::Delta,
    flow::{Tuple, Tuple4, Tuple6},
    map::{Address, ServiceKey, Settings},
};
use network_types::{
    eth::EtherType,
    ip::{Ipv4Hdr, Ipv6Hdr},
};

use crate::{
    kernel::Tables,
    packet::{Link, Packet},
    parse::{Cursor, HOP_LIMIT, TTL, ipv4, ipv6, read, transport, write},
};

/// An address family as the walk sees it.
pub trait Family {
    /// What names its flows.
    type Tuple: Tuple;

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
    /// Bytes of the fixed part of its header.
    const HEADER: usize;
    /// Offset of source and destination address in the header, which follow each other as they do in
    /// a tuple.
    const ADDRESSES: usize;

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
}

/// IPv4.
#[derive(Clone, Copy, Debug)]
pub struct V4;

/// IPv6.
#[derive(Clone, Copy, Debug)]
pub struct V6;

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

impl Family for V4 {
    type Tuple = Tuple4;
    const ETHER_TYPE: u16 = EtherType::Ipv4 as u16;
    const HEADER: usize = Ipv4Hdr::LEN;
    const ADDRESSES: usize = offset_of!(Ipv4Hdr, src_addr);

    #[inline(always)]
    fn parse(cursor: &mut Cursor, link: Link) -> Result<Packet<Tuple4>, Reason> {
        let (network, source, destination) = ipv4(cursor)?;
        let transport = transport(cursor, network.protocol, network.payload)?;
        let tuple = Tuple4::new(source, destination, transport.ports, network.protocol);
        Ok(Packet {
            link,
            network,
            tuple,
            tcp_flags: transport.tcp_flags,
        })
    }

    #[inline(always)]
    fn half<K: Tables>(tables: &K, half: u32) -> Option<*mut u64> {
        tables.half4(half)
    }

    #[inline(always)]
    fn mask(settings: &Settings) -> u32 {
        settings.mask4
    }

    #[inline(always)]
    fn service_key(tuple: &Tuple4) -> ServiceKey {
        key(
            Self::addresses(tuple).1,
            tuple.words()[1],
            lvs_common::Family::Ipv4,
        )
    }

    #[inline(always)]
    fn between(source: Address, destination: Address, last: u64) -> Tuple4 {
        Tuple4::new(
            source.words[0],
            destination.words[0],
            last as u32,
            (last >> 32) as u8,
        )
    }

    #[inline(always)]
    fn addresses(tuple: &Tuple4) -> (Address, Address) {
        let word = tuple.words()[0];
        let address = |word| Address {
            words: [word, 0, 0, 0],
        };
        (address(word as u32), address((word >> 32) as u32))
    }

    #[inline(always)]
    unsafe fn hops(header: *const u8) -> u8 {
        // SAFETY: the caller's.
        unsafe { read(header, TTL) }
    }

    #[inline(always)]
    unsafe fn take_hop(header: *mut u8, changed: Delta) {
        // SAFETY: the caller's; TTL, protocol and checksum follow each other.
        unsafe {
            let (word, sum): (u16, u16) = (read(header, TTL), read(header, TTL + 2));
            // The TTL is the first byte of the word, so the lowest.
            let changed = changed.replace(word.into(), (word - 1).into());
            write(header, TTL, word - 1);
            write(header, TTL + 2, changed.apply(sum));
        }
    }
}

impl Family for V6 {
    type Tuple = Tuple6;
    const ETHER_TYPE: u16 = EtherType::Ipv6 as u16;
    const HEADER: usize = Ipv6Hdr::LEN;
    const ADDRESSES: usize = offset_of!(Ipv6Hdr, src_addr);

    #[inline(always)]
    fn parse(cursor: &mut Cursor, link: Link) -> Result<Packet<Tuple6>, Reason> {
        let (network, source, destination) = ipv6(cursor)?;
        let transport = transport(cursor, network.protocol, network.payload)?;
        let tuple = Tuple6::new(source, destination, transport.ports, network.protocol);
        Ok(Packet {
            link,
            network,
            tuple,
            tcp_flags: transport.tcp_flags,
        })
    }

    #[inline(always)]
    fn half<K: Tables>(tables: &K, half: u32) -> Option<*mut u64> {
        tables.half6(half)
    }

    #[inline(always)]
    fn mask(settings: &Settings) -> u32 {
        settings.mask6
    }

    #[inline(always)]
    fn service_key(tuple: &Tuple6) -> ServiceKey {
        key(
            Self::addresses(tuple).1,
            tuple.words()[4],
            lvs_common::Family::Ipv6,
        )
    }

    #[inline(always)]
    fn between(source: Address, destination: Address, last: u64) -> Tuple6 {
        let protocol = (last >> 32) as u8;
        Tuple6::new(source.words, destination.words, last as u32, protocol)
    }

    #[inline(always)]
    fn addresses(tuple: &Tuple6) -> (Address, Address) {
        let words = tuple.words();
        let address = |low: u64, high: u64| Address {
            words: [
                low as u32,
                (low >> 32) as u32,
                high as u32,
                (high >> 32) as u32,
            ],
        };
        (address(words[0], words[1]), address(words[2], words[3]))
    }

    #[inline(always)]
    unsafe fn hops(header: *const u8) -> u8 {
        // SAFETY: the caller's.
        unsafe { read(header, HOP_LIMIT) }
    }

    #[inline(always)]
    unsafe fn take_hop(header: *mut u8, _changed: Delta) {
        // SAFETY: the caller's.
        unsafe { write(header, HOP_LIMIT, Self::hops(header) - 1) };
    }
}

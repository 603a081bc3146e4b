//! IPv6.

use core::mem::offset_of;

use lvs_common::{
    Reason,
    checksum::Delta,
    flow::{Tuple, Tuple6},
    map::{Address, ServiceKey, Settings},
};
use network_types::{
    eth::EtherType,
    ip::{IpProto, Ipv6Hdr},
};

use super::{Family, Fields, V4, key};
use crate::{
    kernel::Tables,
    packet::{Link, Network, Packet},
    parse::{Cursor, HOP_LIMIT, ipv6, quoted_ipv6, read, transport, write},
};

/// IPv6.
#[derive(Clone, Copy, Debug)]
pub struct V6;

impl Family for V6 {
    type Tuple = Tuple6;
    type Other = V4;
    const PROTOCOL: u8 = IpProto::Ipv6 as u8;
    const FRAGMENTS: bool = false;
    const LAST_WORD: usize = 3;
    const ETHER_TYPE: u16 = EtherType::Ipv6 as u16;
    const HEADER: usize = Ipv6Hdr::LEN;
    const ADDRESSES: usize = offset_of!(Ipv6Hdr, src_addr);

    #[inline(always)]
    fn network(cursor: &mut Cursor) -> Result<(Network, Address, Address), Reason> {
        let (network, source, destination) = ipv6(cursor)?;
        let address = |words| Address { words };
        Ok((network, address(source), address(destination)))
    }

    #[inline(always)]
    fn quoted(cursor: &mut Cursor) -> Result<(Network, Address, Address), Reason> {
        let (network, source, destination) = quoted_ipv6(cursor)?;
        let address = |words| Address { words };
        Ok((network, address(source), address(destination)))
    }

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

    #[inline(always)]
    unsafe fn follow(_header: *mut u8, _changed: Delta) {}

    #[inline(always)]
    unsafe fn class(header: *const u8) -> u8 {
        // SAFETY: the caller's; four bits of version come before it, and twenty of flow label behind.
        let word: u16 = unsafe { read(header, 0) };
        (u16::from_be(word) >> 4) as u8
    }

    #[inline(always)]
    unsafe fn set_class(header: *mut u8, class: u8) {
        // SAFETY: as above.
        unsafe {
            let word: u16 = read(header, 0);
            let new = u16::from_be(word) & 0xf00f | u16::from(class) << 4;
            write(header, 0, new.to_be());
        }
    }

    #[inline(always)]
    unsafe fn is_whole(_header: *const u8) -> bool {
        false
    }

    #[inline(always)]
    unsafe fn write_header(header: *mut u8, fields: &Fields) {
        let version_and_class = 6 << 12 | u16::from(fields.class) << 4;
        let first = u64::from(version_and_class.to_be())
            | u64::from(fields.payload.to_be()) << 32
            | u64::from(fields.protocol) << 48
            | u64::from(fields.hops) << 56;
        // SAFETY: the caller's.
        unsafe {
            write(header, 0, first);
            write(header, Self::ADDRESSES, fields.source.words);
            write(header, Self::ADDRESSES + 16, fields.destination.words);
        }
    }
}

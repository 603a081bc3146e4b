//! IPv4.

use core::mem::offset_of;

use lvs_common::{
    Reason,
    checksum::Delta,
    flow::{Tuple, Tuple4},
    map::{Address, ServiceKey, Settings},
};
use network_types::{
    eth::EtherType,
    ip::{IpProto, Ipv4Hdr},
};

use super::{Family, Fields, V6, key};
use crate::{
    kernel::Tables,
    packet::{Link, Network, Packet},
    parse::{Cursor, TTL, ipv4, quoted_ipv4, read, transport, write},
};

/// IPv4.
#[derive(Clone, Copy, Debug)]
pub struct V4;

/// Offset of the header's checksum.
const CHECKSUM: usize = offset_of!(Ipv4Hdr, check);

/// "Don't fragment", in the word of flags and fragment offset.
const DONT_FRAGMENT: u16 = 0x4000;

#[inline(always)]
const fn address4(word: u32) -> Address {
    Address {
        words: [word, 0, 0, 0],
    }
}

impl Family for V4 {
    type Tuple = Tuple4;
    type Other = V6;
    const ETHER_TYPE: u16 = EtherType::Ipv4 as u16;
    const PROTOCOL: u8 = IpProto::Ipv4 as u8;
    const FRAGMENTS: bool = true;
    const LAST_WORD: usize = 0;
    const HEADER: usize = Ipv4Hdr::LEN;
    const ADDRESSES: usize = offset_of!(Ipv4Hdr, src_addr);

    #[inline(always)]
    fn network(cursor: &mut Cursor) -> Result<(Network, Address, Address), Reason> {
        let (network, source, destination) = ipv4(cursor)?;
        Ok((network, address4(source), address4(destination)))
    }

    #[inline(always)]
    fn quoted(cursor: &mut Cursor) -> Result<(Network, Address, Address), Reason> {
        let (network, source, destination) = quoted_ipv4(cursor)?;
        Ok((network, address4(source), address4(destination)))
    }

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
        (address4(word as u32), address4((word >> 32) as u32))
    }

    #[inline(always)]
    unsafe fn hops(header: *const u8) -> u8 {
        // SAFETY: the caller's.
        unsafe { read(header, TTL) }
    }

    #[inline(always)]
    unsafe fn take_hop(header: *mut u8, changed: Delta) {
        // SAFETY: the caller's; the TTL is the first byte of its word, so the lowest.
        unsafe {
            let word: u16 = read(header, TTL);
            write(header, TTL, word - 1);
            Self::follow(header, changed.replace(word.into(), (word - 1).into()));
        }
    }

    #[inline(always)]
    unsafe fn follow(header: *mut u8, changed: Delta) {
        // SAFETY: the caller's.
        unsafe {
            let sum: u16 = read(header, CHECKSUM);
            write(header, CHECKSUM, changed.apply(sum));
        }
    }

    #[inline(always)]
    unsafe fn class(header: *const u8) -> u8 {
        // SAFETY: the caller's.
        unsafe { read(header, offset_of!(Ipv4Hdr, tos)) }
    }

    #[inline(always)]
    unsafe fn set_class(header: *mut u8, class: u8) {
        // SAFETY: the caller's; TOS is the second byte of the first word, so its high half.
        unsafe {
            let word: u16 = read(header, 0);
            let new = word & 0xff | u16::from(class) << 8;
            write(header, 0, new);
            Self::follow(header, Delta::NONE.replace(word.into(), new.into()));
        }
    }

    #[inline(always)]
    unsafe fn is_whole(header: *const u8) -> bool {
        // SAFETY: the caller's.
        let flags: u16 = unsafe { read(header, offset_of!(Ipv4Hdr, frags)) };
        u16::from_be(flags) & DONT_FRAGMENT != 0
    }

    #[inline(always)]
    unsafe fn write_header(header: *mut u8, fields: &Fields) {
        let len = fields.payload.wrapping_add(Self::HEADER as u16);
        let (id, flags) = fields
            .identification
            .map_or((0, DONT_FRAGMENT), |id| (id, 0));
        let first = 0x45
            | u64::from(fields.class) << 8
            | u64::from(len.to_be()) << 16
            | u64::from(id.to_be()) << 32
            | u64::from(flags.to_be()) << 48;
        let second = u64::from(fields.hops)
            | u64::from(fields.protocol) << 8
            | u64::from(fields.source.words[0]) << 32;
        let third = fields.destination.words[0];
        let sum = Delta::NONE.with(first).with(second).with(third.into());
        // SAFETY: the caller's.
        unsafe {
            write(header, 0, first);
            write(header, 8, second | u64::from(sum.checksum()) << 16);
            write(header, 16, third);
        }
    }
}

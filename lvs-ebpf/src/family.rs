//! What differs between IPv4 and IPv6, so that each step is written once.

use lvs_common::{
    Reason, checksum,
    flow::{Tuple, Tuple4, Tuple6},
    map::{Address, ServiceKey, Settings},
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
    /// Takes one off the TTL or hop limit, which is more than one.
    fn take_hop(packet: &Packet<Self::Tuple>);
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
        let words = tuple.words();
        let address = Address {
            words: [(words[0] >> 32) as u32, 0, 0, 0],
        };
        key(address, words[1], lvs_common::Family::Ipv4)
    }

    #[inline(always)]
    fn take_hop(packet: &Packet<Tuple4>) {
        // The checksum covers TTL and protocol as one word, which is on the wire in this order.
        let protocol = u16::from(packet.network.protocol) << 8;
        let old = u16::from(packet.network.hops) | protocol;
        let new = u16::from(packet.network.hops - 1) | protocol;
        let header = packet.network.header;
        // SAFETY: the header was checked when it was parsed; the checksum follows the protocol.
        unsafe {
            let sum: u16 = read(header, TTL + 2);
            write(header, TTL, packet.network.hops - 1);
            write(header, TTL + 2, checksum::update(sum, old, new));
        }
    }
}

impl Family for V6 {
    type Tuple = Tuple6;

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
        let words = tuple.words();
        let split = |word: u64| (word as u32, (word >> 32) as u32);
        let ((a, b), (c, d)) = (split(words[2]), split(words[3]));
        key(
            Address {
                words: [a, b, c, d],
            },
            words[4],
            lvs_common::Family::Ipv6,
        )
    }

    #[inline(always)]
    fn take_hop(packet: &Packet<Tuple6>) {
        // SAFETY: the header was checked when it was parsed.
        unsafe { write(packet.network.header, HOP_LIMIT, packet.network.hops - 1) };
    }
}

//! ICMP errors of routers about tunnels: the client is told of the packet within.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use etherparse::{NetSlice, PacketBuilder, SlicedPacket, TransportSlice};
use lvs_common::{
    Reason,
    bucket::{PARTS, Rate},
    map::{NextHop, Notice},
    tcp::SYN,
};
use lvs_ebpf::host::{Buffer, Memory, Setup};

use crate::farm::{LAN, LAN_MAC, MTU, Site, backend_mac, interfaces, only};

const MANY: Rate = Rate {
    per_tick: 100 * PARTS,
    burst: 100 * PARTS,
};
const NETWORK: usize = 14;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

const fn source(is_v6: bool) -> &'static str {
    if is_v6 { "2001:db8::2" } else { "10.0.0.2" }
}

/// Tunnels of one family to the only backend of every service.
fn balancer(is_v6: bool) -> Memory {
    balancer_with(is_v6, |_| {})
}

fn balancer_with(is_v6: bool, change: impl FnOnce(&mut Setup)) -> Memory {
    let mut setup = interfaces();
    change(&mut setup);
    setup.notices(MANY, MANY);
    let end = ip(if is_v6 { "2001:db8::99" } else { "10.0.0.99" });
    for site in Site::ALL {
        let vip = site.vip();
        let scheduler = lvs_common::Scheduler::Wrr;
        let id = setup.service(site.protocol(), vip.ip(), vip.port(), scheduler);
        let mut hop = NextHop::new(LAN, MTU, backend_mac(only(site)), LAN_MAC);
        hop.source = ip(source(is_v6)).into();
        let hop = setup.next_hop(hop);
        let added = setup.backend(id, end, 1, hop);
        setup.tun(added, 0);
    }
    setup.build()
}

/// Sends a frame through; what goes out.
fn through(memory: &Memory, frame: &[u8]) -> Result<Vec<u8>, Reason> {
    let buffer = Buffer::new(LAN, frame);
    memory.receive(&buffer)?;
    assert!(buffer.is_intact());
    Ok(buffer.bytes())
}

/// A router's error about a tunnel that was sent: type, code, size, and how many bytes it quotes.
fn complaint(tunnel: &[u8], (kind, code): (u8, u8), size: u32, quoted: usize) -> Vec<u8> {
    let quote = &tunnel[NETWORK..];
    let quote = &quote[..quote.len().min(quoted)];
    let [a, b, c, d] = size.to_be_bytes();
    let builder = PacketBuilder::ethernet2([2, 0xee, 0, 0, 0, 1], LAN_MAC);
    let mut frame = Vec::new();
    if quote[0] >> 4 == 4 {
        builder
            .ipv4([192, 0, 2, 1], ip4(source(false)).octets(), 60)
            .icmpv4_raw(kind, code, [a, b, c, d])
            .write(&mut frame, quote)
            .unwrap();
    } else {
        let router = Ipv6Addr::new(0x2001, 0xdb8, 0xffff, 0, 0, 0, 0, 1);
        builder
            .ipv6(router.octets(), ip6(source(true)).octets(), 60)
            .icmpv6_raw(kind, code, [a, b, c, d])
            .write(&mut frame, quote)
            .unwrap();
    }
    frame
}

fn ip4(text: &str) -> Ipv4Addr {
    text.parse().unwrap()
}

fn ip6(text: &str) -> Ipv6Addr {
    text.parse().unwrap()
}

/// What an error says: from, to, type, code, size, quote.
fn read(frame: &[u8]) -> (IpAddr, IpAddr, (u8, u8), u32, Vec<u8>) {
    let packet = SlicedPacket::from_ethernet(frame).unwrap();
    match (packet.net.unwrap(), packet.transport.unwrap()) {
        (NetSlice::Ipv4(ip), TransportSlice::Icmpv4(icmp)) => {
            let header = ip.header();
            assert_eq!(
                header.header_checksum(),
                header.to_header().calc_header_checksum()
            );
            let checksum = icmp.icmp_type().calc_checksum(icmp.payload());
            assert_eq!(icmp.checksum(), checksum);
            let kind = (icmp.type_u8(), icmp.code_u8());
            let size = u32::from_be_bytes(icmp.bytes5to8());
            let (from, to) = (header.source_addr(), header.destination_addr());
            (from.into(), to.into(), kind, size, icmp.payload().to_vec())
        }
        (NetSlice::Ipv6(ip), TransportSlice::Icmpv6(icmp)) => {
            let header = ip.header();
            assert!(icmp.is_checksum_valid(header.source(), header.destination()));
            let kind = (icmp.type_u8(), icmp.code_u8());
            let size = u32::from_be_bytes(icmp.bytes5to8());
            let (from, to) = (header.source_addr(), header.destination_addr());
            (from.into(), to.into(), kind, size, icmp.payload().to_vec())
        }
        other => panic!("{other:?}"),
    }
}

fn pairs() -> impl Iterator<Item = (Site, bool)> {
    Site::ALL.into_iter().flat_map(|s| [(s, false), (s, true)])
}

#[test]
fn the_client_is_told_what_the_tunnel_met() {
    for (site, is_v6) in pairs() {
        let v4 = site.vip().is_ipv4();
        let overhead = if is_v6 { 40 } else { 20 };
        let too_big = if is_v6 { (2, 0) } else { (3, 4) };
        let time = if is_v6 { (3, 0) } else { (11, 0) };
        let lost = if is_v6 { (1, 3) } else { (3, 1) };
        for (met, size, told, told_size, notice) in [
            (
                too_big,
                1400,
                if v4 { (3, 4) } else { (2, 0) },
                1400 - overhead,
                Notice::TooBig,
            ),
            (
                time,
                0,
                if v4 { (11, 0) } else { (3, 0) },
                0,
                Notice::TimeExceeded,
            ),
            (
                lost,
                0,
                if v4 { (3, 1) } else { (1, 3) },
                0,
                Notice::Unreachable,
            ),
        ] {
            for quoted in [96, 548, 5000] {
                let what = format!("{site:?} {is_v6} {met:?} {quoted}");
                let memory = balancer(is_v6);
                let packet = site.packet(1, SYN).payload(900).frame();
                let tunnel = through(&memory, &packet).unwrap();
                let error = complaint(&tunnel, met, size, quoted);
                let sent = through(&memory, &error).unwrap_or_else(|r| panic!("{what}: {r:?}"));
                let (from, to, kind, told_of, quote) = read(&sent);
                assert_eq!((from, to), (site.vip().ip(), site.client(1).ip()), "{what}");
                assert_eq!((kind, told_of), (told, told_size), "{what}");
                // The packet as it was sent, but for what a hop takes off it.
                let start = if v4 { 12 } else { 8 };
                assert_eq!(
                    quote[start..40],
                    packet[NETWORK + start..NETWORK + 40],
                    "{what}"
                );
                assert_eq!(memory.notice(notice), 1, "{what}");
                assert_eq!(memory.reason_counters(Reason::TunnelError).packets, 1);
            }
        }
    }
}

#[test]
fn what_cannot_be_told_passes() {
    for (site, is_v6) in pairs() {
        let memory = balancer(is_v6);
        let tunnel = through(&memory, &site.packet(1, SYN).payload(900).frame()).unwrap();
        let kind = if is_v6 { (2, 0) } else { (3, 4) };
        // As little as RFC 792 asks for.
        let header = if is_v6 { 40 } else { 20 };
        let short = complaint(&tunnel, kind, 1400, header + 8);
        assert_eq!(through(&memory, &short), Err(Reason::OtherProtocol));
        // About somebody else's tunnel.
        let mut other = complaint(&tunnel, kind, 1400, 548);
        let end = NETWORK + header + 8 + header;
        other[end - 1] ^= 1;
        assert_eq!(through(&memory, &other), Err(Reason::OtherProtocol));
        // About no flow.
        let unknown = complaint(&tunnel, kind, 1400, 548);
        assert_eq!(
            through(&balancer(is_v6), &unknown),
            Err(Reason::OtherProtocol)
        );
    }
}

/// Nobody is told of less than the smallest MTU, nor of what is the tunnel's own matter.
#[test]
fn what_nobody_could_heed_is_not_told() {
    let memory = balancer(false);
    let tunnel = through(&memory, &Site::Dns6.packet(1, 0).payload(900).frame()).unwrap();
    for (kind, size, told) in [
        ((3, 4), 1299, false),
        ((3, 4), 1300, true),
        ((4, 0), 0, false),
    ] {
        let sent = through(&memory, &complaint(&tunnel, kind, size, 548));
        assert_eq!(sent.is_ok(), told, "{kind:?} {size}");
        assert!(told || sent == Err(Reason::TunnelError));
    }
}

/// As of packets that are too big before the tunnel.
#[test]
fn those_without_df_are_told_unless_the_settings_say_no() {
    for quiet in [false, true] {
        let memory = balancer_with(false, |setup| setup.quiet_without_df(quiet));
        let mut packet = Site::Dns.packet(1, 0).payload(900).frame();
        packet[NETWORK + 6] = 0;
        let tunnel = through(&memory, &packet).unwrap();
        let sent = through(&memory, &complaint(&tunnel, (3, 4), 1400, 548));
        assert_eq!(sent.is_ok(), !quiet);
    }
}

//! FULLNAT between families: clients of one, backends of the other.

use std::net::{IpAddr, SocketAddr};

use etherparse::{Ipv4Header, Ipv6Header, NetSlice, PacketBuilder, SlicedPacket, TransportSlice};
use lvs_common::{
    Protocol, Reason, Scheduler,
    flow::Stage,
    tcp::{ACK, FIN, RST, SYN, State},
};
use lvs_ebpf::{
    Action,
    host::{Buffer, Load, Memory, Probe, read},
};
use proptest::prelude::*;

use crate::farm::{
    LAN, LAN_MAC, MTU, Site, address, assert_sound, backend_mac, flow, hop_to, interfaces, only,
    walk,
};

/// Where the tests' clients send from, as [`Probe`] writes it.
const CLIENT_MAC: [u8; 6] = [0x02, 0xc1, 0, 0, 0, 1];
const NETWORK: usize = 14;

/// The only backend of a service: of the other family.
fn backend(site: Site) -> SocketAddr {
    address(if site.vip().is_ipv6() {
        "10.0.0.17:8080"
    } else {
        "[2001:db8::11]:8080"
    })
}

fn local(site: Site) -> IpAddr {
    let text = if site.vip().is_ipv6() {
        "10.0.0.200"
    } else {
        "2001:db8::200"
    };
    text.parse().unwrap()
}

fn balancer() -> Memory {
    let mut setup = interfaces();
    for site in Site::ALL {
        let vip = site.vip();
        let id = setup.service(site.protocol(), vip.ip(), vip.port(), Scheduler::Wrr);
        let hop = setup.next_hop(hop_to(only(site)));
        let added = setup.backend(id, backend(site).ip(), 1, hop);
        setup.full_nat(added, Some(8080), &[local(site)], 5000..=5003);
    }
    setup.build()
}

fn answer(site: Site, to: SocketAddr, flags: u8) -> Probe {
    match site.protocol() {
        Protocol::Tcp => Probe::tcp(LAN_MAC, backend(site), to, flags),
        Protocol::Udp => Probe::udp(LAN_MAC, backend(site), to),
    }
}

/// Sends a client's packet that must reach the backend; where it seems to come from.
fn request(memory: &Memory, site: Site, probe: &Probe) -> SocketAddr {
    let (outcome, after) = walk(memory, &probe.frame());
    assert_eq!(outcome, Ok(Action::Send), "{site:?}");
    assert_eq!(after[..6], backend_mac(only(site)));
    let reading = read(&after, after.first_chunk().copied()).unwrap();
    assert_eq!(
        SocketAddr::from(reading.tuple.destination()),
        backend(site),
        "{site:?}"
    );
    reading.tuple.source().into()
}

#[test]
fn there_and_back_byte_for_byte() {
    for site in Site::ALL {
        for payload in [0, 1, 7, 1400] {
            let memory = balancer();
            let frame = site.packet(1, SYN).payload(payload).frame();
            let (_, after) = walk(&memory, &frame);
            let origin = SocketAddr::new(local(site), 5000);
            let mac = backend_mac(only(site));
            let expected = match site.protocol() {
                Protocol::Tcp => Probe::tcp(mac, origin, backend(site), SYN),
                Protocol::Udp => Probe::udp(mac, origin, backend(site)),
            };
            let mut expected = expected.hops(63).payload(payload).frame();
            expected[6..12].copy_from_slice(&LAN_MAC);
            if backend(site).is_ipv4() {
                // What Probe identifies its packets by, taken out of the checksum, too.
                expected[18..20].copy_from_slice(&[0, 0]);
                let sum = u16::from_be_bytes([expected[24], expected[25]]);
                let sum = u32::from(sum) + 0xbeef;
                let sum = (sum & 0xffff) + (sum >> 16);
                expected[24..26].copy_from_slice(&(sum as u16).to_be_bytes());
            }
            assert_eq!(after, expected, "{site:?} {payload}");
        }
    }
}

#[test]
fn a_connection_is_followed_and_ends_in_both_tables() {
    for site in [Site::Web, Site::Web6] {
        let memory = balancer();
        let origin = request(&memory, site, &site.packet(1, SYN));
        for (from_client, flags, state) in [
            (false, SYN | ACK, State::SynRecv),
            (true, ACK, State::Established),
            (false, FIN | ACK, State::FinWait),
            (true, RST, State::Close),
        ] {
            let probe = if from_client {
                site.packet(1, flags)
            } else {
                answer(site, origin, flags)
            };
            assert_eq!(walk(&memory, &probe.frame()).0, Ok(Action::Send));
            let word = flow(&memory, site, 1).word;
            assert_eq!(word.stage(), Some(Stage::Tcp(state)), "{site:?} {flags:#x}");
            assert_sound(&memory);
        }
        assert_eq!(memory.flows().len(), 2);
        memory.pass(1_000_000);
        memory.sweep_all();
        assert!(memory.flows().is_empty());
        assert_eq!(memory.load_of(only(site)), Load::new(0, 0));
    }
}

#[test]
fn local_ports_run_out_and_harm_nobody() {
    for site in Site::ALL {
        let memory = balancer();
        for client in 0..4 {
            request(&memory, site, &site.packet(client, SYN));
        }
        let (outcome, _) = walk(&memory, &site.packet(4, SYN).frame());
        assert_eq!(outcome, Err(Reason::NoPort));
        assert_eq!(memory.flows().len(), 8);
        for client in 0..4 {
            request(&memory, site, &site.packet(client, ACK));
        }
    }
}

/// IPv6 wants a checksum (RFC 8200 section 8.1), and there is none to start from.
#[test]
fn datagrams_without_a_checksum_do_not_cross() {
    for site in [Site::Dns, Site::Dns6] {
        let memory = balancer();
        let origin = request(&memory, site, &site.packet(1, 0));
        for probe in [site.packet(1, 0), answer(site, origin, 0)] {
            let mut frame = probe.frame();
            let header = if frame[NETWORK] >> 4 == 4 { 20 } else { 40 };
            let at = NETWORK + header + 6;
            frame[at..at + 2].copy_from_slice(&[0, 0]);
            assert_eq!(walk(&memory, &frame).0, Err(Reason::NoChecksum), "{site:?}");
        }
    }
}

#[test]
fn the_new_header_counts_against_the_mtu() {
    for site in Site::ALL {
        let memory = balancer();
        let empty = site.packet(1, SYN).payload(0).frame().len() - NETWORK;
        let (old, new) = if site.vip().is_ipv4() {
            (20, 40)
        } else {
            (40, 20)
        };
        let room = MTU as usize + old - new - empty;
        // What comes is longer than the MTU with IPv6, which is the sender's matter.
        let fits = site.packet(1, SYN).payload(room);
        let (_, after) = walk(&memory, &fits.frame());
        assert_eq!(after.len(), NETWORK + MTU as usize, "{site:?}");
        let (outcome, _) = walk(&memory, &site.packet(1, SYN).payload(room + 1).frame());
        assert_eq!(outcome, Err(Reason::TooBig), "{site:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn the_inverse_gives_the_original(
        site in prop::sample::select(Site::ALL.to_vec()),
        client in 0..10_000_u16,
        payload in 0..1300_usize,
        hops in 2..=255_u8,
        options in 0..=10_usize,
        tags in prop::collection::vec(1..4095_u16, 0..=2),
    ) {
        let memory = balancer();
        let mut packet = site.packet(client, SYN).payload(payload).hops(hops);
        if site.vip().is_ipv4() {
            packet = packet.options(&vec![1; 4 * options]);
        }
        for tag in &tags {
            packet = packet.tag(0x8100, *tag);
        }
        let origin = request(&memory, site, &packet);
        let mut answer = answer(site, origin, ACK).payload(payload);
        if backend(site).is_ipv4() {
            answer = answer.options(&vec![1; 4 * options]);
        }
        let (outcome, after) = walk(&memory, &answer.frame());
        prop_assert_eq!(outcome, Ok(Action::Send));
        let reading = read(&after, Some(CLIENT_MAC)).unwrap();
        prop_assert_eq!(reading.tuple.reversed(), site.tuple(client));
        let mut ids = [0; 2];
        ids[..tags.len()].copy_from_slice(&tags);
        prop_assert_eq!(reading.tags, ids);
        assert_sound(&memory);
    }
}

/// An ICMP error of a router that quotes a packet as it left or would have come, and how many bytes of it.
fn complaint(
    quoted: &[u8],
    to: IpAddr,
    (kind, code): (u8, u8),
    size: u32,
    bytes: usize,
) -> Vec<u8> {
    let quote = &quoted[NETWORK..];
    let quote = &quote[..quote.len().min(bytes)];
    let [a, b, c, d] = size.to_be_bytes();
    let builder = PacketBuilder::ethernet2([2, 0xee, 0, 0, 0, 1], LAN_MAC);
    let mut frame = Vec::new();
    match to {
        IpAddr::V4(to) => builder
            .ipv4([192, 0, 2, 1], to.octets(), 60)
            .icmpv4_raw(kind, code, [a, b, c, d])
            .write(&mut frame, quote),
        IpAddr::V6(to) => builder
            .ipv6([0x20; 16], to.octets(), 60)
            .icmpv6_raw(kind, code, [a, b, c, d])
            .write(&mut frame, quote),
    }
    .unwrap();
    frame
}

/// What an error says: from, to, TTL, type, code, size, quote.
fn read_error(frame: &[u8]) -> (IpAddr, IpAddr, u8, (u8, u8), u32, Vec<u8>) {
    let packet = SlicedPacket::from_ethernet(frame).unwrap();
    match (packet.net.unwrap(), packet.transport.unwrap()) {
        (NetSlice::Ipv4(ip), TransportSlice::Icmpv4(icmp)) => {
            let header = ip.header();
            let sum = header.to_header().calc_header_checksum();
            assert_eq!(header.header_checksum(), sum);
            let sum = icmp.icmp_type().calc_checksum(icmp.payload());
            assert_eq!(icmp.checksum(), sum);
            let (from, to) = (header.source_addr(), header.destination_addr());
            let kind = (icmp.type_u8(), icmp.code_u8());
            let size = u32::from_be_bytes(icmp.bytes5to8());
            let quote = icmp.payload().to_vec();
            (from.into(), to.into(), header.ttl(), kind, size, quote)
        }
        (NetSlice::Ipv6(ip), TransportSlice::Icmpv6(icmp)) => {
            let header = ip.header();
            assert!(icmp.is_checksum_valid(header.source(), header.destination()));
            let (from, to) = (header.source_addr(), header.destination_addr());
            let kind = (icmp.type_u8(), icmp.code_u8());
            let size = u32::from_be_bytes(icmp.bytes5to8());
            let quote = icmp.payload().to_vec();
            (
                from.into(),
                to.into(),
                header.hop_limit(),
                kind,
                size,
                quote,
            )
        }
        other => panic!("{other:?}"),
    }
}

/// Addresses, ports and protocol of a packet of which the beginning is quoted.
fn quoted_ends(quote: &[u8]) -> (SocketAddr, SocketAddr, u8) {
    let (headers, rest): (_, &[u8]) = if quote[0] >> 4 == 4 {
        let (header, rest) = Ipv4Header::from_slice(quote).unwrap();
        assert_eq!(header.header_checksum, header.calc_header_checksum());
        let (from, to) = (header.source.into(), header.destination.into());
        ((from, to, header.protocol.0), rest)
    } else {
        let (header, rest) = Ipv6Header::from_slice(quote).unwrap();
        let (from, to): (IpAddr, IpAddr) = (header.source.into(), header.destination.into());
        ((from, to, header.next_header.0), rest)
    };
    let port = |at: usize| u16::from_be_bytes([rest[at], rest[at + 1]]);
    let (from, to, protocol) = headers;
    (
        SocketAddr::new(from, port(0)),
        SocketAddr::new(to, port(2)),
        protocol,
    )
}

/// Type and code, and the size.
type Error = ((u8, u8), u32);

/// Too big, no such port, time exceeded: of IPv4 and of IPv6. Sizes differ by the headers.
const ERRORS: [[Error; 2]; 3] = [
    [((3, 4), 1400), ((2, 0), 1420)],
    [((3, 3), 0), ((1, 4), 0)],
    [((11, 0), 0), ((3, 0), 0)],
];

#[test]
fn errors_of_routers_cross_too() {
    for (site, error) in Site::ALL.into_iter().flat_map(|s| ERRORS.map(|e| (s, e))) {
        let [of4, of6] = error;
        for bytes in [48, 548, 5000] {
            let what = format!("{site:?} {error:?} {bytes}");
            let memory = balancer();
            let (_, forwarded) = walk(&memory, &site.packet(1, SYN).payload(300).frame());
            let origin = SocketAddr::new(local(site), 5000);
            let (at_client, at_backend) = if site.vip().is_ipv6() {
                (of6, of4)
            } else {
                (of4, of6)
            };

            // About the client's packet, from behind the balancer.
            let (kind, size) = at_backend;
            let frame = complaint(&forwarded, origin.ip(), kind, size, bytes);
            let buffer = Buffer::new(LAN, &frame);
            assert_eq!(memory.receive(&buffer), Ok(Action::Send), "{what}");
            let sent = buffer.bytes();
            assert_eq!(sent[..6], CLIENT_MAC, "{what}");
            let (from, to, hops, told, told_size, quote) = read_error(&sent);
            assert_eq!((from, to), (site.vip().ip(), site.client(1).ip()), "{what}");
            assert_eq!(
                (hops, told, told_size),
                (59, at_client.0, at_client.1),
                "{what}"
            );
            let ends = (site.client(1), site.vip(), site.protocol() as u8);
            assert_eq!(quoted_ends(&quote), ends, "{what}");

            // About the answer, from before it.
            let answered = match site.protocol() {
                Protocol::Tcp => Probe::tcp(CLIENT_MAC, site.vip(), site.client(1), ACK),
                Protocol::Udp => Probe::udp(CLIENT_MAC, site.vip(), site.client(1)),
            };
            let (kind, size) = at_client;
            let answered = answered.payload(301).frame();
            let frame = complaint(&answered, site.vip().ip(), kind, size, bytes);
            let buffer = Buffer::new(LAN, &frame);
            assert_eq!(memory.receive(&buffer), Ok(Action::Send), "{what}");
            let sent = buffer.bytes();
            assert_eq!(sent[..6], backend_mac(only(site)), "{what}");
            let (from, to, hops, told, told_size, quote) = read_error(&sent);
            assert_eq!((from, to), (origin.ip(), backend(site).ip()), "{what}");
            assert_eq!(
                (hops, told, told_size),
                (59, at_backend.0, at_backend.1),
                "{what}"
            );
            let ends = (backend(site), origin, site.protocol() as u8);
            assert_eq!(quoted_ends(&quote), ends, "{what}");
        }
    }
}

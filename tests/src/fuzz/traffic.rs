//! What the balancer that is fuzzed gets: packets of clients and answers of backends, in tunnels and quoted by
//! routers.

use std::net::{IpAddr, SocketAddr};

use etherparse::PacketBuilder;
use lvs_common::Protocol;
use lvs_ebpf::host::Probe;
use rand::{Rng as _, rngs::SmallRng};

use super::world::{
    LAN_MAC, LOCAL_PORTS, Place, SERVICES, TAGS, address, backend, endpoint, local, other,
    tunnel_source,
};

/// Client ports in use: more flows than the table has room for.
const CLIENTS: u16 = 400;

/// Where nobody serves.
const OTHERS: [(Protocol, &str); 3] = [
    (Protocol::Tcp, "10.0.0.29:22"),
    (Protocol::Udp, "10.0.0.77:53"),
    (Protocol::Tcp, "[2001:db8::77]:80"),
];

/// The frame with its IP packet in a tunnel to this address.
fn tunnelled(random: &mut SmallRng, frame: &[u8], to: IpAddr) -> Vec<u8> {
    let is_v6 = to.is_ipv6();
    let ecn = random.random_range(0..4_u8);
    let tags = frame[12..].chunks(4).take_while(|tag| is_tag(tag)).count();
    let (link, packet) = frame.split_at(14 + 4 * tags);
    let protocol = if packet[0] >> 4 == 4 { 4 } else { 41 };
    let source = match (tunnel_source(is_v6), random.random_ratio(1, 16)) {
        (_, true) => endpoint(is_v6),
        (source, false) => source,
    };
    let len = packet.len() as u16;
    let mut outer = match source {
        IpAddr::V4(_) => {
            let [high, low] = (len + 20).to_be_bytes();
            vec![0x45, ecn, high, low, 0, 0, 0x40, 0, 60, protocol, 0, 0]
        }
        IpAddr::V6(_) => {
            let [high, low] = len.to_be_bytes();
            vec![0x60, ecn << 4, 0, 0, high, low, protocol, 60]
        }
    };
    for address in [source, to] {
        match address {
            IpAddr::V4(ip) => outer.extend(ip.octets()),
            IpAddr::V6(ip) => outer.extend(ip.octets()),
        }
    }
    let ether_type = if is_v6 { [0x86, 0xdd] } else { [0x08, 0] };
    [&link[..link.len() - 2], &ether_type, &outer, packet].concat()
}

/// An ICMP error about the packet of a frame, or about that in the other direction, or about a tunnel with
/// it.
fn complaint(random: &mut SmallRng, frame: &[u8]) -> Vec<u8> {
    let mut quote = match random.random_range(0..3) {
        0 => {
            let number = random.random_range(1..=3);
            let vip = address(if random.random() {
                "10.0.0.1:1"
            } else {
                "[::1]:1"
            });
            tunnelled(random, frame, backend(vip, number).ip())
        }
        _ => frame.to_vec(),
    };
    let tags = quote[12..].chunks(4).take_while(|tag| is_tag(tag)).count();
    quote.drain(..14 + 4 * tags);
    let is_v4 = quote[0] >> 4 == 4;
    let (addresses, header) = if is_v4 { (12..20, 20) } else { (8..40, 40) };
    if random.random() && quote.len() >= header + 4 {
        let middle = addresses.len() / 2;
        quote[addresses].rotate_left(middle);
        quote[header..header + 4].rotate_left(2);
    }
    quote.truncate(random.random_range(0..700));
    let size = random.random_range(0..1600_u32).to_be_bytes();
    let hops = random.random_range(0..4);
    let builder = PacketBuilder::ethernet2([2, 0xee, 0, 0, 0, 1], LAN_MAC);
    let mut frame = Vec::new();
    let written = match endpoint(!is_v4) {
        IpAddr::V4(to) => {
            let kinds = [(3, 4), (3, 3), (3, 1), (11, 0), (8, 0)];
            let (kind, code) = kinds[random.random_range(0..kinds.len())];
            let builder = builder.ipv4([192, 0, 2, 1], to.octets(), hops);
            let builder = builder.icmpv4_raw(kind, code, size);
            builder.write(&mut frame, &quote)
        }
        IpAddr::V6(to) => {
            let kinds = [(2, 0), (1, 4), (1, 0), (3, 0), (128, 0)];
            let (kind, code) = kinds[random.random_range(0..kinds.len())];
            let builder = builder.ipv6([0x20; 16], to.octets(), hops);
            let builder = builder.icmpv6_raw(kind, code, size);
            builder.write(&mut frame, &quote)
        }
    };
    written.expect("it fits into an IP packet");
    frame
}

/// Whether these bytes are a VLAN tag.
fn is_tag(bytes: &[u8]) -> bool {
    matches!(bytes, [0x81, 0, ..] | [0x88, 0xa8, ..])
}

/// What a backend sends: with luck an answer.
fn answer(
    random: &mut SmallRng,
    protocol: Protocol,
    service: SocketAddr,
    client: SocketAddr,
) -> Probe {
    let from = backend(service, random.random_range(0..4));
    let to = if random.random() && client.is_ipv4() == service.is_ipv4() {
        client
    } else {
        SocketAddr::new(local(service), random.random_range(LOCAL_PORTS))
    };
    match protocol {
        Protocol::Tcp => {
            let flags = [0x12, 0x10, 0x11, 0x04][random.random_range(0..4)];
            Probe::tcp(LAN_MAC, from, to, flags)
        }
        Protocol::Udp => Probe::udp(LAN_MAC, from, to),
    }
}

/// A valid packet: most are for a service, of one of the clients in use.
pub(super) fn packet(random: &mut SmallRng) -> Vec<u8> {
    let (protocol, service, place) = if random.random_ratio(1, 12) {
        let (protocol, service) = OTHERS[random.random_range(0..OTHERS.len())];
        (protocol, service, Place::Near)
    } else {
        SERVICES[random.random_range(0..SERVICES.len())]
    };
    let service = address(service);
    let client = if service.is_ipv4() {
        address("10.0.0.100:50000")
    } else {
        address("[2001:db8::64]:50000")
    };
    // Half of the packets are of a few clients, so that some connections get far.
    let clients = if random.random() {
        CLIENTS / 100
    } else {
        CLIENTS
    };
    let port = client.port() + random.random_range(0..clients);
    let client = SocketAddr::new(client.ip(), port);
    let mut probe = match protocol {
        // SYN, ACK and FIN in a life's proportion, and now and then any of them.
        Protocol::Tcp => {
            const FLAGS: [u8; 8] = [0x02, 0x02, 0x10, 0x10, 0x10, 0x11, 0x04, 0x12];
            let flags = match random.random_range(0..FLAGS.len() + 1) {
                i if i < FLAGS.len() => FLAGS[i],
                _ => random.random(),
            };
            Probe::tcp(LAN_MAC, client, service, flags)
        }
        Protocol::Udp => Probe::udp(LAN_MAC, client, service),
    };
    if random.random_ratio(1, 6) {
        let side = if place == Place::Across {
            other(service)
        } else {
            service
        };
        probe = answer(random, protocol, side, client);
    }
    probe = probe.hops(match random.random_range(0..20) {
        0 => 0,
        1 => 1,
        2 => 2,
        _ => 64,
    });
    if place == Place::Tagged && !random.random_ratio(1, 4) {
        probe = probe.tag(0x88a8, TAGS[0]).tag(0x8100, 0x6000 | TAGS[1]);
    }
    if random.random_ratio(1, 8) {
        let words = random.random_range(0..=10);
        probe = probe.options(&vec![1; 4 * words]);
    }
    let payload = match random.random_range(0..20) {
        0 => random.random_range(1400..2000),
        1 => random.random_range(0..1400),
        _ => random.random_range(0..40),
    };
    let mut frame = probe.payload(payload).frame();
    if random.random_ratio(1, 10) {
        frame = complaint(random, &frame);
    }
    if random.random_ratio(1, 8) {
        let end = endpoint(random.random());
        frame = tunnelled(random, &frame, end);
    }
    if random.random_ratio(1, 16) {
        // Another gateway.
        frame[11] = random.random_range(0..6);
    }
    frame
}

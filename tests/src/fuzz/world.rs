//! The balancer that is fuzzed: services for every way in which a packet can end.

use std::{
    net::{IpAddr, Ipv6Addr, SocketAddr},
    ops::RangeInclusive,
};

use lvs_common::{MidStream, Protocol, Scheduler, map::NextHop};
use lvs_ebpf::host::{Memory, Probe, Setup};
use rand::{Rng as _, rngs::SmallRng};

/// Interfaces of the balancer.
pub(super) const LAN: u32 = 2;
pub(super) const DMZ: u32 = 3;
/// An interface that the program is not attached to.
pub(super) const STRANGE: u32 = 4;

const LAN_MAC: [u8; 6] = [0x02, 0x1b, 0, 0, 0, 2];
const DMZ_MAC: [u8; 6] = [0x02, 0x1b, 0, 0, 0, 3];

/// Client ports in use: more flows than the table has room for.
const CLIENTS: u16 = 400;
const HALVES: u32 = 64;
const MTU: u32 = 1500;
/// VLAN ids of the network behind the tagged service.
const TAGS: [u16; 2] = [200, 100];

/// Where a service's backends are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Beside the clients.
    Near,
    /// Behind the other interface.
    Far,
    /// In a VLAN within another.
    Tagged,
    /// Their MAC addresses are not known.
    Unresolved,
    /// There are none with a weight.
    Nowhere,
    /// Beside the clients, and packets to them are translated.
    Translated,
    /// As before, on both sides.
    FullyTranslated,
    /// As before, and they are of the other family.
    Across,
    /// In the other end of tunnels of their own family.
    Tunnelled,
    /// Of those of the other family, from varying sources.
    TunnelledAcross,
    /// The balancer itself.
    Here,
    /// As before, and packets to them are translated.
    TranslatedHere,
}

const SERVICES: [(Protocol, &str, Place); 23] = [
    (Protocol::Tcp, "10.0.0.29:80", Place::Near),
    (Protocol::Udp, "10.0.0.29:53", Place::Near),
    (Protocol::Tcp, "[2001:db8::29]:80", Place::Near),
    (Protocol::Udp, "[2001:db8::29]:53", Place::Near),
    (Protocol::Tcp, "10.0.0.30:80", Place::Far),
    (Protocol::Udp, "[2001:db8::30]:53", Place::Far),
    (Protocol::Tcp, "[2001:db8::31]:80", Place::Tagged),
    (Protocol::Udp, "10.0.0.31:53", Place::Tagged),
    (Protocol::Udp, "10.0.0.32:53", Place::Unresolved),
    (Protocol::Tcp, "[2001:db8::33]:80", Place::Nowhere),
    (Protocol::Tcp, "10.0.0.34:80", Place::Translated),
    (Protocol::Udp, "[2001:db8::34]:53", Place::Translated),
    (Protocol::Tcp, "10.0.0.35:80", Place::Translated),
    (Protocol::Tcp, "[2001:db8::36]:80", Place::FullyTranslated),
    (Protocol::Udp, "10.0.0.36:53", Place::FullyTranslated),
    (Protocol::Tcp, "10.0.0.37:80", Place::Across),
    (Protocol::Udp, "[2001:db8::37]:53", Place::Across),
    (Protocol::Tcp, "[2001:db8::38]:80", Place::Tunnelled),
    (Protocol::Udp, "10.0.0.38:53", Place::Tunnelled),
    (Protocol::Tcp, "10.0.0.39:80", Place::TunnelledAcross),
    (Protocol::Udp, "[2001:db8::39]:53", Place::TunnelledAcross),
    (Protocol::Tcp, "10.0.0.40:80", Place::Here),
    (Protocol::Udp, "[2001:db8::40]:53", Place::TranslatedHere),
];

/// Port of backends whose packets are translated.
const PORT: u16 = 8080;
/// Local ports: too few for all clients.
const LOCAL_PORTS: RangeInclusive<u16> = 6000..=6015;
/// More than there is room for.
const GATEWAYS: u32 = 4;

/// Where nobody serves.
const OTHERS: [(Protocol, &str); 3] = [
    (Protocol::Tcp, "10.0.0.29:22"),
    (Protocol::Udp, "10.0.0.77:53"),
    (Protocol::Tcp, "[2001:db8::77]:80"),
];

fn address(text: &str) -> SocketAddr {
    text.parse().expect("a constant address and port")
}

/// The maps of the balancer.
pub(super) fn memory(seed: u64) -> Memory {
    // The clock wraps after a while.
    let setup = Setup::new(seed).halves(HALVES).now(u32::MAX - 100_000);
    let mut setup = setup.gateways(GATEWAYS);
    setup.interface(LAN, LAN_MAC);
    setup.interface(DMZ, DMZ_MAC);
    for (number, (protocol, vip, place)) in (0_u8..).zip(SERVICES) {
        let vip = address(vip);
        let id = setup.service(protocol, vip.ip(), vip.port(), Scheduler::Wrr);
        for weight in 1..=3 {
            let mac = [0x02, 0xbe, 0, 0, number, weight];
            let hop = match place {
                Place::Far => setup.next_hop(NextHop::new(DMZ, MTU, mac, DMZ_MAC)),
                Place::Unresolved => 0,
                Place::Here | Place::TranslatedHere => setup.next_hop(NextHop::LOCAL),
                Place::Tunnelled | Place::TunnelledAcross => {
                    let mut hop = NextHop::new(LAN, MTU, mac, LAN_MAC);
                    let crosses = place == Place::TunnelledAcross;
                    hop.source = tunnel_source(vip.is_ipv4() == crosses).into();
                    setup.next_hop(hop)
                }
                Place::Near
                | Place::Nowhere
                | Place::Translated
                | Place::FullyTranslated
                | Place::Across => setup.next_hop(NextHop::new(LAN, MTU, mac, LAN_MAC)),
                Place::Tagged => {
                    let mut hop = NextHop::new(LAN, MTU, mac, LAN_MAC);
                    hop.tags = TAGS;
                    setup.next_hop(hop)
                }
            };
            let address = match place {
                Place::Across | Place::TunnelledAcross => backend(other(vip), weight),
                _ => backend(vip, weight),
            };
            // Where it is one backend alone, two services get in each other's way.
            let weight = match place {
                Place::Nowhere => 0,
                Place::Translated if weight > 1 => 0,
                _ => weight,
            };
            let backend = setup.backend(id, address.ip(), u16::from(weight), hop);
            match place {
                Place::Translated | Place::TranslatedHere => setup.nat(backend, Some(PORT)),
                Place::FullyTranslated => {
                    setup.full_nat(backend, Some(PORT), &[local(vip)], LOCAL_PORTS);
                }
                Place::Across => {
                    setup.full_nat(backend, Some(PORT), &[local(other(vip))], LOCAL_PORTS);
                }
                Place::Tunnelled => setup.tun(backend, 0),
                Place::TunnelledAcross => setup.tun(backend, 12),
                _ => {}
            }
        }
        setup.mid_stream(
            id,
            match place {
                Place::Far => MidStream::Drop,
                Place::Tagged => MidStream::Schedule,
                _ => MidStream::Pass,
            },
        );
    }
    for is_v6 in [false, true] {
        setup.endpoint(endpoint(is_v6));
        setup.tunnels_from(tunnel_source(is_v6), if is_v6 { 64 } else { 16 });
    }
    setup.build()
}

/// An address of the other family than this one.
fn other(vip: SocketAddr) -> SocketAddr {
    address(if vip.is_ipv4() {
        "[2001:db8::1]:1"
    } else {
        "10.0.0.1:1"
    })
}

/// Where tunnels of a family begin.
fn tunnel_source(is_v6: bool) -> IpAddr {
    let text = if is_v6 { "2001:db8:f::" } else { "172.16.0.0" };
    text.parse().expect("a constant address")
}

/// Where those of clients in front end.
fn endpoint(is_v6: bool) -> IpAddr {
    let text = if is_v6 { "2001:db8::2" } else { "10.0.0.2" };
    text.parse().expect("a constant address")
}

/// The frame with its IP packet in a tunnel that ends here, or nearly.
fn tunnelled(random: &mut SmallRng, frame: &[u8]) -> Vec<u8> {
    let is_v6: bool = random.random();
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
    for address in [source, endpoint(is_v6)] {
        match address {
            IpAddr::V4(ip) => outer.extend(ip.octets()),
            IpAddr::V6(ip) => outer.extend(ip.octets()),
        }
    }
    let ether_type = if is_v6 { [0x86, 0xdd] } else { [0x08, 0] };
    [&link[..link.len() - 2], &ether_type, &outer, packet].concat()
}

/// Whether these bytes are a VLAN tag.
fn is_tag(bytes: &[u8]) -> bool {
    matches!(bytes, [0x81, 0, ..] | [0x88, 0xa8, ..])
}

/// A backend of a service, with the port of those that are translated. Services share them.
fn backend(vip: SocketAddr, number: u8) -> SocketAddr {
    let ip: IpAddr = if vip.is_ipv4() {
        [10, 0, 1, number].into()
    } else {
        Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, number.into()).into()
    };
    SocketAddr::new(ip, PORT)
}

/// The local address of a family.
fn local(vip: SocketAddr) -> IpAddr {
    if vip.is_ipv4() {
        [10, 0, 0, 200].into()
    } else {
        Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x200).into()
    }
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
    if random.random_ratio(1, 8) {
        frame = tunnelled(random, &frame);
    }
    if random.random_ratio(1, 16) {
        // Another gateway.
        frame[11] = random.random_range(0..6);
    }
    frame
}

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
}

const SERVICES: [(Protocol, &str, Place); 15] = [
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
                Place::Near | Place::Nowhere | Place::Translated | Place::FullyTranslated => {
                    setup.next_hop(NextHop::new(LAN, MTU, mac, LAN_MAC))
                }
                Place::Tagged => {
                    let mut hop = NextHop::new(LAN, MTU, mac, LAN_MAC);
                    hop.tags = TAGS;
                    setup.next_hop(hop)
                }
            };
            let address = backend(vip, weight);
            // Where it is one backend alone, two services get in each other's way.
            let weight = match place {
                Place::Nowhere => 0,
                Place::Translated if weight > 1 => 0,
                _ => weight,
            };
            let backend = setup.backend(id, address.ip(), u16::from(weight), hop);
            match place {
                Place::Translated => setup.nat(backend, Some(PORT)),
                Place::FullyTranslated => {
                    setup.full_nat(backend, Some(PORT), &[local(vip)], LOCAL_PORTS);
                }
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
    setup.build()
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
    let to = if random.random() {
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
        probe = answer(random, protocol, service, client);
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
    if random.random_ratio(1, 16) {
        // Another gateway.
        frame[11] = random.random_range(0..6);
    }
    frame
}

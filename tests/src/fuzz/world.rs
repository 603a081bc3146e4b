//! The balancer that is fuzzed: services for every way in which a packet can end.

use std::{
    net::{IpAddr, Ipv6Addr, SocketAddr},
    ops::RangeInclusive,
};

use lvs_common::{
    MidStream, NoBackend, Protocol, Scheduler,
    bucket::{PARTS, Rate},
    map::NextHop,
};
use lvs_ebpf::host::{Memory, Setup};

/// Interfaces of the balancer.
pub(super) const LAN: u32 = 2;
pub(super) const DMZ: u32 = 3;
/// An interface that the program is not attached to.
pub(super) const STRANGE: u32 = 4;

pub(super) const LAN_MAC: [u8; 6] = [0x02, 0x1b, 0, 0, 0, 2];
const DMZ_MAC: [u8; 6] = [0x02, 0x1b, 0, 0, 0, 3];

const HALVES: u32 = 64;
const MTU: u32 = 1500;
/// VLAN ids of the network behind the tagged service.
pub(super) const TAGS: [u16; 2] = [200, 100];

/// Where a service's backends are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
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

pub(super) const SERVICES: [(Protocol, &str, Place); 23] = [
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
pub(super) const PORT: u16 = 8080;
/// Local ports: too few for all clients.
pub(super) const LOCAL_PORTS: RangeInclusive<u16> = 6000..=6015;
/// More than there is room for.
const GATEWAYS: u32 = 4;

pub(super) fn address(text: &str) -> SocketAddr {
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
        setup.no_backend(
            id,
            match number % 3 {
                0 => NoBackend::Reset,
                1 => NoBackend::Drop,
                _ => NoBackend::Unreachable,
            },
        );
        setup.mid_stream(
            id,
            match place {
                Place::Far => MidStream::Drop,
                Place::Tagged => MidStream::Schedule,
                _ => MidStream::Pass,
            },
        );
    }
    let rate = Rate {
        per_tick: 8 * PARTS,
        burst: 1_000 * PARTS,
    };
    setup.notices(rate, rate);
    for is_v6 in [false, true] {
        setup.endpoint(endpoint(is_v6));
        setup.tunnels_from(tunnel_source(is_v6), if is_v6 { 64 } else { 16 });
    }
    setup.build()
}

/// An address of the other family than this one.
pub(super) fn other(vip: SocketAddr) -> SocketAddr {
    address(if vip.is_ipv4() {
        "[2001:db8::1]:1"
    } else {
        "10.0.0.1:1"
    })
}

/// Where tunnels of a family begin.
pub(super) fn tunnel_source(is_v6: bool) -> IpAddr {
    let text = if is_v6 { "2001:db8:f::" } else { "172.16.0.0" };
    text.parse().expect("a constant address")
}

/// Where those of clients in front end.
pub(super) fn endpoint(is_v6: bool) -> IpAddr {
    let text = if is_v6 { "2001:db8::2" } else { "10.0.0.2" };
    text.parse().expect("a constant address")
}

/// A backend of a service, with the port of those that are translated. Services share them.
pub(super) fn backend(vip: SocketAddr, number: u8) -> SocketAddr {
    let ip: IpAddr = if vip.is_ipv4() {
        [10, 0, 1, number].into()
    } else {
        Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, number.into()).into()
    };
    SocketAddr::new(ip, PORT)
}

/// The local address of a family.
pub(super) fn local(vip: SocketAddr) -> IpAddr {
    if vip.is_ipv4() {
        [10, 0, 0, 200].into()
    } else {
        Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x200).into()
    }
}

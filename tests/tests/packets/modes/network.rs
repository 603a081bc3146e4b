//! Who is where in these tests.

use std::net::{IpAddr, SocketAddr};

use lvs_common::{Family, Protocol, tcp};
use lvs_tests::packet::{BALANCER_MAC, Frame, Hop, INGRESS, IpHeader};

use crate::farm::{CUSTOMER, ELSEWHERE, PROVIDER};

/// Families, which go round together.
pub(crate) const FAMILIES: [Family; 2] = [Family::Ipv4, Family::Ipv6];

/// The interface of the balancer that backends are behind, where it has two arms.
pub(crate) const DMZ: u32 = ELSEWHERE;

/// MAC address of that interface.
pub(crate) const DMZ_MAC: [u8; 6] = [0x02, 0x1b, 0, 0, 0, 0x42];

fn of(family: Family, v4: &str, v6: &str) -> IpAddr {
    let text = if family == Family::Ipv4 { v4 } else { v6 };
    text.parse().expect("an address")
}

/// The client that connects from this port.
pub(crate) fn client(family: Family, port: u16) -> SocketAddr {
    SocketAddr::new(of(family, "192.0.2.100", "2001:db8:c::64"), port)
}

/// The virtual address, with the port of a service.
pub(crate) fn vip(family: Family, port: u16) -> SocketAddr {
    SocketAddr::new(of(family, "10.0.0.29", "2001:db8::29"), port)
}

/// A backend.
pub(crate) fn backend(family: Family, port: u16) -> SocketAddr {
    SocketAddr::new(of(family, "10.0.1.17", "2001:db8:1::17"), port)
}

/// A local address of FULLNAT.
pub(crate) fn local(family: Family) -> IpAddr {
    of(family, "10.0.1.200", "2001:db8:1::200")
}

/// The balancer's own address: its tunnels begin here, and those of others end here.
pub(crate) fn balancer(family: Family) -> IpAddr {
    of(family, "10.0.1.1", "2001:db8:1::1")
}

/// Who sends packets to the balancer in tunnels.
pub(crate) fn sender(family: Family) -> IpAddr {
    of(family, "198.51.100.7", "2001:db8:7::7")
}

/// What a client sends first: a SYN, or a datagram.
pub(crate) fn first(protocol: Protocol, from: SocketAddr, to: SocketAddr) -> Frame {
    match protocol {
        Protocol::Tcp => Frame::tcp(from, to, tcp::SYN),
        Protocol::Udp => Frame::udp(from, to),
    }
}

/// A later packet of either side: an ACK, or a datagram.
pub(crate) fn next(protocol: Protocol, from: SocketAddr, to: SocketAddr) -> Frame {
    first(protocol, from, to).flags(tcp::ACK)
}

/// VLAN tags of a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tags {
    Untagged,
    Vlan,
    QinQ,
}

impl Tags {
    pub(crate) const ALL: [Self; 3] = [Self::Untagged, Self::Vlan, Self::QinQ];

    /// `EtherType` and control information of each, outermost first.
    pub(crate) const fn header(self) -> &'static [(u16, u16)] {
        match self {
            Self::Untagged => &[],
            Self::Vlan => &[(CUSTOMER, 100)],
            Self::QinQ => &[(PROVIDER, 300), (CUSTOMER, 200)],
        }
    }

    const fn ids(self) -> [u16; 2] {
        match self {
            Self::Untagged => [0, 0],
            Self::Vlan => [100, 0],
            Self::QinQ => [300, 200],
        }
    }
}

/// Interfaces of the balancer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arms {
    /// Clients and backends are behind the same one.
    One,
    /// Backends are behind another one.
    Two,
}

impl Arms {
    pub(crate) const ALL: [Self; 2] = [Self::One, Self::Two];

    /// The one that backends are behind.
    pub(crate) const fn interface(self) -> u32 {
        match self {
            Self::One => INGRESS,
            Self::Two => DMZ,
        }
    }

    /// Its MAC address.
    pub(crate) const fn mac(self) -> [u8; 6] {
        match self {
            Self::One => BALANCER_MAC,
            Self::Two => DMZ_MAC,
        }
    }
}

/// The way to a backend of this family on such a network.
pub(crate) fn hop(family: Family, tags: Tags, arms: Arms) -> Hop {
    Hop {
        interface: arms.interface(),
        from: arms.mac(),
        tags: tags.ids(),
        source: Some(balancer(family)),
        ..Hop::neighbour(17)
    }
}

/// The way to a backend next to the clients.
pub(crate) fn near(family: Family) -> Hop {
    hop(family, Tags::Untagged, Arms::One)
}

/// The packet in a tunnel that ends at the balancer.
pub(crate) fn in_tunnel(frame: Frame, family: Family) -> Frame {
    frame.within(IpHeader::new(sender(family), balancer(family)))
}

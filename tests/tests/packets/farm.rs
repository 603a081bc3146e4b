//! Services that many of these tests share, and clients of theirs.

use std::net::SocketAddr;

use lvs_common::{Protocol, tcp};
use lvs_tests::packet::{BackendSpec, Frame, Hop, INGRESS, Rig, ServiceSpec};

/// `EtherType` of a tag of IEEE 802.1Q.
pub(crate) const CUSTOMER: u16 = 0x8100;

/// `EtherType` of the outer tag of 802.1ad.
pub(crate) const PROVIDER: u16 = 0x88a8;

/// Another interface than the one that frames come by. The kernel looks for it after the verdict.
pub(crate) const ELSEWHERE: u32 = INGRESS + 41;

/// A service of a farm, with one backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Site {
    Web,
    Dns,
    Web6,
    Dns6,
}

use Site::{Dns, Dns6, Web, Web6};

/// All of them: IPv4 and IPv6, TCP and UDP.
pub(crate) const SITES: [Site; 4] = [Web, Dns, Web6, Dns6];

impl Site {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Web => "web",
            Dns => "dns",
            Web6 => "web6",
            Dns6 => "dns6",
        }
    }

    /// Name of its backend.
    pub(crate) const fn backend(self) -> &'static str {
        match self {
            Web => "web-1",
            Dns => "dns-1",
            Web6 => "web6-1",
            Dns6 => "dns6-1",
        }
    }

    pub(crate) const fn protocol(self) -> Protocol {
        match self {
            Web | Web6 => Protocol::Tcp,
            Dns | Dns6 => Protocol::Udp,
        }
    }

    pub(crate) const fn is_ipv6(self) -> bool {
        matches!(self, Web6 | Dns6)
    }

    pub(crate) fn address(self) -> SocketAddr {
        address(match self {
            Web => "10.0.0.29:80",
            Dns => "10.0.0.29:53",
            Web6 => "[2001:db8::29]:80",
            Dns6 => "[2001:db8::29]:53",
        })
    }

    /// Where its backend is.
    pub(crate) fn hop(self) -> Hop {
        Hop::neighbour(self as u8 + 1)
    }

    pub(crate) fn service(self) -> ServiceSpec {
        let backends = [BackendSpec::behind(self.hop())];
        ServiceSpec::new(self.name(), self.protocol(), self.address(), backends)
    }

    /// The client that connects from this port.
    pub(crate) fn client(self, port: u16) -> SocketAddr {
        let client = if self.is_ipv6() {
            "[2001:db8:c::64]:0"
        } else {
            "192.0.2.100:0"
        };
        SocketAddr::new(address(client).ip(), port)
    }

    /// What that client sends first: a SYN, or a datagram.
    pub(crate) fn first(self, port: u16) -> Frame {
        match self.protocol() {
            Protocol::Tcp => self.segment(port, tcp::SYN),
            Protocol::Udp => Frame::udp(self.client(port), self.address()),
        }
    }

    /// What it sends then: an ACK, or another datagram.
    pub(crate) fn next(self, port: u16) -> Frame {
        self.first(port).flags(tcp::ACK)
    }

    /// A TCP segment with these flags.
    pub(crate) fn segment(self, port: u16, flags: u8) -> Frame {
        Frame::tcp(self.client(port), self.address(), flags)
    }
}

pub(crate) fn address(text: &str) -> SocketAddr {
    text.parse().expect("an address and a port")
}

/// A rig with all sites.
pub(crate) fn farm() -> Rig {
    Rig::new(&SITES.map(Site::service))
}

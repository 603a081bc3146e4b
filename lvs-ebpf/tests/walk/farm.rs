//! A balancer with services for every protocol and family, and clients that talk to it.

use std::net::{IpAddr, SocketAddr};

use lvs_common::{Protocol, Reason, Scheduler, flow::Word, map::NextHop};
use lvs_ebpf::{
    Action,
    family::{V4, V6},
    host::{AnyTuple, Buffer, Flow, Memory, Probe, Setup, audit, judge, read},
    kernel::Tables as _,
    table::open,
};

/// Interface of the balancer, with all clients and most backends on it.
pub(crate) const LAN: u32 = 2;
/// Its MAC address.
pub(crate) const LAN_MAC: [u8; 6] = [0x02, 0x1b, 0, 0, 0, 2];
/// Another interface.
pub(crate) const DMZ: u32 = 3;
/// Its MAC address.
pub(crate) const DMZ_MAC: [u8; 6] = [0x02, 0x1b, 0, 0, 0, 3];
/// MTU towards every backend.
pub(crate) const MTU: u32 = 1500;

/// Which service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Site {
    /// TCP over IPv4.
    Web,
    /// UDP over IPv4.
    Dns,
    /// TCP over IPv6.
    Web6,
    /// UDP over IPv6.
    Dns6,
}

impl Site {
    /// All of them, in the order of their ids.
    pub(crate) const ALL: [Self; 4] = [Self::Web, Self::Dns, Self::Web6, Self::Dns6];

    /// Its id.
    pub(crate) const fn id(self) -> u32 {
        self as u32
    }

    /// Its protocol.
    pub(crate) const fn protocol(self) -> Protocol {
        match self {
            Self::Web | Self::Web6 => Protocol::Tcp,
            Self::Dns | Self::Dns6 => Protocol::Udp,
        }
    }

    /// Its address and port.
    pub(crate) fn vip(self) -> SocketAddr {
        address(match self {
            Self::Web => "10.0.0.29:80",
            Self::Dns => "10.0.0.29:53",
            Self::Web6 => "[2001:db8::29]:80",
            Self::Dns6 => "[2001:db8::29]:53",
        })
    }

    /// A client of the family of this service.
    pub(crate) fn client(self, number: u16) -> SocketAddr {
        let address = match self {
            Self::Web | Self::Dns => "10.0.0.100",
            Self::Web6 | Self::Dns6 => "2001:db8::64",
        };
        SocketAddr::new(address.parse().unwrap(), 50_000 + number)
    }

    /// A packet of that client with these TCP flags, if it is TCP.
    pub(crate) fn packet(self, client: u16, flags: u8) -> Probe {
        self.packet_of(self.client(client), flags)
    }

    /// The same of any client.
    pub(crate) fn packet_of(self, client: SocketAddr, flags: u8) -> Probe {
        match self.protocol() {
            Protocol::Tcp => Probe::tcp(LAN_MAC, client, self.vip(), flags),
            Protocol::Udp => Probe::udp(LAN_MAC, client, self.vip()),
        }
    }

    /// What the flow of that client is named by.
    pub(crate) fn tuple(self, client: u16) -> AnyTuple {
        read(&self.packet(client, 0).frame(), Some(LAN_MAC))
            .unwrap()
            .tuple
    }
}

/// An address and port from text.
pub(crate) fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// MAC address of the backend with this id.
pub(crate) const fn backend_mac(id: u16) -> [u8; 6] {
    [0x02, 0xbe, 0, 0, (id >> 8) as u8, id as u8]
}

/// The next hop of the backend with this id, on the interface of the clients.
pub(crate) const fn hop_to(id: u16) -> NextHop {
    NextHop::new(LAN, MTU, backend_mac(id), LAN_MAC)
}

/// Both interfaces, and nothing else, before a test adds to it.
pub(crate) fn interfaces() -> Setup {
    let mut setup = Setup::new(1);
    setup.interface(LAN, LAN_MAC);
    setup.interface(DMZ, DMZ_MAC);
    setup
}

/// Adds the services of [`Site`] with that many backends of weight 1 each.
pub(crate) fn with_sites(mut setup: Setup, backends: u16) -> Setup {
    for site in Site::ALL {
        let vip = site.vip();
        let id = setup.service(site.protocol(), vip.ip(), vip.port(), Scheduler::Wrr);
        for number in 0..backends {
            let address = match vip.ip() {
                IpAddr::V4(_) => format!("10.0.0.{}", 17 + number),
                IpAddr::V6(_) => format!("2001:db8::{:x}", 17 + number),
            };
            let backend = 1 + id as u16 * backends + number;
            let hop = setup.next_hop(hop_to(backend));
            let added = setup.backend(id, address.parse().unwrap(), 1, hop);
            assert_eq!(added, backend, "backends are numbered service by service");
        }
    }
    setup
}

/// The services of [`Site`] with three backends each.
pub(crate) fn farm() -> Memory {
    with_sites(interfaces(), 3).build()
}

/// The services of [`Site`] with one backend each.
pub(crate) fn single() -> Memory {
    with_sites(interfaces(), 1).build()
}

/// Id of the only backend of a service of [`single`].
pub(crate) const fn only(site: Site) -> u16 {
    1 + site.id() as u16
}

/// Walks a frame that came by the clients' interface: outcome, and the frame as it is then.
///
/// Whatever the test is about, the outcome must be one that the frame allows.
pub(crate) fn walk(memory: &Memory, frame: &[u8]) -> (Result<Action, Reason>, Vec<u8>) {
    walk_from(memory, LAN, frame)
}

/// As [`walk`], for a frame that came by another interface.
pub(crate) fn walk_from(
    memory: &Memory,
    ingress: u32,
    frame: &[u8],
) -> (Result<Action, Reason>, Vec<u8>) {
    let buffer = Buffer::new(ingress, frame);
    let outcome = memory.receive(&buffer);
    assert!(buffer.is_intact(), "written outside the frame");
    let after = buffer.bytes();
    if outcome != Err(Reason::Inconsistent)
        && let Err(complaint) = judge(memory, ingress, frame, &after, outcome)
    {
        panic!("{complaint}\n{frame:02x?}");
    }
    (outcome, after)
}

/// Sends a packet that must reach a backend; yields its id.
pub(crate) fn send(memory: &Memory, probe: &Probe) -> u16 {
    let (outcome, after) = walk(memory, &probe.frame());
    assert_eq!(outcome, Ok(Action::Send), "{probe:?}");
    assert_eq!(after[..4], backend_mac(0)[..4], "not a backend's address");
    u16::from_be_bytes([after[4], after[5]])
}

/// Sends a packet that must reach no backend; yields the reason.
pub(crate) fn refuse(memory: &Memory, probe: &Probe) -> Reason {
    let (outcome, _) = walk(memory, &probe.frame());
    outcome.expect_err("it was sent")
}

/// The flow of a client of a service, which must be there.
pub(crate) fn flow(memory: &Memory, site: Site, client: u16) -> Flow {
    let tuple = site.tuple(client);
    memory.flow(&tuple).expect("the flow is in the table")
}

/// Puts a flow with this word into the table, as a packet that was seen then would have done.
pub(crate) fn enter(memory: &Memory, site: Site, client: u16, word: Word) {
    let opened = match site.tuple(client) {
        AnyTuple::V4(tuple) => open::<V4, _>(memory, &tuple, word, memory.now()),
        AnyTuple::V6(tuple) => open::<V6, _>(memory, &tuple, word, memory.now()),
    };
    assert!(opened.is_new(), "there was such a flow");
}

/// Checks that LOAD is what a scan counts, and that no flow is in the table twice.
pub(crate) fn assert_sound(memory: &Memory) {
    if let Err(complaint) = audit(memory) {
        panic!("{complaint}");
    }
}

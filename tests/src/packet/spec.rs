//! What a rig is made of.

use std::net::{IpAddr, SocketAddr};

use lvs_common::{
    ForwardingMode, MidStream, NoBackend, Protocol, Scheduler,
    map::{MAX_TAGS, NextHop},
};

use super::INGRESS;

/// Where the frames to a backend go, in a test's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hop {
    /// Index of the interface they leave by.
    pub interface: u32,
    /// Largest IP packet in bytes.
    pub mtu: u32,
    /// Destination MAC address.
    pub to: [u8; 6],
    /// Source MAC address.
    pub from: [u8; 6],
    /// VLAN ids of the network, outermost first, 0 where there is no tag.
    pub tags: [u16; MAX_TAGS],
    /// Where tunnels to it begin.
    pub source: Option<IpAddr>,
}

impl Hop {
    /// This machine itself.
    pub const LOCAL: Self = Self {
        interface: NextHop::LOCAL.interface,
        mtu: NextHop::LOCAL.mtu,
        to: [0; 6],
        from: [0; 6],
        tags: [0; MAX_TAGS],
        source: None,
    };

    /// The untagged neighbour number `n` on the interface that frames come by.
    pub const fn neighbour(n: u8) -> Self {
        Self {
            interface: INGRESS,
            mtu: 1500,
            to: [0x02, 0xbe, 0, 0, 0, n],
            from: [0x02, 0xba, 0, 0, 0, n],
            tags: [0; MAX_TAGS],
            source: None,
        }
    }

    /// As it stands in the map.
    pub(super) fn entry(self) -> NextHop {
        let entry = NextHop::new(self.interface, self.mtu, self.to, self.from);
        NextHop {
            tags: self.tags,
            source: self.source.map_or(entry.source, Into::into),
            ..entry
        }
    }
}

/// A backend of a service.
#[derive(Clone, Copy, Debug)]
pub struct BackendSpec {
    /// Its weight.
    pub weight: u16,
    /// Where its frames go; `None`: its MAC address is not known.
    pub hop: Option<Hop>,
    /// How its packets are forwarded.
    pub mode: ForwardingMode,
    /// Its own address and port; `None`: those of its service.
    pub address: Option<SocketAddr>,
    /// Last bits of the source of tunnels to it that a flow's hash sets.
    pub entropy: u8,
}

impl BackendSpec {
    /// A backend of weight 1 behind this hop.
    pub const fn behind(hop: Hop) -> Self {
        Self {
            weight: 1,
            hop: Some(hop),
            mode: ForwardingMode::Dr,
            address: None,
            entropy: 0,
        }
    }
}

/// A service; its backends are called "NAME-1", "NAME-2" and so on, in the order in which they were
/// added.
#[derive(Clone, Debug)]
pub struct ServiceSpec {
    /// Its name.
    pub name: String,
    /// Its protocol.
    pub protocol: Protocol,
    /// Its address and port.
    pub address: SocketAddr,
    /// Its scheduler.
    pub scheduler: Scheduler,
    /// What becomes of its TCP segments of unknown flows.
    pub mid_stream: MidStream,
    /// What becomes of its packets while it has no backend.
    pub no_backend: NoBackend,
    /// Local addresses of those of its backends that are translated on both sides.
    pub locals: Vec<IpAddr>,
    /// Its backends.
    pub backends: Vec<BackendSpec>,
}

impl ServiceSpec {
    /// A service that shares its flows out by wrr.
    pub fn new(
        name: impl Into<String>,
        protocol: Protocol,
        address: SocketAddr,
        backends: impl IntoIterator<Item = BackendSpec>,
    ) -> Self {
        Self {
            name: name.into(),
            protocol,
            address,
            scheduler: Scheduler::Wrr,
            mid_stream: MidStream::Pass,
            no_backend: NoBackend::Unreachable,
            locals: Vec::new(),
            backends: backends.into_iter().collect(),
        }
    }
}

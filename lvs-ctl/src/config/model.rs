//! The configuration once it is known to be sound: no text left to parse, every default filled in.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    ops::RangeInclusive,
    str::FromStr,
    time::Duration,
};

use lvs_common::{
    ForwardingMode, MidStream, NoBackend, Protocol, Scheduler, UnknownName,
    map::{MAX_LOCALS, MAX_TAGS},
};

use super::prefix::Prefix;

/// What a director runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Names of the interfaces that the XDP program is attached to; at least one, each once. No default.
    pub interfaces: Vec<String>,
    /// How the program is attached. Default: [`XdpMode::Auto`].
    pub xdp: XdpMode,
    /// How many live flows the flow table holds. Default: [`Self::DEFAULT_FLOWS`].
    pub flows: u64,
    /// How long an idle flow is remembered. Default: [`Timeouts::default`].
    pub timeouts: Timeouts,
    /// What becomes of TCP segments of unknown flows. Default: [`Self::DEFAULT_MID_STREAM`].
    pub mid_stream: MidStream,
    /// What clients are told where no backend is usable. Default: [`Self::DEFAULT_NO_BACKEND`].
    pub no_backend: NoBackend,
    /// What the balancer itself sends to senders of packets. Default: [`Notices::default`].
    pub notices: Notices,
    /// Tunnels that end here. Default: none do.
    pub decap: Option<Decap>,
    /// The virtual services; at least one. No default.
    pub services: Vec<Service>,
}

impl Config {
    /// Live flows when the file doesn't say.
    pub const DEFAULT_FLOWS: u64 = 256_000;
    /// Live flows that a table can be made for.
    pub const FLOWS: RangeInclusive<u64> = 1_000..=64_000_000;
    /// What becomes of TCP segments of unknown flows when the file doesn't say: as in IPVS.
    pub const DEFAULT_MID_STREAM: MidStream = MidStream::Pass;
    /// What clients are told where no backend is usable when the file doesn't say: as in IPVS.
    pub const DEFAULT_NO_BACKEND: NoBackend = NoBackend::Unreachable;
    /// Most services of a configuration.
    pub const MAX_SERVICES: usize = 4_096;
    /// Most backends of all services together: a flow names its backend in 16 bits, and 0 is none.
    pub const MAX_BACKENDS: usize = 65_535;
}

/// How the XDP program is attached to an interface.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum XdpMode {
    /// In the driver; where the driver refuses, generic with a warning.
    #[default]
    Auto,
    /// In the driver, or not at all.
    Native,
    /// In the kernel's stack, after it has built a socket buffer: any interface, at a fraction of the speed.
    Generic,
}

impl XdpMode {
    /// Every mode.
    pub const ALL: &'static [Self] = &[Self::Auto, Self::Native, Self::Generic];

    /// The name in the configuration and in output.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Native => "native",
            Self::Generic => "generic",
        }
    }
}

impl fmt::Display for XdpMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for XdpMode {
    type Err = UnknownName;
    fn from_str(text: &str) -> Result<Self, UnknownName> {
        let found = Self::ALL.iter().find(|mode| mode.as_str() == text);
        found.copied().ok_or(UnknownName)
    }
}

/// How many messages the balancer itself sends, ICMP errors and RSTs, and about what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Notices {
    /// How many a second each CPU sends at most, and as many at once; 0: none. Default: 1,000, what the
    /// kernel allows itself (`icmp_msgs_per_sec`).
    pub rate: u32,
    /// How many of them to one address; 0: none. Default: 10, enough for the few paths of a client whose
    /// MTU is found out.
    pub rate_per_address: u32,
    /// Default: [`WithoutDf::Answer`].
    pub without_df: WithoutDf,
}

impl Notices {
    /// What a rate may be, messages a second.
    pub const RATE: RangeInclusive<u32> = 0..=1_000_000;

    /// Whether none is ever sent.
    pub const fn are_off(&self) -> bool {
        self.rate == 0 || self.rate_per_address == 0
    }
}

impl Default for Notices {
    fn default() -> Self {
        Self {
            rate: 1_000,
            rate_per_address: 10,
            without_df: WithoutDf::default(),
        }
    }
}

/// Whether the sender of an IPv4 packet is told that it is too big, if it does not say "don't fragment". It is
/// dropped either way: a router would have made fragments of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WithoutDf {
    /// Yes, so that it sends smaller ones.
    #[default]
    Answer,
    /// No: who lets routers fragment may not expect an answer.
    Drop,
}

impl WithoutDf {
    /// Both.
    pub const ALL: &'static [Self] = &[Self::Answer, Self::Drop];

    /// The name in the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Answer => "answer",
            Self::Drop => "drop",
        }
    }
}

impl fmt::Display for WithoutDf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for WithoutDf {
    type Err = UnknownName;
    fn from_str(text: &str) -> Result<Self, UnknownName> {
        let found = Self::ALL.iter().find(|choice| choice.as_str() == text);
        found.copied().ok_or(UnknownName)
    }
}

/// Tunnels that end at this machine: what they carry is taken as if it had come without them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decap {
    /// The addresses of this machine that they end at; at least one, each once. No default.
    pub endpoints: Vec<IpAddr>,
    /// Where they may come from; at least one, each once. No default.
    pub from: Vec<Prefix>,
}

impl Decap {
    /// Most endpoints.
    pub const MAX_ENDPOINTS: usize = 1_024;
    /// Most prefixes that tunnels may come from.
    pub const MAX_FROM: usize = 65_536;
}

/// How long an idle flow is remembered, as `ipvsadm --set` has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// An established TCP connection. Default: 15 minutes.
    pub tcp: Duration,
    /// A TCP connection after a FIN. Default: 2 minutes.
    pub tcp_fin: Duration,
    /// A UDP flow. Default: 5 minutes.
    pub udp: Duration,
}

impl Timeouts {
    /// What a timeout may be.
    pub const RANGE: RangeInclusive<Duration> =
        Duration::from_secs(1)..=Duration::from_hours(31 * 24);
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            tcp: Duration::from_mins(15),
            tcp_fin: Duration::from_mins(2),
            udp: Duration::from_mins(5),
        }
    }
}

/// A virtual service: what clients connect to, and who answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Unique. Default: protocol and address, such as `tcp 10.0.0.29:80`; one that
    /// is given has at most [`Self::MAX_NAME`] bytes and no blanks.
    pub name: String,
    /// Default: TCP.
    pub protocol: Protocol,
    /// The virtual IP address and port. No default.
    pub address: SocketAddr,
    /// Default: [`Self::DEFAULT_SCHEDULER`].
    pub scheduler: Scheduler,
    /// Default: [`Self::DEFAULT_MODE`].
    pub mode: ForwardingMode,
    /// How long its idle flows are remembered. Default: each that of [`Config::timeouts`].
    pub timeouts: Timeouts,
    /// What becomes of TCP segments of its unknown flows. Default: [`Config::mid_stream`].
    pub mid_stream: MidStream,
    /// What its clients are told while none of its backends is usable. Default: [`Config::no_backend`].
    pub no_backend: NoBackend,
    /// FULLNAT: where its packets to backends seem to come from; each once. Default: none.
    pub local_addresses: Vec<IpAddr>,
    /// FULLNAT: which ports of these. Default: [`Self::DEFAULT_LOCAL_PORTS`].
    pub local_ports: RangeInclusive<u16>,
    /// In the order of the file, each address once; may be empty.
    pub backends: Vec<Backend>,
}

impl Service {
    /// The protocol of a service that doesn't say.
    pub const DEFAULT_PROTOCOL: Protocol = Protocol::Tcp;
    /// The scheduler of a service that doesn't say.
    pub const DEFAULT_SCHEDULER: Scheduler = Scheduler::Wrr;
    /// The forwarding mode of a service that doesn't say.
    pub const DEFAULT_MODE: ForwardingMode = ForwardingMode::Dr;
    /// The local ports of a service that doesn't say, as Alibaba's LVS has them.
    pub const DEFAULT_LOCAL_PORTS: RangeInclusive<u16> = 5_000..=65_535;
    /// Most local addresses of a family.
    pub const MAX_LOCAL_ADDRESSES: usize = MAX_LOCALS as usize;
    /// Most bytes of a given name.
    pub const MAX_NAME: usize = 31;
    /// Most backends of one service.
    pub const MAX_BACKENDS: usize = 1_024;
    /// Most slots of a ring: sum of the weights by their greatest common divisor.
    pub const MAX_RING: u64 = 65_536;
}

/// A real server of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backend {
    /// Its own IP address and the port it listens on. Default of the port: the service's.
    pub address: SocketAddr,
    /// Its share of new flows; 0 takes none and keeps those it has. Default: [`Self::DEFAULT_WEIGHT`].
    pub weight: u16,
    /// Default: the service's.
    pub mode: ForwardingMode,
    /// TUN: where its tunnels begin, of the family of `address`; of a prefix, each flow has an address of
    /// its own. Default: the service's, and without one the address of this machine that the route has.
    pub tunnel_source: Option<Prefix>,
    /// VLAN ids of frames to it, outermost first, 0 where there is no tag. Default: the service's, and
    /// without any none.
    pub tags: [u16; MAX_TAGS],
    /// The MAC address of frames to it, in the order it has on the wire. Default: the kernel is asked.
    pub mac: Option<[u8; 6]>,
}

impl Backend {
    /// The weight of a backend that doesn't say.
    pub const DEFAULT_WEIGHT: u16 = 1;
}

//! The entries of the BPF maps.
//!
//! Ids are indices of arrays. An entry that the data plane reads is written before its id is
//! published, and not changed while it is in use but for the fields that say so.

mod address;
mod backend;
mod flush;
mod gateway;
mod interface;
mod next_hop;
mod notice;
mod service;
mod settings;
mod stats;
mod sweep;
mod tunnel;

pub use address::Address;
pub use backend::{Backend, MAX_LOCALS};
pub use flush::{FLUSH_CHUNK, Flush, FlushTarget};
pub use gateway::{GATEWAY_SLOTS, GatewayKey};
pub use interface::{INTERFACE_SLOTS, Interface};
pub use next_hop::{MAX_TAGS, NextHop};
pub use notice::{NOTICE_BUCKETS, Notice};
pub use service::{NAME_LEN, RING_CHUNK, Ring, RingChunk, Service, ServiceKey};
pub use settings::{Settings, Timeouts, UDP_TIMEOUT, default_timeouts};
pub use stats::{Counters, FlowEvent, LINE, Line};
pub use sweep::{SWEEP_CHUNK, Sweep};
pub use tunnel::{Endpoint, TunnelSource};

/// Version of everything in this module and of the flow table: maps are pinned in a directory named
/// after it, so that no other version ever reads them.
pub const LAYOUT_VERSION: u32 = 3;

/// Index in PROGRAMS of the slow path.
pub const SLOW: u32 = 0;

/// Names of the pinned maps.
pub mod name {
    /// One [`Settings`](super::Settings).
    pub const SETTINGS: &str = "SETTINGS";
    /// Number in a backend's entry to [`Timeouts`](super::Timeouts).
    pub const TIMEOUTS: &str = "TIMEOUTS";
    /// Interface index modulo its size to [`Interface`](super::Interface).
    pub const INTERFACES: &str = "INTERFACES";
    /// [`ServiceKey`](super::ServiceKey) to service id, 32 bits.
    pub const SERVICES: &str = "SERVICES";
    /// Service id to [`Service`](super::Service).
    pub const SERVICE: &str = "SERVICE";
    /// Backend id to [`Backend`](super::Backend); id 0 is nobody's.
    pub const BACKEND: &str = "BACKEND";
    /// Next hop id to [`NextHop`](super::NextHop); id 0 means unresolved.
    pub const NEXT_HOPS: &str = "NEXT_HOPS";
    /// Gateway id to the [`NextHop`](super::NextHop) back to it; id 0 is nobody's.
    pub const GATEWAYS: &str = "GATEWAYS";
    /// [`GatewayKey`](super::GatewayKey) to gateway id, 32 bits.
    pub const GATEWAY_IDS: &str = "GATEWAY_IDS";
    /// How many gateway ids have been given out, one [`Line`](super::Line).
    pub const GATEWAY_COUNT: &str = "GATEWAY_COUNT";
    /// Local addresses of FULLNAT, [`Address`](super::Address)es.
    pub const LOCALS: &str = "LOCALS";
    /// Backend id to a [`Line`](super::Line): with FULLNAT the cursor on its local addresses and ports, with TUN
    /// that on the identifications of its tunnels.
    pub const BACKEND_CURSORS: &str = "BACKEND_CURSORS";
    /// [`RingChunk`](super::RingChunk)s of backend ids.
    pub const RINGS: &str = "RINGS";
    /// Service id to the cursor on its ring, a [`Line`](super::Line).
    pub const CURSORS: &str = "CURSORS";
    /// Backend id to active and inactive flows, a [`Line`](super::Line).
    pub const LOAD: &str = "LOAD";
    /// [`Endpoint`](super::Endpoint)s at which tunnels end, each to 1, 32 bits.
    pub const ENDPOINTS: &str = "ENDPOINTS";
    /// Prefixes of [`TunnelSource`](super::TunnelSource)s that tunnels may come from, each to 1, 32 bits.
    pub const TUNNEL_SOURCES: &str = "TUNNEL_SOURCES";
    /// Half buckets of IPv4 flows.
    pub const FLOWS4: &str = "FLOWS4";
    /// Half buckets of IPv6 flows.
    pub const FLOWS6: &str = "FLOWS6";
    /// Service id to [`Counters`](super::Counters) per CPU.
    pub const SERVICE_STATS: &str = "SERVICE_STATS";
    /// Backend id to [`Counters`](super::Counters) per CPU.
    pub const BACKEND_STATS: &str = "BACKEND_STATS";
    /// Reason to [`Counters`](super::Counters) per CPU.
    pub const REASON_STATS: &str = "REASON_STATS";
    /// [`FlowEvent`](super::FlowEvent) to a count, 64 bits, per CPU.
    pub const FLOW_EVENTS: &str = "FLOW_EVENTS";

    /// [`Notice`](super::Notice) to a count, 64 bits, per CPU.
    pub const NOTICES: &str = "NOTICES";
    /// [`Bucket`](crate::bucket::Bucket)s of notices, per CPU.
    pub const BUCKETS: &str = "BUCKETS";
    /// The programs that the data plane calls.
    pub const PROGRAMS: &str = "PROGRAMS";

    /// The program that frees expired flows, pinned beside the maps.
    pub const SWEEP: &str = "sweep";
    /// The program that ends given flows, pinned beside the maps.
    pub const FLUSH: &str = "flush";

    /// All maps.
    pub const ALL: [&str; 26] = [
        SETTINGS,
        TIMEOUTS,
        INTERFACES,
        SERVICES,
        SERVICE,
        BACKEND,
        NEXT_HOPS,
        GATEWAYS,
        GATEWAY_IDS,
        GATEWAY_COUNT,
        LOCALS,
        BACKEND_CURSORS,
        RINGS,
        CURSORS,
        LOAD,
        ENDPOINTS,
        TUNNEL_SOURCES,
        FLOWS4,
        FLOWS6,
        SERVICE_STATS,
        BACKEND_STATS,
        REASON_STATS,
        FLOW_EVENTS,
        NOTICES,
        BUCKETS,
        PROGRAMS,
    ];
}

/// Declares a map entry: C layout, without padding, readable and writable as bytes by user space.
macro_rules! entry {
    ($(#[$meta:meta])* $vis:vis struct $name:ident { $($body:tt)* }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[cfg_attr(
            feature = "user",
            derive(
                zerocopy::FromBytes,
                zerocopy::IntoBytes,
                zerocopy::Immutable,
                zerocopy::KnownLayout
            )
        )]
        #[repr(C)]
        $vis struct $name { $($body)* }
    };
}
pub(crate) use entry;

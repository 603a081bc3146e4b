//! The lab: a client, a balancer and its backends, real but inside this process.
//!
//! Every machine of the lab is an anonymous network namespace held by a file descriptor, every process
//! started in one dies with the thread that started it, so nothing is left behind however the lab ends.
//!
//! ```text
//!   client .100 ---+                    +--- backend-17 .17
//!                  |                    |
//!                  +--- the segment ----+--- backend-18 .18
//!                  |   (a bridge)       |
//!   balancer .2 ---+                    +--- backend-19 .19
//! ```
//!
//! [`Segment`] is that network; [`Inside`] adds one of backends behind a machine's second interface, and
//! [`Outside`] one of clients behind a router. [`Farm`] puts HTTP and UDP servers on backends, [`Director`]
//! runs the real `lvs-ctl` on a balancer, and [`http`], [`udp`] and [`mod@ping`] are the clients.

pub mod blob;
mod bpffs;
pub mod command;
pub mod config;
mod daemon;
mod decapsulator;
mod director;
mod farm;
mod host;
pub mod http;
mod http_server;
mod inside;
pub mod interrupt;
mod leftovers;
mod lines;
mod link;
mod mac;
mod mode;
mod namespace;
mod network;
mod outside;
pub mod ping;
mod segment;
pub mod stats;
mod sysctl;
mod trial;
pub mod udp;
mod udp_echo;
pub mod verdict;
pub mod wait;
mod xdp_pass;

pub use daemon::lvs_ctl;
pub use decapsulator::Decapsulator;
pub use director::Director;
pub use farm::Farm;
pub use host::Host;
pub use http_server::HttpServer;
pub use inside::Inside;
pub use mac::Mac;
pub use mode::Mode;
pub use namespace::Namespace;
pub use network::{Interface, Network, VIP4, VIP6};
pub use outside::Outside;
pub use segment::{Segment, SegmentBuilder};
pub use trial::Trial;
pub use udp_echo::UdpEcho;

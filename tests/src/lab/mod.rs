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
//! [`Segment`] is that network, [`Farm`] puts HTTP and UDP servers on its backends, [`Director`] runs the
//! real `lvs-ctl` on its balancer, and [`http`], [`udp`] and [`mod@ping`] are its clients.

pub mod blob;
mod bpffs;
pub mod command;
pub mod config;
mod director;
mod farm;
mod host;
pub mod http;
mod http_server;
pub mod interrupt;
mod leftovers;
mod lines;
mod link;
mod mode;
mod namespace;
pub mod ping;
mod segment;
pub mod stats;
mod sysctl;
pub mod udp;
mod udp_echo;
pub mod wait;
mod xdp_pass;

pub use director::{Director, lvs_ctl};
pub use farm::Farm;
pub use host::{Host, Mac};
pub use http_server::HttpServer;
pub use mode::Mode;
pub use namespace::Namespace;
pub use segment::{Segment, SegmentBuilder, VIP4, VIP6};
pub use udp_echo::UdpEcho;

//! Links, routes and neighbours of the kernel, by netlink.
//!
//! The data plane needs ready frames: for each backend an interface, two MAC addresses and an MTU, and
//! for tunnels the address that they begin at.
//! The kernel knows them all, and keeps them right, as long as somebody asks. [`Resolver`] asks,
//! and tells what changed; it asks for the routers of the kernel's routes as well, by which answers leave.
//! [`Link`] describes an interface, [`offloads`] what it does to frames, [`addresses`] those of this machine,
//! [`holder`] names the process that holds
//! an XDP program.
//!
//! A netlink socket belongs to the network namespace of the thread that opened it: everything here
//! speaks of the namespace in which [`connect`] or [`Resolver::new`] was called.

mod address;
mod error;
mod events;
mod facts;
mod holder;
mod keeper;
mod link;
mod neighbour;
mod next_hop;
mod offload;
mod request;
mod resolver;
mod route;
mod routers;

pub use address::{HostAddress, addresses};
pub use error::NetError;
pub use holder::{Holder, holder};
pub use link::{AttachedXdp, Link, Vlan, XdpMode, link_by_index, link_by_name, links};
pub use next_hop::{Cause, NextHop, Resolution, Target};
pub use offload::{Offloads, offloads};
pub use request::connect;
pub use resolver::{Change, Resolver};

//! Every forwarding mode, frame by frame: what goes in, and what has to come out.
//!
//! [`table`] has the cells, mode by families by protocol by tags by arms; [`forwarding`] runs them. The
//! other files look closer at what one mode alone has. What has to come out is put together from what
//! the packet says ([`expected`]), with every length and checksum computed anew.

mod congestion;
mod decapsulation;
mod encapsulation;
pub(crate) mod expected;
mod families;
pub(crate) mod forwarding;
mod impossible;
mod local;
pub(crate) mod network;
mod routes;
pub(crate) mod stand;
pub(crate) mod table;
mod tunnel_ends;

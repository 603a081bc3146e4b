//! ICMP errors about packets of flows, which are sent on to who sent the packet; and what the balancer
//! itself tells senders of packets that end at it.
//!
//! The frames that have to come out are written anew, with every checksum ([`relayed`], [`told`]).

mod kinds;
mod padding;
mod rates;
mod refused;
mod relayed;
mod senders;
mod shapes;
mod smallest_mtu;
mod to_backends;
mod to_clients;
pub(crate) mod told;
mod undelivered;
mod untouched;

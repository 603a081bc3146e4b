//! Whether a backend can be reached, and how: what the kernel says of the way to it, judged by its
//! forwarding mode.

use std::net::IpAddr;

use log::Level;
use lvs_common::{ForwardingMode, map::NextHop as NextHopEntry};

use crate::{
    config::{Backend, Prefix, Service},
    net::{Cause, NextHop, Resolution},
};

/// A judgement on a backend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reach {
    /// Where its packets go; none: it takes no flows.
    pub(super) hop: Option<NextHopEntry>,
    /// How loud the words are.
    pub(super) level: Level,
    /// What an operator should know, to follow the backend's address.
    pub(super) words: String,
}

impl Reach {
    fn by(hop: NextHopEntry, level: Level, words: String) -> Self {
        Self {
            hop: Some(hop),
            level,
            words,
        }
    }

    fn not(why: &str) -> Self {
        Self {
            hop: None,
            level: Level::Warn,
            words: format!("takes no flows: {why}"),
        }
    }
}

/// Judges a backend of a service by what became of its address.
pub(super) fn judge(service: &Service, backend: &Backend, resolution: &Resolution) -> Reach {
    match resolution {
        Resolution::Resolved(hop) => remote(service, backend, hop),
        Resolution::Local { interface } => local(backend, interface),
        Resolution::Unresolved(cause) => {
            let asked = matches!(cause, Cause::NoNeighbour { .. });
            if asked && backend.tags[0] != 0 {
                Reach::not(&format!(
                    "{cause}; the kernel asks without the tags of `vlan`: give the backend's `mac`"
                ))
            } else {
                Reach::not(&cause.to_string())
            }
        }
    }
}

fn remote(service: &Service, backend: &Backend, hop: &NextHop) -> Reach {
    let configured = backend.tunnel_source.map(Prefix::address);
    let source = configured.or(hop.source);
    match (backend.mode, source) {
        (ForwardingMode::Tun, source) if source.is_none_or(is_link_local) => {
            return Reach::not(&no_source(backend, hop));
        }
        (ForwardingMode::FullNat, Some(own)) if service.local_addresses.contains(&own) => {
            return Reach::not(&own_source(own, hop));
        }
        _ => {}
    }
    let entry = NextHopEntry {
        tags: backend.tags,
        source: source.map_or(NextHopEntry::LOCAL.source, Into::into),
        ..NextHopEntry::new(hop.ifindex, hop.mtu, hop.destination_mac, hop.source_mac)
    };
    match hop.gateway {
        Some(gateway) if backend.mode == ForwardingMode::Dr => Reach::by(
            entry,
            Level::Warn,
            format!(
                "is behind the router {gateway}, which gets its packets: direct routing needs the \
                 backend on a network of this machine"
            ),
        ),
        gateway => {
            let via = gateway.map_or(String::new(), |gateway| format!(" through {gateway}"));
            let words = format!("is reachable on {}{via}", hop.interface);
            Reach::by(entry, Level::Info, words)
        }
    }
}

fn local(backend: &Backend, interface: &str) -> Reach {
    let host = format!("is this machine itself, on {interface}");
    let (level, words) = match backend.mode {
        ForwardingMode::Dr | ForwardingMode::Tun => (
            Level::Info,
            format!("{host}: its packets pass to the host unchanged"),
        ),
        // The host drops what comes from a wire to such an address (ip_route_input_slow in
        // net/ipv4/route.c).
        ForwardingMode::Nat if backend.address.ip().is_loopback() => {
            return Reach::not(
                "it is a loopback address, for which the host takes no packets from clients; use \
                 mode dr, which leaves packets as they are",
            );
        }
        ForwardingMode::Nat => (
            Level::Warn,
            format!(
                "{host}: its answers leave by the host's network stack and keep the backend's \
                 address, which clients did not ask; use mode dr, which leaves packets as they are"
            ),
        ),
        ForwardingMode::FullNat => {
            return Reach::not(&format!(
                "it is this machine's own address, on {interface}, and with fullnat both ends of \
                 its connections would be; use mode dr, which leaves packets as they are"
            ));
        }
    };
    Reach::by(NextHopEntry::LOCAL, level, words)
}

/// Whether no router forwards what comes from it (RFC 4291, section 2.5.6).
fn is_link_local(source: IpAddr) -> bool {
    matches!(source, IpAddr::V6(v6) if v6.is_unicast_link_local())
}

fn no_source(backend: &Backend, hop: &NextHop) -> String {
    let (family, bits) = family(backend.address.ip());
    let interface = &hop.interface;
    format!(
        "its tunnel needs an address of {family} to begin at, and the route by {interface} has none \
         that routers forward; give the service a `tunnel_source`, or type: ip address add ADDRESS/{bits} dev {interface}"
    )
}

/// The host's own connections come from a local address.
fn own_source(own: IpAddr, hop: &NextHop) -> String {
    let (_, bits) = family(own);
    let interface = &hop.interface;
    let mark = if own.is_ipv6() {
        " preferred_lft 0"
    } else {
        ""
    };
    format!(
        "this machine's own connections to it come from {own}, which is a local address of the \
         service, so that their answers could be taken for a client's; give {interface} another \
         address first and then {own} as one of its own: ip address add {own}/{bits} dev \
         {interface}{mark}; or choose another source: ip route change NETWORK dev {interface} src \
         ANOTHER"
    )
}

/// Its name, and how many bits an address has.
fn family(ip: IpAddr) -> (&'static str, u8) {
    if ip.is_ipv6() {
        ("IPv6", 128)
    } else {
        ("IPv4", 32)
    }
}

#[cfg(test)]
mod tests;

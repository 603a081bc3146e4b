//! From what the kernel says to the next hop of an address: a pure function, and the words for its
//! outcomes.

use std::{collections::BTreeMap, fmt, net::IpAddr};

use super::{
    Link,
    neighbour::{Key, Neighbours},
    route::{Out, Route},
};

/// A host to send to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Target {
    /// Its address.
    pub address: IpAddr,
    /// Its MAC address, where the kernel is not to be asked for it.
    pub mac: Option<[u8; 6]>,
}

impl From<IpAddr> for Target {
    fn from(address: IpAddr) -> Self {
        Self { address, mac: None }
    }
}

/// What became of a target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resolution {
    /// Frames can be sent there.
    Resolved(NextHop),
    /// The address is this host's own.
    Local {
        /// The name of the interface that has it.
        interface: String,
    },
    /// No frame can be sent there now.
    Unresolved(Cause),
}

/// All that a frame needs to get to a target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NextHop {
    /// The index of the interface to send from.
    pub ifindex: u32,
    /// Its name.
    pub interface: String,
    /// Its MAC address, in the order it has on the wire.
    pub source_mac: [u8; 6],
    /// The MAC address of the host or gateway, in the order it has on the wire.
    pub destination_mac: [u8; 6],
    /// The largest IP packet that may be sent, in bytes, without the Ethernet header.
    pub mtu: u32,
    /// The router on the way; none if the address is on the link itself. May be IPv6 for an IPv4
    /// address. None as well if the MAC address was given.
    pub gateway: Option<IpAddr>,
    /// The address of this machine that the kernel would send from, of the family of the address
    /// that was looked up.
    pub source: Option<IpAddr>,
}

/// Why no frame can be sent to an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The kernel has no route.
    NoRoute,
    /// The route refuses: blackhole, unreachable, prohibit, or the address is not one host's.
    Unreachable,
    /// The interface is switched off, or has no signal.
    LinkDown {
        /// The interface's name.
        interface: String,
        /// Whether it is switched on, so that only the signal is missing.
        up: bool,
    },
    /// The neighbour was asked and has not answered (yet).
    NoNeighbour {
        /// The interface's name.
        interface: String,
        /// The address itself or the gateway to it.
        via: IpAddr,
    },
    /// The interface carries no Ethernet frames.
    NotEthernet {
        /// The interface's name.
        interface: String,
    },
    /// The interface only stands in for others, and XDP cannot send out of it.
    StackedDevice {
        /// The interface's name.
        interface: String,
        /// The driver's kind, such as `vlan`, `bond` or `bridge`.
        kind: String,
    },
    /// The route wraps packets (MPLS, seg6, a light-weight tunnel), which only the kernel's own
    /// path does.
    Encapsulated {
        /// The interface's name.
        interface: String,
    },
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoRoute => f.write_str("no route to this address"),
            Self::Unreachable => {
                f.write_str("the route to this address refuses traffic (see `ip route get`)")
            }
            Self::LinkDown {
                interface,
                up: false,
            } => write!(f, "interface {interface} is down"),
            Self::LinkDown {
                interface,
                up: true,
            } => {
                write!(
                    f,
                    "interface {interface} has no carrier (no cable, or its peer is down)"
                )
            }
            Self::NoNeighbour { interface, via } => {
                let question = if via.is_ipv4() {
                    "ARP"
                } else {
                    "neighbour discovery"
                };
                write!(
                    f,
                    "no neighbour entry for {via} on {interface}: \
                     the host does not answer {question}"
                )
            }
            Self::NotEthernet { interface } => {
                write!(
                    f,
                    "the route leaves by {interface}, which is not an Ethernet interface"
                )
            }
            Self::StackedDevice { interface, kind } => write!(
                f,
                "the route leaves by {interface}, a {kind} device: XDP cannot send out of it, \
                 only out of the interfaces beneath"
            ),
            Self::Encapsulated { interface } => {
                write!(
                    f,
                    "the route by {interface} encapsulates packets, which XDP cannot do"
                )
            }
        }
    }
}

/// Kinds of Ethernet devices that hand their frames to other devices, or wrap them, and have no
/// driver queue that XDP could send to.
const STACKED: [&str; 21] = [
    "batadv",
    "bond",
    "bridge",
    "dsa",
    "erspan",
    "geneve",
    "gretap",
    "hsr",
    "ip6erspan",
    "ip6gretap",
    "ipvlan",
    "ipvtap",
    "macsec",
    "macvlan",
    "macvtap",
    "nlmon",
    "rmnet",
    "team",
    "vlan",
    "vrf",
    "vxlan",
];

/// What is known of the way to a target.
#[derive(Clone, Copy)]
pub(super) struct Way<'a> {
    /// The target.
    pub(super) target: Target,
    /// The kernel's route to its address.
    pub(super) route: &'a Route,
    /// The interface that the last route to it left by: when an interface goes down its routes
    /// vanish, and "no route" would hide why.
    pub(super) last: Option<u32>,
    /// All interfaces by index.
    pub(super) links: &'a BTreeMap<u32, Link>,
}

impl<'a> Way<'a> {
    /// The neighbour entry that the target needs, if its route is one that frames can take.
    pub(super) fn neighbour(self) -> Option<Key> {
        let (link, _, out) = self.egress().ok()?;
        self.target.mac.is_none().then_some(Key {
            ifindex: link.index,
            address: out.gateway.unwrap_or(self.target.address),
        })
    }

    /// The outcome, given the neighbour table.
    pub(super) fn resolve(self, neighbours: &Neighbours) -> Resolution {
        let (link, source_mac, out) = match self.egress() {
            Ok(egress) => egress,
            Err(resolution) => return resolution,
        };
        let via = out.gateway.unwrap_or(self.target.address);
        let key = Key {
            ifindex: link.index,
            address: via,
        };
        let asked = || neighbours.get(&key).and_then(|neighbour| neighbour.mac);
        match self.target.mac.or_else(asked) {
            Some(destination_mac) => Resolution::Resolved(NextHop {
                ifindex: link.index,
                interface: link.name.clone(),
                source_mac,
                destination_mac,
                mtu: out.mtu.map_or(link.mtu, |mtu| mtu.min(link.mtu)),
                gateway: out.gateway.filter(|_| self.target.mac.is_none()),
                source: out.source,
            }),
            None => Resolution::Unresolved(Cause::NoNeighbour {
                interface: link.name.clone(),
                via,
            }),
        }
    }

    /// The interface that frames can leave by, its MAC address, and the route.
    fn egress(self) -> Result<(&'a Link, [u8; 6], &'a Out), Resolution> {
        let unresolved = |cause| Err(Resolution::Unresolved(cause));
        let down = |link: &Link| Cause::LinkDown {
            interface: link.name.clone(),
            up: link.up,
        };
        let out = match self.route {
            Route::None => {
                let gone = self
                    .last
                    .and_then(|last| self.links.get(&last))
                    .filter(|link| !link.up);
                return unresolved(gone.map_or(Cause::NoRoute, down));
            }
            Route::Refusing => return unresolved(Cause::Unreachable),
            Route::Local { ifindex } => {
                let interface = self
                    .links
                    .get(ifindex)
                    .map_or_else(|| "lo".to_owned(), |link| link.name.clone());
                return Err(Resolution::Local { interface });
            }
            Route::Out(out) => out,
        };
        // The route was read just before or after its interface came or went; an event that says so
        // is on its way.
        let Some(link) = self.links.get(&out.ifindex) else {
            return unresolved(Cause::NoRoute);
        };
        let interface = || link.name.clone();
        if let Some(kind) = link.kind.as_deref().filter(|kind| STACKED.contains(kind)) {
            return unresolved(Cause::StackedDevice {
                interface: interface(),
                kind: kind.to_owned(),
            });
        }
        if out.encapsulated {
            return unresolved(Cause::Encapsulated {
                interface: interface(),
            });
        }
        let Some(mac) = link.mac else {
            return unresolved(Cause::NotEthernet {
                interface: interface(),
            });
        };
        if !link.up || !link.carrier {
            return unresolved(down(link));
        }
        Ok((link, mac, out))
    }
}

#[cfg(test)]
mod tests;

//! The kernel's choice of a route to an address.

use std::net::IpAddr;

use netlink_packet_route::{
    AddressFamily,
    route::{
        RouteAddress, RouteAttribute, RouteFlags, RouteMessage, RouteMetric, RouteType, RouteVia,
    },
};
use rtnetlink::Handle;

use super::{NetError, request};

/// How the kernel would send to an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// It has no route.
    None,
    /// It has one that refuses: blackhole, unreachable, prohibit.
    Refusing,
    /// The address is its own, on this interface.
    Local {
        /// The interface's index.
        ifindex: u32,
    },
    /// Out of an interface.
    Out(Out),
}

/// A route out of an interface.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Out {
    /// The interface's index.
    pub(super) ifindex: u32,
    /// The router to send to; none if the address is on the link itself. May be IPv6 for an IPv4
    /// address.
    pub(super) gateway: Option<IpAddr>,
    /// The MTU that the route itself sets, in bytes.
    pub(super) mtu: Option<u32>,
    /// The address of this machine that the kernel would send from.
    pub(super) source: Option<IpAddr>,
    /// Whether the route wraps the packet (MPLS, seg6, a light-weight tunnel).
    pub(super) encapsulated: bool,
}

/// Asks the kernel which route it would take to `address`, as `ip route get` does.
pub(super) async fn lookup(handle: &Handle, address: IpAddr) -> Result<Route, NetError> {
    let route = match ask(handle, address, RouteFlags::empty()).await {
        Ok(messages) => messages.first().map_or(Route::None, Route::from),
        Err(error) => match error.errno().and_then(refusal) {
            Some(route) => route,
            None => return Err(error),
        },
    };
    if !matches!(route, Route::Local { .. }) {
        return Ok(route);
    }
    // The answer for an own address names the loopback interface; the entry that matched names the
    // one that has it.
    let matched = ask(handle, address, RouteFlags::FibMatch)
        .await
        .unwrap_or_default();
    Ok(match matched.first().map(Route::from) {
        Some(Route::Local { ifindex }) if ifindex != 0 => Route::Local { ifindex },
        _ => route,
    })
}

async fn ask(
    handle: &Handle,
    address: IpAddr,
    flags: RouteFlags,
) -> Result<Vec<RouteMessage>, NetError> {
    let mut message = RouteMessage::default();
    (
        message.header.address_family,
        message.header.destination_prefix_length,
    ) = match address {
        IpAddr::V4(_) => (AddressFamily::Inet, 32),
        IpAddr::V6(_) => (AddressFamily::Inet6, 128),
    };
    message.header.flags = flags;
    message
        .attributes
        .push(RouteAttribute::Destination(address.into()));
    request::collect(
        || format!("look up the route to {address}"),
        handle.route().get(message).execute(),
    )
    .await
}

/// What the kernel means by an error number in place of a route (`fib_props` in
/// `net/ipv4/fib_semantics.c`, `ip6_rt_type_to_error` in `net/ipv6/route.c`).
fn refusal(errno: i32) -> Option<Route> {
    match errno {
        _ if is_no_family(errno) => Some(Route::None),
        libc::ENETUNREACH => Some(Route::None),
        libc::EHOSTUNREACH | libc::EACCES | libc::EINVAL => Some(Route::Refusing),
        _ => None,
    }
}

/// Whether an error number says that the kernel runs without this address family.
pub(super) const fn is_no_family(errno: i32) -> bool {
    matches!(errno, libc::EAFNOSUPPORT | libc::EOPNOTSUPP)
}

/// The router that an attribute of a route, or of one of its paths, names.
pub(super) fn gateway(attribute: &RouteAttribute) -> Option<IpAddr> {
    match attribute {
        RouteAttribute::Gateway(RouteAddress::Inet(gateway))
        | RouteAttribute::Via(RouteVia::Inet(gateway)) => Some((*gateway).into()),
        RouteAttribute::Gateway(RouteAddress::Inet6(gateway))
        | RouteAttribute::Via(RouteVia::Inet6(gateway)) => Some((*gateway).into()),
        _ => None,
    }
}

impl From<&RouteMessage> for Route {
    fn from(message: &RouteMessage) -> Self {
        let mut out = Out {
            gateway: message.attributes.iter().find_map(gateway),
            ..Out::default()
        };
        for attribute in &message.attributes {
            match attribute {
                RouteAttribute::Oif(ifindex) => out.ifindex = *ifindex,
                RouteAttribute::PrefSource(RouteAddress::Inet(source)) => {
                    out.source = Some((*source).into());
                }
                RouteAttribute::PrefSource(RouteAddress::Inet6(source)) => {
                    out.source = Some((*source).into());
                }
                RouteAttribute::Metrics(metrics) => {
                    out.mtu = metrics.iter().find_map(|metric| match metric {
                        RouteMetric::Mtu(mtu) if *mtu != 0 => Some(*mtu),
                        _ => None,
                    });
                }
                RouteAttribute::EncapType(_) => out.encapsulated = true,
                _ => {}
            }
        }
        match message.header.kind {
            RouteType::Unicast => Self::Out(out),
            RouteType::Local | RouteType::Anycast => Self::Local {
                ifindex: out.ifindex,
            },
            _ => Self::Refusing,
        }
    }
}

#[cfg(test)]
mod tests {
    use netlink_packet_route::route::RouteLwEnCapType;

    use super::*;

    fn message(kind: RouteType, attributes: Vec<RouteAttribute>) -> RouteMessage {
        let mut message = RouteMessage::default();
        message.header.kind = kind;
        message.attributes = attributes;
        message
    }

    #[test]
    fn messages_become_routes() {
        let oif = RouteAttribute::Oif(3);
        let v4: IpAddr = "10.0.0.1".parse().unwrap();
        let v6: IpAddr = "fe80::1".parse().unwrap();
        let out = Out {
            ifindex: 3,
            ..Out::default()
        };
        let table = [
            (
                message(RouteType::Unicast, vec![oif.clone()]),
                Route::Out(out.clone()),
            ),
            (
                message(
                    RouteType::Unicast,
                    vec![oif.clone(), RouteAttribute::Gateway(v4.into())],
                ),
                Route::Out(Out {
                    gateway: Some(v4),
                    ..out.clone()
                }),
            ),
            (
                message(
                    RouteType::Unicast,
                    vec![oif.clone(), RouteAttribute::Via(v6.into())],
                ),
                Route::Out(Out {
                    gateway: Some(v6),
                    ..out.clone()
                }),
            ),
            (
                message(
                    RouteType::Unicast,
                    vec![oif.clone(), RouteAttribute::PrefSource(v4.into())],
                ),
                Route::Out(Out {
                    source: Some(v4),
                    ..out.clone()
                }),
            ),
            (
                message(
                    RouteType::Unicast,
                    vec![oif.clone(), RouteAttribute::PrefSource(v6.into())],
                ),
                Route::Out(Out {
                    source: Some(v6),
                    ..out.clone()
                }),
            ),
            (
                message(
                    RouteType::Unicast,
                    vec![
                        oif.clone(),
                        RouteAttribute::Metrics(vec![
                            RouteMetric::Hoplimit(9),
                            RouteMetric::Mtu(1400),
                        ]),
                    ],
                ),
                Route::Out(Out {
                    mtu: Some(1400),
                    ..out.clone()
                }),
            ),
            (
                message(
                    RouteType::Unicast,
                    vec![
                        oif.clone(),
                        RouteAttribute::EncapType(RouteLwEnCapType::Mpls),
                    ],
                ),
                Route::Out(Out {
                    encapsulated: true,
                    ..out
                }),
            ),
            (
                message(RouteType::Local, vec![oif.clone()]),
                Route::Local { ifindex: 3 },
            ),
            (
                message(RouteType::Anycast, vec![oif.clone()]),
                Route::Local { ifindex: 3 },
            ),
            (message(RouteType::Broadcast, vec![oif]), Route::Refusing),
            (message(RouteType::BlackHole, vec![]), Route::Refusing),
            (message(RouteType::Unreachable, vec![]), Route::Refusing),
            (message(RouteType::Prohibit, vec![]), Route::Refusing),
        ];
        for (message, expected) in table {
            assert_eq!(Route::from(&message), expected, "{message:?}");
        }
    }

    #[test]
    fn error_numbers_become_routes() {
        assert_eq!(refusal(libc::ENETUNREACH), Some(Route::None));
        assert_eq!(refusal(libc::EHOSTUNREACH), Some(Route::Refusing));
        assert_eq!(refusal(libc::EACCES), Some(Route::Refusing));
        assert_eq!(refusal(libc::EINVAL), Some(Route::Refusing));
        assert_eq!(refusal(libc::EPERM), None);
    }
}

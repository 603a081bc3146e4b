//! Congestion that a tunnel saw on its way, told to the packet that comes out (RFC 6040, section 4.2, as in
//! the kernel's `INET_ECN_decapsulate`).

use lvs_common::{ForwardingMode, Protocol, Reason};
use lvs_tests::packet::{Case, Frame, IpHeader};

use super::{
    expected::CE,
    network::{FAMILIES, balancer, client, first, near, sender, vip},
    stand::{end_tunnels, rig},
    table::{V4, V6},
};

const NOT_ECT: u8 = 0;
/// Each of another value than the other: they do not mix.
const INNER_DSCP: u8 = 0x28;
const OUTER_DSCP: u8 = 0xb8;

/// ECN of the packet that comes out, `None`: it is dropped, since its sender would not understand.
const fn told(outer: u8, inner: u8) -> Option<u8> {
    match (outer, inner) {
        (CE, NOT_ECT) => None,
        (CE, _) => Some(CE),
        _ => Some(inner),
    }
}

#[test]
fn is_told_where_it_can_be_and_dropped_where_not() {
    let mut rig = rig(ForwardingMode::Dr, &[V4, V6]);
    end_tunnels(&mut rig);
    for (pair, tunnel) in [V4, V6].into_iter().flat_map(|p| FAMILIES.map(|t| (p, t))) {
        let to = |port, to| first(Protocol::Tcp, client(pair.client, port), to);
        for (outer, inner) in (0..4).flat_map(|o| (0..4).map(move |i| (o, i))) {
            let header = IpHeader {
                traffic_class: OUTER_DSCP | outer,
                ..IpHeader::new(sender(tunnel), balancer(tunnel))
            };
            let arriving = |frame: &Frame| {
                let frame = frame.clone().traffic_class(INNER_DSCP | inner);
                frame.within(header.clone())
            };
            let port = 100 * tunnel as u16 + 10 * u16::from(outer) + u16::from(inner);
            let (service, other) = (to(port, pair.vip()), to(port, vip(pair.client, 99)));
            let what = format!("{pair} within {tunnel}: ECN {outer} around {inner}");
            let Some(ecn) = told(outer, inner) else {
                rig.run([&service, &other].map(|frame| {
                    Case::untouched(&what, arriving(frame).bytes(), Reason::TunnelCongested)
                }));
                continue;
            };
            let out = |frame: &Frame| frame.clone().traffic_class(INNER_DSCP | ecn);
            rig.run([
                Case::sent(&what, &out(&service), pair.web(), &near(pair.backend))
                    .arriving(&arriving(&service))
                    .opens_active(pair.web()),
                Case::passed(&what, &arriving(&other), &out(&other), Reason::NoService),
            ]);
        }
    }
}

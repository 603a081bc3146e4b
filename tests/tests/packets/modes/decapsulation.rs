//! Tunnels that end at the balancer: what comes out of them is walked on with. That each cell's packets may
//! come by them is in [`forwarding`](super::forwarding).

use lvs_common::{Family, ForwardingMode, Protocol, Reason};
use lvs_tests::packet::{Case, Frame, IpHeader, Rig};

use super::{
    network::{FAMILIES, Tags, balancer, client, first, in_tunnel, near, sender, vip},
    stand::{self, end_tunnels},
    table::{Pair, V4, V6},
};

fn rig() -> Rig {
    let mut rig = stand::rig(ForwardingMode::Dr, &[V4, V6]);
    end_tunnels(&mut rig);
    rig
}

fn opening(pair: Pair, port: u16) -> Frame {
    first(Protocol::Tcp, client(pair.client, port), pair.vip())
}

/// The Ethernet header stays, with the tags; its `EtherType` is that of the packet within.
#[test]
fn what_is_for_no_service_passes_without_the_tunnel() {
    let rig = rig();
    for (pair, tunnel) in [V4, V6].into_iter().flat_map(|p| FAMILIES.map(|t| (p, t))) {
        for (protocol, tags) in [Protocol::Tcp, Protocol::Udp]
            .into_iter()
            .flat_map(|p| Tags::ALL.map(|t| (p, t)))
        {
            let to = vip(pair.client, 99);
            for len in [0, 1, 333] {
                let inner = first(protocol, client(pair.client, 1), to)
                    .tags(tags.header())
                    .payload(len);
                let arriving = in_tunnel(inner.clone(), tunnel);
                let what = format!("{pair} within {tunnel}: {protocol}, {tags:?}, {len} bytes");
                rig.run([Case::passed(what, &arriving, &inner, Reason::NoService)]);
            }
        }
    }
}

/// A row: the packet leaves for the backend, without the tunnel that it came in.
fn row(what: &str, inner: &Frame, arriving: &Frame, pair: Pair) -> Case {
    let what = format!("{pair}: {what}");
    Case::sent(what, inner, pair.web(), &near(pair.backend))
        .arriving(arriving)
        .opens_active(pair.web())
}

/// The outer header has come to its end: its TTL is not looked at, its options go with it, and that the
/// tunnel needs no fragments says nothing of the packet within.
#[test]
fn nothing_of_the_outer_header_is_kept() {
    let rig = rig();
    for (pair, tunnel) in [V4, V6].into_iter().flat_map(|p| FAMILIES.map(|t| (p, t))) {
        let plain = || IpHeader::new(sender(tunnel), balancer(tunnel));
        let mut outers = vec![
            ("one hop", IpHeader { hops: 1, ..plain() }),
            (
                "a DSCP",
                IpHeader {
                    traffic_class: 0xb8,
                    ..plain()
                },
            ),
            (
                "a flow label",
                IpHeader {
                    flow_label: 0xb_eef5,
                    ..plain()
                },
            ),
        ];
        if tunnel == Family::Ipv4 {
            let dont_fragment = false;
            outers.extend([
                (
                    "no DF",
                    IpHeader {
                        dont_fragment,
                        ..plain()
                    },
                ),
                (
                    "options",
                    IpHeader {
                        options: vec![1; 40],
                        ..plain()
                    },
                ),
            ]);
        }
        for (port, (what, outer)) in (10 * tunnel as u16..).zip(outers) {
            let inner = opening(pair, port)
                .traffic_class(0x28)
                .dont_fragment(port % 2 == 0);
            let arriving = inner.clone().within(outer);
            rig.run([row(what, &inner, &arriving, pair)]);
        }
    }
}

/// Fragments of a tunnel's packets are the host's to put together.
#[test]
fn a_fragment_of_a_tunnel_passes() {
    let rig = rig();
    for field in [0x2000_u16, 0x2064, 0x0064] {
        let mut frame = in_tunnel(opening(V4, 1), Family::Ipv4).bytes();
        frame[20..22].copy_from_slice(&field.to_be_bytes());
        let what = format!("{field:#06x}");
        rig.run([Case::untouched(what, frame, Reason::Fragment)]);
    }
}

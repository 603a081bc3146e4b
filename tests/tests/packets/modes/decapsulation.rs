//! Tunnels that end at the balancer: what comes out of them is walked on with.

use lvs_common::{Family, ForwardingMode, Protocol, Reason};
use lvs_tests::packet::{Case, Frame, IpHeader, Rig};

use super::{
    forwarding::run,
    network::{FAMILIES, Tags, balancer, client, first, in_tunnel, near, sender, vip},
    stand::{end_tunnels, service},
    table::{Pair, V4, V6, impossible},
};

fn every_cell(mode: ForwardingMode) {
    for pair in Pair::ALL {
        if impossible(mode, pair).is_none() {
            for tunnel in FAMILIES {
                run(mode, pair, Some(tunnel));
            }
        }
    }
}

#[test]
fn what_comes_by_tunnels_is_sent_on_by_dr() {
    every_cell(ForwardingMode::Dr);
}

/// Answers do not: they go to the gateway that the tunnel's frames come from.
#[test]
fn what_comes_by_tunnels_is_sent_on_by_nat() {
    every_cell(ForwardingMode::Nat);
}

#[test]
fn what_comes_by_tunnels_is_sent_on_by_fullnat() {
    every_cell(ForwardingMode::FullNat);
}

/// A balancer behind a balancer.
#[test]
fn what_comes_by_tunnels_is_sent_on_by_tun() {
    every_cell(ForwardingMode::Tun);
}

fn rig(pair: Pair) -> Rig {
    let mut rig = Rig::new(&[service(ForwardingMode::Dr, pair, near(pair.backend))]);
    end_tunnels(&mut rig);
    rig
}

fn opening(pair: Pair, port: u16) -> Frame {
    first(
        Protocol::Tcp,
        client(pair.client, port),
        vip(pair.client, 80),
    )
}

/// The Ethernet header stays, with the tags; its `EtherType` is that of the packet within.
#[test]
fn what_is_for_no_service_passes_without_the_tunnel() {
    for (pair, tunnel) in [V4, V6].into_iter().flat_map(|p| FAMILIES.map(|t| (p, t))) {
        let rig = rig(pair);
        for (protocol, tags) in [Protocol::Tcp, Protocol::Udp]
            .into_iter()
            .flat_map(|p| Tags::ALL.map(|t| (p, t)))
        {
            let to = vip(pair.client, 81);
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
    Case::sent(what, inner, "web-1", &near(pair.backend))
        .arriving(arriving)
        .opens_active("web-1")
}

/// The outer header has come to its end: its TTL is not looked at, its options go with it, and that the
/// tunnel needs no fragments says nothing of the packet within.
#[test]
fn nothing_of_the_outer_header_is_kept() {
    for (pair, tunnel) in [V4, V6].into_iter().flat_map(|p| FAMILIES.map(|t| (p, t))) {
        let rig = rig(pair);
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
        for (port, (what, outer)) in (1..).zip(outers) {
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
    let rig = rig(V4);
    for field in [0x2000_u16, 0x2064, 0x0064] {
        let mut frame = in_tunnel(opening(V4, 1), Family::Ipv4).bytes();
        frame[20..22].copy_from_slice(&field.to_be_bytes());
        let what = format!("{field:#06x}");
        rig.run([Case::untouched(what, frame, Reason::Fragment)]);
    }
}

//! Where tunnels may end and where from: nobody else puts packets into the network through the balancer.

use std::net::IpAddr;

use lvs_common::{Family, ForwardingMode, Protocol, Reason};
use lvs_tests::packet::{Case, Frame, IpHeader, Rig};

use super::{
    network::{FAMILIES, Tags, balancer, client, first, in_tunnel, near, sender},
    stand::{self, end_tunnels},
    table::{Pair, V4, V6},
};

fn rig() -> Rig {
    stand::rig(ForwardingMode::Dr, &[V4, V6])
}

fn opening(pair: Pair, port: u16) -> Frame {
    first(Protocol::Tcp, client(pair.client, port), pair.vip())
}

fn address(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

fn pairs_in_tunnels() -> impl Iterator<Item = (Pair, Family)> {
    [V4, V6]
        .into_iter()
        .flat_map(|pair| FAMILIES.map(|tunnel| (pair, tunnel)))
}

/// Sources at both ends of the prefixes that are allowed, and beside them.
#[test]
fn only_sources_that_are_allowed_come_in() {
    const IN: [&str; 6] = [
        "198.51.100.0",
        "198.51.100.7",
        "198.51.100.255",
        "2001:db8:7::",
        "2001:db8:7::7",
        "2001:db8:7:0:ffff:ffff:ffff:ffff",
    ];
    const OUT: [&str; 7] = [
        "198.51.99.255",
        "198.51.101.0",
        "192.0.2.100",
        "2001:db8:6:ffff:ffff:ffff:ffff:ffff",
        "2001:db8:7:1::",
        "::",
        // 198.51.100.7 stands in a key as these four bytes do.
        "c633:6407::",
    ];
    let mut rig = rig();
    end_tunnels(&mut rig);
    for pair in [V4, V6] {
        let family = |source: IpAddr| {
            if source.is_ipv4() {
                Family::Ipv4
            } else {
                Family::Ipv6
            }
        };
        for (port, text) in (1..).zip(IN) {
            let source = address(text);
            let inner = opening(pair, port);
            let outer = IpHeader::new(source, balancer(family(source)));
            let case = Case::sent(
                format!("{pair}: {text}"),
                &inner,
                pair.web(),
                &near(pair.backend),
            );
            let case = case.arriving(&inner.clone().within(outer));
            rig.run([case.opens_active(pair.web())]);
        }
        for (text, tags) in OUT
            .into_iter()
            .flat_map(|t| Tags::ALL.map(|tags| (t, tags)))
        {
            let source = address(text);
            let outer = IpHeader::new(source, balancer(family(source)));
            let frame = opening(pair, 99).tags(tags.header()).within(outer);
            let what = format!("{pair}: {text}, {tags:?}");
            rig.run([Case::untouched(what, frame.bytes(), Reason::TunnelSource)]);
        }
    }
}

#[test]
fn every_source_of_a_family_says_nothing_of_the_other() {
    for (allowed, other) in [(Family::Ipv4, Family::Ipv6), (Family::Ipv6, Family::Ipv4)] {
        let mut rig = rig();
        for family in FAMILIES {
            rig.end_tunnels(balancer(family)).expect("an endpoint");
        }
        let all = rig.datapath.allow_tunnels(sender(allowed), 0);
        all.expect("a prefix");
        let inner = opening(V4, 1);
        let comes_in = Case::sent(allowed, &inner, V4.web(), &near(Family::Ipv4))
            .arriving(&in_tunnel(inner.clone(), allowed))
            .opens_active(V4.web());
        let frame = in_tunnel(inner, other).bytes();
        rig.run([
            comes_in,
            Case::untouched(other, frame, Reason::TunnelSource),
        ]);
    }
}

/// Tunnels to other machines, and to this one's host.
#[test]
fn tunnels_that_end_elsewhere_pass() {
    let mut rig = rig();
    let passes = |pair: Pair, tunnel: Family, what: &str, frame: &Frame| {
        let what = format!("{pair} within {tunnel}: {what}");
        Case::untouched(what, frame.bytes(), Reason::OtherProtocol)
    };
    for (pair, tunnel) in pairs_in_tunnels() {
        let frame = in_tunnel(opening(pair, 1), tunnel);
        rig.run([passes(pair, tunnel, "no tunnel ends here", &frame)]);
    }
    end_tunnels(&mut rig);
    for (pair, tunnel) in pairs_in_tunnels() {
        for to in [
            "10.0.1.2",
            "10.0.0.29",
            "2001:db8:1::2",
            "2001:db8:1:1::1",
            "a00:101::",
        ] {
            let to = address(to);
            if to.is_ipv4() == (tunnel == Family::Ipv4) {
                let elsewhere = opening(pair, 1).within(IpHeader::new(sender(tunnel), to));
                rig.run([passes(pair, tunnel, &to.to_string(), &elsewhere)]);
            }
        }
    }
}

/// What the balancer gets for itself at the same address.
#[test]
fn other_packets_to_an_endpoint_pass() {
    let mut rig = rig();
    end_tunnels(&mut rig);
    for family in FAMILIES {
        for protocol in [Protocol::Tcp, Protocol::Udp] {
            let to = std::net::SocketAddr::new(balancer(family), 22);
            let frame = first(protocol, client(family, 1), to).bytes();
            let what = format!("{protocol} to {to}");
            rig.run([Case::untouched(what, frame, Reason::NoService)]);
        }
    }
}

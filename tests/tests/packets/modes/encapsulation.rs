//! Tunnels to backends: the outer header, in every value it may have.

use std::{
    collections::BTreeSet,
    net::{IpAddr, SocketAddr},
};

use lvs_common::{Family, ForwardingMode, Reason, tcp::ACK};
use lvs_tests::packet::{BackendSpec, Case, Frame, Hop, Rig, ServiceSpec, Xdp};

use super::{
    expected::{is_numbered, outer},
    network::{backend, balancer, client, first, near, next, vip},
    stand::{self, service},
    table::{Pair, V4, V6_TO_V4},
};
use lvs_common::Protocol::Tcp;

/// Bytes that a tunnel to a backend of this family adds.
const fn overhead(family: Family) -> usize {
    match family {
        Family::Ipv4 => 20,
        Family::Ipv6 => 40,
    }
}

fn rig() -> Rig {
    stand::rig(ForwardingMode::Tun, &Pair::ALL)
}

fn opening(pair: Pair, port: u16) -> Frame {
    first(Tcp, client(pair.client, port), pair.vip())
}

fn following(pair: Pair, port: u16) -> Frame {
    next(Tcp, client(pair.client, port), pair.vip())
}

/// The frame as it goes to the backend, from the balancer's own address.
fn tunnelled(frame: &Frame, pair: Pair, identification: u16) -> Frame {
    from(frame, pair, balancer(pair.backend), identification)
}

fn from(frame: &Frame, pair: Pair, source: IpAddr, identification: u16) -> Frame {
    let sent = frame.clone().forwarded(&near(pair.backend));
    let destination = backend(pair.backend, 80).ip();
    let outer = outer(sent.ip(), source, destination, identification);
    sent.within(outer)
}

/// A row: the packet leaves in a tunnel.
fn row(what: &str, frame: &Frame, pair: Pair, identification: u16) -> Case {
    let what = format!("{pair}: {what}");
    let after = tunnelled(frame, pair, identification);
    Case::sent(what, frame, pair.web(), &near(pair.backend)).becoming(&after)
}

#[test]
fn every_dscp_and_ecn_is_told_outside() {
    let rig = rig();
    for pair in Pair::ALL {
        let mut number = 0;
        let open = row("opens", &opening(pair, 1), pair, 0).opens_active(pair.web());
        rig.run([open]);
        for class in 0..=u8::MAX {
            let frame = following(pair, 1).traffic_class(class);
            // The opening was the first.
            number += u16::from(is_numbered(frame.ip(), pair.backend));
            let (_, after) = rig.walk(&frame.bytes()).expect("a walk");
            let expected = tunnelled(&frame, pair, number).bytes();
            assert_eq!(after, expected, "{pair}, class {class:#04x}");
        }
    }
}

/// Of packets that may be fragmented on the way each has an identification of its own (RFC 6864).
#[test]
fn identifications_count_up_by_backend() {
    let (web, shop) = (V4.vip(), vip(Family::Ipv4, 99));
    let spec = service(ForwardingMode::Tun, V4, near(Family::Ipv4));
    let backend = BackendSpec {
        address: Some(backend(Family::Ipv4, 99)),
        ..spec.backends[0]
    };
    let other = ServiceSpec {
        backends: vec![backend],
        ..ServiceSpec::new("shop", Tcp, shop, [])
    };
    let rig = Rig::new(&[spec, other]);
    let walk = |to: SocketAddr, may_fragment: bool, number: u16| {
        let frame = first(Tcp, client(Family::Ipv4, 1), to).dont_fragment(!may_fragment);
        let (verdict, after) = rig.walk(&frame.bytes()).expect("a walk");
        assert_eq!(verdict, Xdp::Tx);
        let what = format!("{to}, may fragment: {may_fragment}, number {number}");
        assert_eq!(after, tunnelled(&frame, V4, number).bytes(), "{what}");
    };
    for number in 0..10 {
        walk(web, true, number);
        for _ in 0..number {
            walk(web, false, 0);
        }
    }
    walk(shop, true, 0);
    walk(web, true, 10);
    walk(shop, true, 1);
    // On to the last, of which a few are looked at.
    let frame = first(Tcp, client(Family::Ipv4, 1), web).dont_fragment(false);
    let bytes = frame.bytes();
    for number in 11..=u16::MAX {
        if number % 997 == 0 || number == u16::MAX {
            walk(web, true, number);
        } else {
            rig.walk(&bytes).expect("a walk");
        }
    }
    walk(web, true, 0);
}

/// IPv6 says nothing of fragments: each packet of it may become some, within IPv4.
#[test]
fn packets_of_ipv6_are_numbered_within_ipv4() {
    let rig = rig();
    let open = row("opens", &opening(V6_TO_V4, 1), V6_TO_V4, 0).opens_active(V6_TO_V4.web());
    rig.run([open]);
    for number in 1..100 {
        rig.run([row("follows", &following(V6_TO_V4, 1), V6_TO_V4, number)]);
    }
}

#[test]
fn packets_fit_the_mtu_with_what_is_added() {
    const MTU: usize = 1_400;
    let services = Pair::ALL.map(|pair| {
        let hop = Hop {
            mtu: MTU as u32,
            ..near(pair.backend)
        };
        service(ForwardingMode::Tun, pair, hop)
    });
    let rig = Rig::new(&services);
    for pair in Pair::ALL {
        let fits = MTU - overhead(pair.backend);
        let whole = opening(pair, 1).packet_len(fits);
        let large = following(pair, 1).packet_len(fits + 1);
        let divisible = large.clone().dont_fragment(false);
        let what = |what: &str| format!("{pair}: {what}");
        rig.run([
            row("as long as the MTU", &whole, pair, 0).opens_active(pair.web()),
            Case::untouched(what("a byte more"), large.bytes(), Reason::TooBig),
            Case::untouched(what("that may be two"), divisible.bytes(), Reason::TooBig),
        ]);
    }
}

/// Ethernet fills short frames up; no length counts what is behind the packet.
#[test]
fn padding_behind_the_packet_is_no_part_of_it() {
    let rig = rig();
    for pair in Pair::ALL {
        rig.run([row("padded", &opening(pair, 1), pair, 0)
            .opens_active(pair.web())
            .padded(6)]);
    }
}

#[test]
fn the_last_hop_is_not_taken() {
    let rig = rig();
    for pair in Pair::ALL {
        rig.run([row("opens", &opening(pair, 1), pair, 0).opens_active(pair.web())]);
        for hops in [0, 1] {
            let frame = following(pair, 1).hops(hops).bytes();
            let what = format!("{pair}: {hops} hops");
            rig.run([Case::untouched(what, frame, Reason::TtlExceeded)]);
        }
    }
}

/// Source of the outer header of an untagged frame.
fn outer_source(frame: &[u8], family: Family) -> IpAddr {
    let ip = &frame[14..];
    match family {
        Family::Ipv4 => <[u8; 4]>::try_from(&ip[12..16]).expect("an address").into(),
        Family::Ipv6 => <[u8; 16]>::try_from(&ip[8..24]).expect("an address").into(),
    }
}

/// The address without its last bits.
fn prefix(address: IpAddr, bits: u8) -> u128 {
    match address {
        IpAddr::V4(v4) => u128::from(v4.to_bits()) >> bits,
        IpAddr::V6(v6) => v6.to_bits() >> bits,
    }
}

const FLOWS: u16 = 64;

/// A service whose tunnels have so many bits of the flow in their source.
#[derive(Clone, Copy)]
struct Scattered {
    pair: Pair,
    source: IpAddr,
    bits: u8,
    vip: SocketAddr,
}

impl Scattered {
    fn spec(self) -> ServiceSpec {
        let Self { pair, bits, .. } = self;
        let hop = Hop {
            source: Some(self.source),
            ..near(pair.backend)
        };
        let spec = service(ForwardingMode::Tun, pair, hop);
        let backend = BackendSpec {
            entropy: bits,
            ..spec.backends[0]
        };
        let name = format!("{}:{bits}", spec.name);
        ServiceSpec::new(name, Tcp, self.vip, [backend])
    }

    /// Sources of the tunnels of many flows.
    fn sources(self, rig: &Rig) -> Vec<IpAddr> {
        let Self {
            pair, source, bits, ..
        } = self;
        let mut number = 0;
        let mut walk = |frame: &Frame| {
            let (verdict, after) = rig.walk(&frame.bytes()).expect("a walk");
            assert_eq!(verdict, Xdp::Tx);
            let found = outer_source(&after, pair.backend);
            let what = format!("{pair}, {bits} bits of {source}: {found}");
            assert_eq!(prefix(found, bits), prefix(source, bits), "{what}");
            assert_eq!(after, from(frame, pair, found, number).bytes(), "{what}");
            number += u16::from(is_numbered(frame.ip(), pair.backend));
            found
        };
        let frames = (1..=FLOWS).map(|port| first(Tcp, client(pair.client, port), self.vip));
        let frames: Vec<Frame> = frames.collect();
        let sources: Vec<IpAddr> = frames.iter().map(&mut walk).collect();
        for (opening, source) in frames.into_iter().zip(&sources) {
            let frame = opening.flags(ACK).payload(7).traffic_class(4).hops(9);
            let what = format!("{pair}, {bits} bits: {}", frame.source());
            assert_eq!(walk(&frame), *source, "{what}");
        }
        sources
    }
}

/// Runs all pairs, with tunnels that begin at either address.
fn scatter(v4: &str, v6: &str) {
    let cells = Pair::ALL
        .into_iter()
        .flat_map(|p| [4, 16, 31, 32].map(|b| (p, b)));
    let scattered = (100..).zip(cells).map(|(port, (pair, bits))| {
        let text = if pair.backend == Family::Ipv4 { v4 } else { v6 };
        Scattered {
            pair,
            source: text.parse().expect("an address"),
            bits,
            vip: vip(pair.client, port),
        }
    });
    let all: Vec<Scattered> = scattered.collect();
    let specs: Vec<ServiceSpec> = all.iter().map(|scattered| scattered.spec()).collect();
    let rig = Rig::with_halves(&specs, 1_024);
    for scattered in all {
        let many: BTreeSet<_> = scattered.sources(&rig).into_iter().collect();
        // Of sixteen addresses nearly all, of more nearly one a flow.
        let least = if scattered.bits == 4 { 10 } else { 56 };
        let (pair, bits) = (scattered.pair, scattered.bits);
        assert!(many.len() >= least, "{pair}, {bits} bits: {many:?}");
    }
}

/// So that a backend shares tunnels out among its queues, and routers among their links.
#[test]
fn sources_of_tunnels_are_as_many_as_the_last_bits_allow() {
    scatter("10.128.0.0", "2001:db8:1::");
}

/// An address of the balancer has last bits of its own, which must not show through.
#[test]
fn the_last_bits_of_a_source_are_the_flows_alone() {
    scatter("10.255.255.255", "2001:db8:1::ffff:ffff");
}

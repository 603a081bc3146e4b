//! Tunnels: what goes in comes out; where they may end, and what is told at their end.

use std::{
    collections::HashSet,
    net::{IpAddr, SocketAddr},
};

use lvs_common::{Reason, map::NextHop, tcp::SYN};
use lvs_ebpf::{
    Action,
    host::{Memory, Setup},
};
use proptest::prelude::*;

use crate::farm::{
    DMZ, DMZ_MAC, LAN_MAC, MTU, Site, backend_mac, hop_to, interfaces, only, walk, with_sites,
};

const SOURCE4: &str = "172.16.0.0";
const SOURCE6: &str = "2001:db8:f::";

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// Where tunnels to a backend of this family begin.
fn source(is_v6: bool) -> IpAddr {
    ip(if is_v6 { SOURCE6 } else { SOURCE4 })
}

/// The only backend of every service, of this family.
fn backend(is_v6: bool) -> IpAddr {
    ip(if is_v6 { "2001:db8::99" } else { "10.0.0.99" })
}

fn hop_from(source: IpAddr, hop: NextHop) -> NextHop {
    NextHop {
        source: source.into(),
        ..hop
    }
}

/// One backend a service, all in the other end of a tunnel of this family.
fn balancer(is_v6: bool, entropy: u8, hop: impl Fn(u16) -> NextHop) -> Memory {
    let mut setup = interfaces();
    for site in Site::ALL {
        let vip = site.vip();
        let id = setup.service(
            site.protocol(),
            vip.ip(),
            vip.port(),
            lvs_common::Scheduler::Wrr,
        );
        let hop = setup.next_hop(hop_from(source(is_v6), hop(only(site))));
        let added = setup.backend(id, backend(is_v6), 1, hop);
        setup.tun(added, entropy);
    }
    setup.build()
}

/// Lets tunnels end at both addresses of the backend, if they come from the balancer.
fn with_ends(mut setup: Setup) -> Setup {
    for is_v6 in [false, true] {
        setup.endpoint(backend(is_v6));
        setup.tunnels_from(source(is_v6), if is_v6 { 96 } else { 16 });
    }
    setup
}

/// As it arrives at a machine with the MAC address of the clients' interface.
fn arriving(mut frame: Vec<u8>) -> Vec<u8> {
    frame[..6].copy_from_slice(&LAN_MAC);
    frame
}

/// Where the IP header of an untagged frame is.
const NETWORK: usize = 14;

/// Sets DSCP and ECN of an untagged frame; the checksum of a header of IPv4 is then wrong.
fn set_class(frame: &mut [u8], class: u8) {
    if frame[NETWORK] >> 4 == 4 {
        frame[NETWORK + 1] = class;
    } else {
        frame[NETWORK] = 0x60 | class >> 4;
        frame[NETWORK + 1] = frame[NETWORK + 1] & 15 | class << 4;
    }
}

fn class(frame: &[u8]) -> u8 {
    if frame[NETWORK] >> 4 == 4 {
        frame[NETWORK + 1]
    } else {
        frame[NETWORK] << 4 | frame[NETWORK + 1] >> 4
    }
}

const fn header(is_v6: bool) -> usize {
    if is_v6 { 40 } else { 20 }
}

/// The outer source of an untagged tunnel.
fn outer_source(frame: &[u8]) -> u128 {
    if frame[NETWORK] >> 4 == 4 {
        let address = *frame[NETWORK + 12..].first_chunk().unwrap();
        u32::from_be_bytes(address).into()
    } else {
        u128::from_be_bytes(*frame[NETWORK + 8..].first_chunk().unwrap())
    }
}

#[test]
fn congestion_is_told_by_the_rules_of_rfc_6040() {
    for (site, is_v6) in Site::ALL.into_iter().flat_map(|s| [(s, false), (s, true)]) {
        for inner in 0..4 {
            let memory = balancer(is_v6, 0, hop_to);
            let mut frame = site.packet(1, SYN).frame();
            set_class(&mut frame, 0xb8 | inner);
            let (outcome, sent) = walk(&memory, &frame);
            assert_eq!(outcome, Ok(Action::Send));
            let told = if inner == 3 { 2 } else { inner };
            assert_eq!(class(&sent), 0xb8 | told, "{site:?} {is_v6}");

            for outer in 0..4 {
                let what = format!("{site:?} {is_v6} {inner} {outer}");
                let mut tunnel = arriving(sent.clone());
                set_class(&mut tunnel, 0xb8 | outer);
                let end = with_ends(interfaces()).build();
                let (outcome, after) = walk(&end, &tunnel);
                if outer == 3 && inner == 0 {
                    assert_eq!(outcome, Err(Reason::TunnelCongested), "{what}");
                    assert_eq!(after, tunnel, "{what}");
                    continue;
                }
                assert_eq!(outcome, Err(Reason::NoService), "{what}");
                let expected = if outer == 3 { 3 } else { inner };
                assert_eq!(class(&after), 0xb8 | expected, "{what}");
            }
        }
    }
}

#[test]
fn they_end_only_where_they_may_and_come_from_where_they_may() {
    for (site, is_v6) in Site::ALL.into_iter().flat_map(|s| [(s, false), (s, true)]) {
        let (_, sent) = walk(&balancer(is_v6, 0, hop_to), &site.packet(1, SYN).frame());
        let tunnel = arriving(sent);
        let mut elsewhere = interfaces();
        elsewhere.endpoint(ip("10.0.0.98"));
        elsewhere.tunnels_from(source(is_v6), 0);
        let mut from_nobody = interfaces();
        from_nobody.endpoint(backend(is_v6));
        let mut from_others = interfaces();
        from_others.endpoint(backend(is_v6));
        from_others.tunnels_from(source(!is_v6), 0);
        from_others.tunnels_from(
            ip(if is_v6 {
                "2001:db8:f:8000::"
            } else {
                "172.16.128.0"
            }),
            49,
        );
        for (setup, reason) in [
            (interfaces(), Reason::OtherProtocol),
            (elsewhere, Reason::OtherProtocol),
            (from_nobody, Reason::TunnelSource),
            (from_others, Reason::TunnelSource),
        ] {
            let (outcome, after) = walk(&setup.build(), &tunnel);
            assert_eq!(outcome, Err(reason), "{site:?} {is_v6}");
            assert_eq!(after, tunnel);
        }
    }
}

#[test]
fn what_is_no_ip_packet_stays_in_its_tunnel() {
    for is_v6 in [false, true] {
        let (_, sent) = walk(
            &balancer(is_v6, 0, hop_to),
            &Site::Web.packet(1, SYN).frame(),
        );
        let inner = NETWORK + header(is_v6);
        let end = || with_ends(interfaces()).build();
        let mut tunnel = arriving(sent);
        tunnel[inner] = 0x65;
        assert_eq!(walk(&end(), &tunnel).0, Err(Reason::BadHeader));
        tunnel[inner] = 0x45;
        let short = 19_u16;
        let (at, told) = if is_v6 {
            (NETWORK + 4, short)
        } else {
            (NETWORK + 2, short + 20)
        };
        tunnel[at..at + 2].copy_from_slice(&told.to_be_bytes());
        assert_eq!(walk(&end(), &tunnel).0, Err(Reason::Truncated));
    }
}

#[test]
fn the_outer_header_counts_against_the_mtu() {
    for (site, is_v6) in Site::ALL.into_iter().flat_map(|s| [(s, false), (s, true)]) {
        let memory = balancer(is_v6, 0, hop_to);
        let empty = site.packet(1, SYN).payload(0).frame().len() - NETWORK;
        let room = MTU as usize - header(is_v6) - empty;
        let (outcome, sent) = walk(&memory, &site.packet(1, SYN).payload(room).frame());
        assert_eq!(outcome, Ok(Action::Send));
        assert_eq!(sent.len(), NETWORK + MTU as usize);
        let (outcome, _) = walk(&memory, &site.packet(1, SYN).payload(room + 1).frame());
        assert_eq!(outcome, Err(Reason::TooBig));
    }
}

#[test]
fn sources_vary_by_flow_within_their_prefix() {
    for (site, is_v6) in Site::ALL.into_iter().flat_map(|s| [(s, false), (s, true)]) {
        let memory = balancer(is_v6, 12, hop_to);
        let mut sources = HashSet::new();
        for client in 0..64 {
            let frame = site.packet(client, SYN).frame();
            let (_, first) = walk(&memory, &frame);
            let (_, second) = walk(&memory, &frame);
            assert_eq!(outer_source(&first), outer_source(&second));
            sources.insert(outer_source(&first));
        }
        let base = match source(is_v6) {
            IpAddr::V4(ip) => ip.to_bits().into(),
            IpAddr::V6(ip) => ip.to_bits(),
        };
        assert!(sources.len() > 48, "{} sources", sources.len());
        assert!(sources.iter().all(|source| source >> 12 == base >> 12));
    }
}

#[test]
fn those_that_may_be_fragmented_have_identifications() {
    const IDENTIFICATION: usize = NETWORK + 4;
    let memory = balancer(false, 0, hop_to);
    // Packets of IPv6 have no "don't fragment".
    for expected in 0..3_u16 {
        let (_, sent) = walk(&memory, &Site::Dns6.packet(1, 0).frame());
        assert_eq!(
            sent[IDENTIFICATION..][..4],
            [expected.to_be_bytes(), [0, 0]].concat()
        );
    }
    let (_, sent) = walk(&memory, &Site::Dns.packet(1, 0).frame());
    assert_eq!(sent[IDENTIFICATION..][..4], [0, 0, 0x40, 0]);
}

/// A balancer behind a balancer: out of the tunnel and on in one walk.
#[test]
fn what_was_in_a_tunnel_is_sent_on() {
    for (site, is_v6) in Site::ALL.into_iter().flat_map(|s| [(s, false), (s, true)]) {
        let (_, sent) = walk(&balancer(is_v6, 0, hop_to), &site.packet(1, SYN).frame());
        let mut setup = with_ends(with_sites(interfaces(), 1));
        setup.nat(only(site), Some(8080));
        let memory = setup.build();
        let (outcome, after) = walk(&memory, &arriving(sent));
        assert_eq!(outcome, Ok(Action::Send), "{site:?} {is_v6}");
        assert_eq!(after[..6], backend_mac(only(site)));
        assert_eq!(memory.backend_counters(only(site)).packets, 1);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn what_goes_in_comes_out(
        site in prop::sample::select(Site::ALL.to_vec()),
        is_v6 in any::<bool>(),
        client in any::<(u32, u16)>(),
        payload in 0..1300_usize,
        hops in 2..=255_u8,
        options in 0..=10_usize,
        tags in prop::collection::vec(1..4095_u16, 0..=2),
        hop_tags in prop::sample::select(vec![[0, 0], [100, 0], [300, 100]]),
    ) {
        let memory = balancer(is_v6, 0, |_| {
            let mut hop = NextHop::new(DMZ, MTU, LAN_MAC, DMZ_MAC);
            hop.tags = hop_tags;
            hop
        });
        let client_ip: IpAddr = match site.vip() {
            SocketAddr::V4(_) => IpAddr::from(client.0.to_be_bytes()),
            SocketAddr::V6(_) => std::net::Ipv6Addr::from(u128::from(client.0) << 7).into(),
        };
        let mut packet = site
            .packet_of(SocketAddr::new(client_ip, client.1), SYN)
            .payload(payload)
            .hops(hops);
        if site.vip().is_ipv4() {
            packet = packet.options(&vec![1; 4 * options]);
        }
        for tag in &tags {
            packet = packet.tag(0x8100, *tag);
        }
        let (outcome, tunnel) = walk(&memory, &packet.frame());
        prop_assert_eq!(outcome, Ok(Action::Redirect(DMZ)));

        let end = with_ends(interfaces()).build();
        let (outcome, after) = walk(&end, &tunnel);
        prop_assert_eq!(outcome, Err(Reason::NoService));
        let mut expected = tunnel[..tunnel.len() - header(is_v6)].to_vec();
        let tags = 4 * hop_tags.iter().filter(|tag| **tag != 0).count();
        expected.truncate(NETWORK - 2 + tags);
        let bare = packet.without_tags().hops(hops - 1).frame();
        expected.extend(&bare[NETWORK - 2..]);
        prop_assert_eq!(after, expected);
    }
}

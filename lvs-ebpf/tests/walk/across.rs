//! FULLNAT between families: clients of one, backends of the other.

use std::net::{IpAddr, SocketAddr};

use lvs_common::{
    Protocol, Reason, Scheduler,
    flow::Stage,
    tcp::{ACK, FIN, RST, SYN, State},
};
use lvs_ebpf::{
    Action,
    host::{Load, Memory, Probe, read},
};
use proptest::prelude::*;

use crate::farm::{
    LAN_MAC, MTU, Site, address, assert_sound, backend_mac, flow, hop_to, interfaces, only, walk,
};

/// Where the tests' clients send from, as [`Probe`] writes it.
const CLIENT_MAC: [u8; 6] = [0x02, 0xc1, 0, 0, 0, 1];
const NETWORK: usize = 14;

/// The only backend of a service: of the other family.
fn backend(site: Site) -> SocketAddr {
    address(if site.vip().is_ipv6() {
        "10.0.0.17:8080"
    } else {
        "[2001:db8::11]:8080"
    })
}

fn local(site: Site) -> IpAddr {
    let text = if site.vip().is_ipv6() {
        "10.0.0.200"
    } else {
        "2001:db8::200"
    };
    text.parse().unwrap()
}

fn balancer() -> Memory {
    let mut setup = interfaces();
    for site in Site::ALL {
        let vip = site.vip();
        let id = setup.service(site.protocol(), vip.ip(), vip.port(), Scheduler::Wrr);
        let hop = setup.next_hop(hop_to(only(site)));
        let added = setup.backend(id, backend(site).ip(), 1, hop);
        setup.full_nat(added, Some(8080), &[local(site)], 5000..=5003);
    }
    setup.build()
}

fn answer(site: Site, to: SocketAddr, flags: u8) -> Probe {
    match site.protocol() {
        Protocol::Tcp => Probe::tcp(LAN_MAC, backend(site), to, flags),
        Protocol::Udp => Probe::udp(LAN_MAC, backend(site), to),
    }
}

/// Sends a client's packet that must reach the backend; where it seems to come from.
fn request(memory: &Memory, site: Site, probe: &Probe) -> SocketAddr {
    let (outcome, after) = walk(memory, &probe.frame());
    assert_eq!(outcome, Ok(Action::Send), "{site:?}");
    assert_eq!(after[..6], backend_mac(only(site)));
    let reading = read(&after, after.first_chunk().copied()).unwrap();
    assert_eq!(
        SocketAddr::from(reading.tuple.destination()),
        backend(site),
        "{site:?}"
    );
    reading.tuple.source().into()
}

#[test]
fn there_and_back_byte_for_byte() {
    for site in Site::ALL {
        for payload in [0, 1, 7, 1400] {
            let memory = balancer();
            let frame = site.packet(1, SYN).payload(payload).frame();
            let (_, after) = walk(&memory, &frame);
            let origin = SocketAddr::new(local(site), 5000);
            let mac = backend_mac(only(site));
            let expected = match site.protocol() {
                Protocol::Tcp => Probe::tcp(mac, origin, backend(site), SYN),
                Protocol::Udp => Probe::udp(mac, origin, backend(site)),
            };
            let mut expected = expected.hops(63).payload(payload).frame();
            expected[6..12].copy_from_slice(&LAN_MAC);
            if backend(site).is_ipv4() {
                // What Probe identifies its packets by, taken out of the checksum, too.
                expected[18..20].copy_from_slice(&[0, 0]);
                let sum = u16::from_be_bytes([expected[24], expected[25]]);
                let sum = u32::from(sum) + 0xbeef;
                let sum = (sum & 0xffff) + (sum >> 16);
                expected[24..26].copy_from_slice(&(sum as u16).to_be_bytes());
            }
            assert_eq!(after, expected, "{site:?} {payload}");
        }
    }
}

#[test]
fn a_connection_is_followed_and_ends_in_both_tables() {
    for site in [Site::Web, Site::Web6] {
        let memory = balancer();
        let origin = request(&memory, site, &site.packet(1, SYN));
        for (from_client, flags, state) in [
            (false, SYN | ACK, State::SynRecv),
            (true, ACK, State::Established),
            (false, FIN | ACK, State::FinWait),
            (true, RST, State::Close),
        ] {
            let probe = if from_client {
                site.packet(1, flags)
            } else {
                answer(site, origin, flags)
            };
            assert_eq!(walk(&memory, &probe.frame()).0, Ok(Action::Send));
            let word = flow(&memory, site, 1).word;
            assert_eq!(word.stage(), Some(Stage::Tcp(state)), "{site:?} {flags:#x}");
            assert_sound(&memory);
        }
        assert_eq!(memory.flows().len(), 2);
        memory.pass(1_000_000);
        memory.sweep_all();
        assert!(memory.flows().is_empty());
        assert_eq!(memory.load_of(only(site)), Load::new(0, 0));
    }
}

#[test]
fn local_ports_run_out_and_harm_nobody() {
    for site in Site::ALL {
        let memory = balancer();
        for client in 0..4 {
            request(&memory, site, &site.packet(client, SYN));
        }
        let (outcome, _) = walk(&memory, &site.packet(4, SYN).frame());
        assert_eq!(outcome, Err(Reason::NoPort));
        assert_eq!(memory.flows().len(), 8);
        for client in 0..4 {
            request(&memory, site, &site.packet(client, ACK));
        }
    }
}

/// IPv6 wants a checksum (RFC 8200 section 8.1), and there is none to start from.
#[test]
fn datagrams_without_a_checksum_do_not_cross() {
    for site in [Site::Dns, Site::Dns6] {
        let memory = balancer();
        let origin = request(&memory, site, &site.packet(1, 0));
        for probe in [site.packet(1, 0), answer(site, origin, 0)] {
            let mut frame = probe.frame();
            let header = if frame[NETWORK] >> 4 == 4 { 20 } else { 40 };
            let at = NETWORK + header + 6;
            frame[at..at + 2].copy_from_slice(&[0, 0]);
            assert_eq!(walk(&memory, &frame).0, Err(Reason::NoChecksum), "{site:?}");
        }
    }
}

#[test]
fn the_new_header_counts_against_the_mtu() {
    for site in Site::ALL {
        let memory = balancer();
        let empty = site.packet(1, SYN).payload(0).frame().len() - NETWORK;
        let (old, new) = if site.vip().is_ipv4() {
            (20, 40)
        } else {
            (40, 20)
        };
        let room = MTU as usize + old - new - empty;
        // What comes is longer than the MTU with IPv6, which is the sender's matter.
        let fits = site.packet(1, SYN).payload(room);
        let (_, after) = walk(&memory, &fits.frame());
        assert_eq!(after.len(), NETWORK + MTU as usize, "{site:?}");
        let (outcome, _) = walk(&memory, &site.packet(1, SYN).payload(room + 1).frame());
        assert_eq!(outcome, Err(Reason::TooBig), "{site:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn the_inverse_gives_the_original(
        site in prop::sample::select(Site::ALL.to_vec()),
        client in 0..10_000_u16,
        payload in 0..1300_usize,
        hops in 2..=255_u8,
        options in 0..=10_usize,
        tags in prop::collection::vec(1..4095_u16, 0..=2),
    ) {
        let memory = balancer();
        let mut packet = site.packet(client, SYN).payload(payload).hops(hops);
        if site.vip().is_ipv4() {
            packet = packet.options(&vec![1; 4 * options]);
        }
        for tag in &tags {
            packet = packet.tag(0x8100, *tag);
        }
        let origin = request(&memory, site, &packet);
        let mut answer = answer(site, origin, ACK).payload(payload);
        if backend(site).is_ipv4() {
            answer = answer.options(&vec![1; 4 * options]);
        }
        let (outcome, after) = walk(&memory, &answer.frame());
        prop_assert_eq!(outcome, Ok(Action::Send));
        let reading = read(&after, Some(CLIENT_MAC)).unwrap();
        prop_assert_eq!(reading.tuple.reversed(), site.tuple(client));
        let mut ids = [0; 2];
        ids[..tags.len()].copy_from_slice(&tags);
        prop_assert_eq!(reading.tags, ids);
        assert_sound(&memory);
    }
}

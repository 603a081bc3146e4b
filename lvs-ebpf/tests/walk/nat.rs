//! NAT and FULLNAT: what goes out is what a host would have written that speaks for the other, with all
//! checksums computed anew; what comes back is the inverse.

use std::{collections::HashSet, net::SocketAddr};

use lvs_common::{
    Protocol, Reason,
    flow::Stage,
    map::{FlowEvent, NextHop},
    tcp::{ACK, FIN, SYN, State},
};
use lvs_ebpf::{
    Action,
    host::{Load, Memory, Probe, Setup, TICKS_PER_SECOND, read},
};
use proptest::prelude::*;

use crate::farm::{
    DMZ, DMZ_MAC, LAN, LAN_MAC, MTU, Site, address, assert_sound, backend_mac, flow, interfaces,
    only, walk, walk_from, with_sites,
};

/// Where the tests' clients send from, as [`Probe`] writes it.
const CLIENT_MAC: [u8; 6] = [0x02, 0xc1, 0, 0, 0, 1];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Nat,
    FullNat,
}

const MODES: [Mode; 2] = [Mode::Nat, Mode::FullNat];

/// Port of every backend.
const PORT: u16 = 8080;

fn locals(site: Site) -> Vec<std::net::IpAddr> {
    let texts = match site {
        Site::Web | Site::Dns => ["10.0.0.200", "10.0.0.201"],
        Site::Web6 | Site::Dns6 => ["2001:db8::200", "2001:db8::201"],
    };
    texts.map(|text| text.parse().unwrap()).to_vec()
}

fn translate(setup: &mut Setup, mode: Mode, backends: u16, ports: std::ops::RangeInclusive<u16>) {
    for site in Site::ALL {
        for number in 0..backends {
            let id = 1 + site.id() as u16 * backends + number;
            match mode {
                Mode::Nat => setup.nat(id, Some(PORT)),
                Mode::FullNat => setup.full_nat(id, Some(PORT), &locals(site), ports.clone()),
            }
        }
    }
}

fn balancer(mode: Mode, backends: u16) -> Memory {
    let mut setup = with_sites(interfaces(), backends);
    translate(&mut setup, mode, backends, 5000..=65535);
    setup.build()
}

/// Address and port of the first backend of a service.
fn backend_of(site: Site) -> SocketAddr {
    let address = match site {
        Site::Web | Site::Dns => "10.0.0.17",
        Site::Web6 | Site::Dns6 => "2001:db8::11",
    };
    SocketAddr::new(address.parse().unwrap(), PORT)
}

fn probe(site: Site, mac: [u8; 6], from: SocketAddr, to: SocketAddr, flags: u8) -> Probe {
    match site.protocol() {
        Protocol::Tcp => Probe::tcp(mac, from, to, flags),
        Protocol::Udp => Probe::udp(mac, from, to),
    }
}

/// The frame with another source MAC address.
fn from_mac(mut frame: Vec<u8>, mac: [u8; 6]) -> Vec<u8> {
    frame[6..12].copy_from_slice(&mac);
    frame
}

/// Source of a packet that was sent.
fn source(frame: &[u8]) -> SocketAddr {
    let tuple = read(frame, frame.first_chunk().copied()).unwrap().tuple;
    tuple.source().into()
}

/// Sends a client's packet that must reach the first backend; where it seems to come from.
fn request(memory: &Memory, site: Site, client: u16, flags: u8) -> SocketAddr {
    let (outcome, after) = walk(memory, &site.packet(client, flags).frame());
    assert_eq!(outcome, Ok(Action::Send), "{site:?}");
    source(&after)
}

/// The backend's answer to `to`, and what becomes of it.
fn reply(
    memory: &Memory,
    site: Site,
    to: SocketAddr,
    flags: u8,
) -> (Result<Action, Reason>, Vec<u8>) {
    let answer = probe(site, LAN_MAC, backend_of(site), to, flags);
    walk(memory, &from_mac(answer.frame(), backend_mac(only(site))))
}

#[test]
fn there_and_back_byte_for_byte() {
    for (mode, site) in MODES.into_iter().flat_map(|m| Site::ALL.map(|s| (m, s))) {
        for payload in [0, 1, 2, 7, 1400] {
            let what = format!("{mode:?} {site:?} {payload}");
            let memory = balancer(mode, 1);
            let client = site.client(1);
            let frame = site.packet(1, SYN).payload(payload).frame();
            let (outcome, after) = walk(&memory, &frame);
            assert_eq!(outcome, Ok(Action::Send), "{what}");
            let origin = source(&after);
            match mode {
                Mode::Nat => assert_eq!(origin, client, "{what}"),
                Mode::FullNat => assert!(locals(site).contains(&origin.ip()), "{what}"),
            }
            let mac = backend_mac(only(site));
            let expected = probe(site, mac, origin, backend_of(site), SYN);
            let expected = expected.hops(63).payload(payload).frame();
            assert_eq!(after, from_mac(expected, LAN_MAC), "{what}");

            let answer = probe(site, LAN_MAC, backend_of(site), origin, SYN | ACK);
            let (outcome, after) = walk(&memory, &from_mac(answer.payload(payload).frame(), mac));
            assert_eq!(outcome, Ok(Action::Send), "{what}");
            let expected = probe(site, CLIENT_MAC, site.vip(), client, SYN | ACK);
            let expected = expected.hops(63).payload(payload).frame();
            assert_eq!(after, from_mac(expected, LAN_MAC), "{what}");

            let counters = memory.backend_counters(only(site));
            let bytes = frame.len() as u64 - 14;
            assert_eq!(
                (counters.packets, counters.packets_out, counters.connections),
                (1, 1, 1),
                "{what}"
            );
            assert_eq!(
                (counters.bytes, counters.bytes_out),
                (bytes, bytes),
                "{what}"
            );
            assert_sound(&memory);
        }
    }
}

/// Client side and server side on two interfaces, with other tags on each.
#[test]
fn two_arms_with_tags() {
    for (mode, site) in MODES.into_iter().flat_map(|m| Site::ALL.map(|s| (m, s))) {
        let mut setup = with_sites(interfaces(), 1);
        translate(&mut setup, mode, 1, 5000..=65535);
        let mut hop = NextHop::new(DMZ, MTU, backend_mac(99), DMZ_MAC);
        hop.tags = [300, 100];
        let hop = setup.next_hop(hop);
        let mut memory = setup.build();
        memory.set_next_hop(only(site), hop);

        let frame = site.packet(1, SYN).tag(0x8100, 7).frame();
        let (outcome, after) = walk(&memory, &frame);
        assert_eq!(outcome, Ok(Action::Redirect(DMZ)), "{mode:?} {site:?}");
        let origin = source(&after);
        let expected = probe(site, backend_mac(99), origin, backend_of(site), SYN);
        let expected = expected.tag(0x88a8, 300).tag(0x8100, 100).hops(63).frame();
        assert_eq!(after, from_mac(expected, DMZ_MAC), "{mode:?} {site:?}");

        let answer = probe(site, DMZ_MAC, backend_of(site), origin, SYN | ACK);
        let answer = answer.tag(0x88a8, 300).tag(0x8100, 100).frame();
        let (outcome, after) = walk_from(&memory, DMZ, &answer);
        assert_eq!(outcome, Ok(Action::Redirect(LAN)), "{mode:?} {site:?}");
        let expected = probe(site, CLIENT_MAC, site.vip(), site.client(1), SYN | ACK);
        let expected = expected.tag(0x8100, 7).hops(63).frame();
        assert_eq!(after, from_mac(expected, LAN_MAC), "{mode:?} {site:?}");
    }
}

#[test]
fn a_connection_is_followed_in_both_directions() {
    for mode in MODES {
        let memory = balancer(mode, 1);
        let site = Site::Web;
        let origin = request(&memory, site, 1, SYN);
        let story = [
            (true, SYN | ACK, State::SynRecv),
            (false, ACK, State::Established),
            (true, ACK, State::Established),
            (true, FIN | ACK, State::FinWait),
            (false, ACK, State::FinWait),
            (false, FIN | ACK, State::TimeWait),
            (true, ACK, State::TimeWait),
        ];
        for (is_answer, flags, state) in story {
            if is_answer {
                assert_eq!(reply(&memory, site, origin, flags).0, Ok(Action::Send));
            } else {
                assert_eq!(request(&memory, site, 1, flags), origin);
            }
            let word = flow(&memory, site, 1).word;
            assert_eq!(word.stage(), Some(Stage::Tcp(state)), "{mode:?}");
            assert!(word.reply_seen());
            assert_sound(&memory);
        }
        assert_eq!(memory.load_of(only(site)), Load::new(0, 1));
        // A new connection on the same ports.
        request(&memory, site, 1, SYN);
        assert_eq!(memory.event(FlowEvent::Reused), 1);
        assert_eq!(memory.load_of(only(site)), Load::new(1, 0));
        assert_sound(&memory);
    }
}

#[test]
fn datagrams_without_a_checksum_stay_without() {
    for mode in MODES {
        let memory = balancer(mode, 1);
        let mut frame = Site::Dns.packet(1, 0).frame();
        frame[40..42].copy_from_slice(&[0, 0]);
        let (outcome, after) = walk(&memory, &frame);
        assert_eq!(outcome, Ok(Action::Send));
        assert_eq!(after[40..42], [0, 0]);
    }
}

/// Data that makes the new checksum 0, which would mean that there is none.
#[test]
fn a_datagrams_checksum_never_becomes_none() {
    let memory = balancer(Mode::Nat, 1);
    request(&memory, Site::Dns, 1, 0);
    let mut seen = 0;
    for word in 0..=u16::MAX {
        let mut frame = Site::Dns.packet(1, 0).payload(2).frame();
        let old = u16::from_be_bytes([frame[42], frame[43]]);
        frame[42..44].copy_from_slice(&word.to_be_bytes());
        let sum = u16::from_be_bytes([frame[40], frame[41]]);
        let sum = lvs_common::checksum::update(sum, old, word);
        let sum = if sum == 0 { u16::MAX } else { sum };
        frame[40..42].copy_from_slice(&sum.to_be_bytes());
        let (_, after) = walk(&memory, &frame);
        assert_ne!(after[40..42], [0, 0], "{word:#x}");
        seen += u32::from(after[40..42] == [0xff, 0xff]);
    }
    assert!(seen > 0, "none came to it");
}

/// One client port to two services that share their backends.
#[test]
fn answers_that_could_not_be_told_apart_come_from_another_backend() {
    let mut setup = interfaces();
    for vip in ["10.0.0.29:80", "10.0.0.30:80", "10.0.0.31:80"].map(address) {
        let id = setup.service(
            Protocol::Tcp,
            vip.ip(),
            vip.port(),
            lvs_common::Scheduler::Rr,
        );
        for number in 1..=2 {
            let hop = setup.next_hop(NextHop::new(LAN, MTU, backend_mac(number), LAN_MAC));
            let address = format!("10.0.0.{}", 16 + number);
            let backend = setup.backend(id, address.parse().unwrap(), 1, hop);
            setup.nat(backend, Some(PORT));
        }
    }
    let memory = setup.build();
    let client = address("10.0.0.100:50001");
    let open = |vip: &str| {
        let frame = Probe::tcp(LAN_MAC, client, address(vip), SYN).frame();
        let (outcome, after) = walk(&memory, &frame);
        outcome.map(|_| [after[4], after[5]])
    };
    let first = open("10.0.0.29:80").unwrap();
    let second = open("10.0.0.30:80").unwrap();
    assert_ne!(first, second);
    assert_eq!(open("10.0.0.31:80"), Err(Reason::ReplyTaken));
    // Each answer finds its own service.
    for (mac, vip) in [(first, "10.0.0.29:80"), (second, "10.0.0.30:80")] {
        let backend = address(&format!("10.0.0.{}:{PORT}", 16 + mac[1]));
        let (_, after) = walk(&memory, &Probe::tcp(LAN_MAC, backend, client, ACK).frame());
        assert_eq!(source(&after), address(vip));
    }
    assert_sound(&memory);
}

#[test]
fn local_ports_are_given_out_once_and_come_back_last() {
    let mut setup = with_sites(interfaces().room_for(1000), 1);
    translate(&mut setup, Mode::FullNat, 1, 6000..=6009);
    let memory = setup.build();
    let site = Site::Web;
    let origins: Vec<_> = (0..20)
        .map(|client| request(&memory, site, client, SYN))
        .collect();
    let all: HashSet<_> = origins.iter().collect();
    assert_eq!(all.len(), 20, "two addresses of ten ports");
    let (outcome, _) = walk(&memory, &site.packet(20, SYN).frame());
    assert_eq!(outcome, Err(Reason::NoPort));
    assert_eq!(memory.flows().len(), 40, "nobody was evicted for it");

    // One that is done keeps its port until it has expired.
    for flags in [ACK, FIN | ACK] {
        request(&memory, site, 3, flags);
        reply(&memory, site, origins[3], flags).0.unwrap();
    }
    let word = flow(&memory, site, 3).word;
    assert_eq!(word.stage(), Some(Stage::Tcp(State::TimeWait)));
    for client in (0..20).filter(|client| *client != 3) {
        request(&memory, site, client, ACK);
    }
    assert_eq!(
        walk(&memory, &site.packet(21, SYN).frame()).0,
        Err(Reason::NoPort)
    );
    memory.pass(120 * TICKS_PER_SECOND + 1);
    memory.sweep_all();
    assert_eq!(request(&memory, site, 22, SYN), origins[3]);
    assert_sound(&memory);
}

#[test]
fn what_backends_start_themselves_passes() {
    for mode in MODES {
        let memory = balancer(mode, 1);
        let (outcome, _) = reply(&memory, Site::Web, address("192.0.2.1:443"), SYN);
        assert_eq!(outcome, Err(Reason::NoService), "{mode:?}");
    }
}

#[test]
fn answers_of_a_flow_that_ended_pass() {
    for mode in MODES {
        let memory = balancer(mode, 1);
        let origin = request(&memory, Site::Dns, 1, 0);
        memory.pass(300 * TICKS_PER_SECOND + 1);
        let (outcome, _) = reply(&memory, Site::Dns, origin, 0);
        assert_eq!(outcome, Err(Reason::NoService), "{mode:?}");
        memory.sweep_all();
        assert!(memory.flows().is_empty());
        assert_sound(&memory);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// Whatever a packet is, the answer to what became of it comes back to its sender.
    #[test]
    fn the_inverse_gives_the_original(
        site in prop::sample::select(Site::ALL.to_vec()),
        full in any::<bool>(),
        client in 0..10_000_u16,
        payload in 0..1400_usize,
        hops in 2..=255_u8,
        options in 0..=10_usize,
        tags in prop::collection::vec(1..4095_u16, 0..=2),
    ) {
        let memory = balancer(if full { Mode::FullNat } else { Mode::Nat }, 1);
        let mut packet = site.packet(client, SYN).payload(payload).hops(hops);
        if !matches!(site, Site::Web6 | Site::Dns6) {
            packet = packet.options(&vec![1; 4 * options]);
        }
        for tag in &tags {
            packet = packet.tag(0x8100, *tag);
        }
        let frame = packet.frame();
        if frame.len() - 14 - 4 * tags.len() > usize::try_from(MTU).unwrap() {
            return Ok(());
        }
        let (outcome, after) = walk(&memory, &frame);
        prop_assert_eq!(outcome, Ok(Action::Send));
        let answer = probe(site, LAN_MAC, backend_of(site), source(&after), ACK).payload(payload);
        let (outcome, after) = walk(&memory, &answer.frame());
        prop_assert_eq!(outcome, Ok(Action::Send));
        let reading = read(&after, Some(CLIENT_MAC)).unwrap();
        prop_assert_eq!(reading.tuple.reversed(), site.tuple(client));
        let mut ids = [0; 2];
        ids[..tags.len()].copy_from_slice(&tags);
        prop_assert_eq!(reading.tags, ids);
    }
}

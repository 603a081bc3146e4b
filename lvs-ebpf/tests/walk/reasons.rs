//! Every reason, each provoked in a test of its own, with the verdict an operator will see.

use lvs_common::{
    Protocol, Reason, Scheduler, Verdict,
    map::Counters,
    tcp::{ACK, SYN},
};
use lvs_ebpf::{
    Action,
    host::{Memory, Probe},
};

use crate::farm::{
    DMZ, DMZ_MAC, LAN_MAC, MTU, Site, address, backend_mac, interfaces, only, single, walk,
    with_sites,
};

/// Walks one frame and checks that this reason, and no other, was counted once, with its bytes, and
/// that only a packet that was sent was counted for its service.
fn provoke(memory: &Memory, frame: &[u8], reason: Reason) {
    let (outcome, after) = walk(memory, frame);
    match reason {
        Reason::Sent => assert_eq!(outcome, Ok(Action::Send)),
        Reason::Redirected => assert_eq!(outcome, Ok(Action::Redirect(DMZ))),
        _ => assert_eq!((outcome, after.as_slice()), (Err(reason), frame)),
    }
    let once = Counters {
        packets: 1,
        bytes: frame.len() as u64,
        ..Counters::ZERO
    };
    for each in Reason::ALL {
        let expected = if *each == reason {
            once
        } else {
            Counters::ZERO
        };
        assert_eq!(memory.reason_counters(*each), expected, "{each:?}");
    }
    let sent = u64::from(reason.verdict() == Verdict::Forward);
    let packets = |id| memory.service_counters(id).packets;
    assert_eq!((0..4).map(packets).sum::<u64>(), sent);
}

fn web() -> Probe {
    Site::Web.packet(1, SYN)
}

#[test]
fn sent() {
    provoke(&single(), &web().frame(), Reason::Sent);
}

#[test]
fn redirected() {
    let mut setup = with_sites(interfaces(), 1);
    let hop = lvs_common::map::NextHop::new(DMZ, MTU, backend_mac(9), DMZ_MAC);
    let id = setup.next_hop(hop);
    let mut memory = setup.build();
    memory.set_next_hop(only(Site::Web), id);
    provoke(&memory, &web().frame(), Reason::Redirected);
}

#[test]
fn not_our_frame_but_a_neighbours() {
    let mut frame = web().frame();
    frame[5] ^= 1;
    provoke(&single(), &frame, Reason::NotOurFrame);
}

#[test]
fn not_our_frame_but_everybodys() {
    for group in [
        [0xff; 6],
        [0x01, 0x00, 0x5e, 0, 0, 1],
        [0x33, 0x33, 0, 0, 0, 1],
        [0; 6],
    ] {
        let mut frame = web().frame();
        frame[..6].copy_from_slice(&group);
        provoke(&single(), &frame, Reason::NotOurFrame);
    }
}

#[test]
fn not_ip_but_arp() {
    let mut frame = [LAN_MAC, backend_mac(1)].concat();
    frame.extend([0x08, 0x06]);
    // Who has 10.0.0.29? Tell 10.0.0.100.
    frame.extend([0, 1, 8, 0, 6, 4, 0, 1, 2, 0xc1, 0, 0, 0, 1, 10, 0, 0, 100]);
    frame.extend([0, 0, 0, 0, 0, 0, 10, 0, 0, 29]);
    provoke(&single(), &frame, Reason::NotIp);
}

#[test]
fn not_ip_but_a_third_tag() {
    let packet = web().tag(0x88a8, 1).tag(0x8100, 2).tag(0x8100, 3);
    provoke(&single(), &packet.frame(), Reason::NotIp);
}

#[test]
fn not_ip_but_a_length_of_ieee_802_3() {
    let mut frame = web().frame();
    frame[12..14].copy_from_slice(&[0x05, 0xdc]);
    provoke(&single(), &frame, Reason::NotIp);
}

#[test]
fn truncated() {
    let frame = web().frame();
    provoke(&single(), &frame[..frame.len() - 1], Reason::Truncated);
}

#[test]
fn bad_header() {
    let mut frame = web().frame();
    frame[14] = 0x44;
    provoke(&single(), &frame, Reason::BadHeader);
}

#[test]
fn other_protocol_icmp() {
    let mut frame = web().frame();
    frame[23] = 1;
    provoke(&single(), &frame, Reason::OtherProtocol);
}

#[test]
fn other_protocol_behind_an_extension_header() {
    let mut frame = Site::Web6.packet(1, SYN).frame();
    // Hop-by-hop options.
    frame[20] = 0;
    provoke(&single(), &frame, Reason::OtherProtocol);
}

#[test]
fn fragment() {
    let mut frame = web().frame();
    frame[20] = 0x20;
    provoke(&single(), &frame, Reason::Fragment);
}

#[test]
fn no_service() {
    let other = |service: &str| Probe::tcp(LAN_MAC, Site::Web.client(1), address(service), SYN);
    for packet in [
        other("10.0.0.29:81"),
        other("10.0.0.30:80"),
        other("10.0.0.29:53"),
    ] {
        provoke(&single(), &packet.frame(), Reason::NoService);
    }
    // The port of the other protocol.
    let packet = Probe::udp(LAN_MAC, Site::Web.client(1), Site::Web.vip());
    provoke(&single(), &packet.frame(), Reason::NoService);
    // The address of the other family whose first bytes are the same.
    let client = Site::Web6.client(1);
    let packet = Probe::tcp(LAN_MAC, client, address("[a00:1d::]:80"), SYN);
    provoke(&single(), &packet.frame(), Reason::NoService);
}

#[test]
fn no_flow() {
    provoke(&single(), &Site::Web.packet(1, ACK).frame(), Reason::NoFlow);
}

#[test]
fn no_backend() {
    let mut memory = single();
    memory.set_ring(Site::Web.id(), &[]);
    provoke(&memory, &web().frame(), Reason::NoBackend);
    assert!(memory.flows().is_empty(), "a flow to nobody");
}

#[test]
fn no_backend_with_a_weight() {
    let mut setup = interfaces();
    let vip = Site::Web.vip();
    let id = setup.service(Protocol::Tcp, vip.ip(), vip.port(), Scheduler::Wrr);
    setup.backend(id, address("10.0.0.17:0").ip(), 0, 0);
    provoke(&setup.build(), &web().frame(), Reason::NoBackend);
}

#[test]
fn no_next_hop() {
    let mut memory = single();
    memory.set_next_hop(only(Site::Web), 0);
    provoke(&memory, &web().frame(), Reason::NoNextHop);
}

#[test]
fn ttl_exceeded() {
    for site in [Site::Web, Site::Web6] {
        for hops in [0, 1] {
            let packet = site.packet(1, SYN).hops(hops);
            provoke(&single(), &packet.frame(), Reason::TtlExceeded);
        }
    }
}

#[test]
fn too_big() {
    for (site, payload) in [(Site::Dns, 1473), (Site::Dns6, 1453)] {
        let packet = site.packet(1, 0).payload(payload);
        provoke(&single(), &packet.frame(), Reason::TooBig);
    }
}

#[test]
fn inconsistent() {
    let mut memory = single();
    memory.set_next_hop(only(Site::Web), 4711);
    provoke(&memory, &web().frame(), Reason::Inconsistent);
    let mut memory = single();
    memory.set_ring(Site::Web.id(), &[4711]);
    provoke(&memory, &web().frame(), Reason::Inconsistent);
}

#[test]
fn a_backend_that_comes_back_takes_its_flows_up_again() {
    let mut memory = single();
    memory.set_next_hop(only(Site::Web), 0);
    walk(&memory, &web().frame()).0.unwrap_err();
    memory.set_next_hop(only(Site::Web), 1);
    assert_eq!(walk(&memory, &web().frame()).0, Ok(Action::Send));
    let connections = memory.service_counters(Site::Web.id()).connections;
    assert_eq!(connections, 1, "the same connection all the time");
}

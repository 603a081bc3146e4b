//! Backends that are the balancer itself, and the way back that its host knows.

use etherparse::PacketBuilder;
use lvs_common::{
    Reason,
    flow::Stage,
    map::{GatewayKey, NextHop},
    tcp::{ACK, SYN, State},
};
use lvs_ebpf::{
    Action,
    host::{Buffer, Memory, Probe, Setup, read},
};

use crate::farm::{
    DMZ, LAN, LAN_MAC, Site, address, flow, interfaces, only, refuse, walk, with_sites,
};

/// One backend a service, which is the balancer itself.
fn balancer(change: impl Fn(&mut Setup, u16)) -> Memory {
    let mut setup = with_sites(interfaces(), 1);
    for site in Site::ALL {
        change(&mut setup, only(site));
    }
    let here = setup.next_hop(NextHop::LOCAL);
    let mut memory = setup.build();
    for site in Site::ALL {
        memory.set_next_hop(only(site), here);
    }
    memory
}

#[test]
fn the_host_gets_packets_as_they_are() {
    let dr = balancer(|_, _| {});
    let tun = balancer(|setup, id| setup.tun(id, 0));
    for (memory, site) in [&dr, &tun]
        .into_iter()
        .flat_map(|m| Site::ALL.map(|s| (m, s)))
    {
        for (packets, flags) in [(1, SYN), (2, ACK)] {
            let frame = site.packet(1, flags).hops(1).frame();
            let (outcome, after) = walk(memory, &frame);
            assert_eq!((outcome, after), (Err(Reason::Local), frame));
            let counters = memory.backend_counters(only(site));
            assert_eq!((counters.packets, counters.connections), (packets, 1));
        }
        let word = flow(memory, site, 1).word;
        let is_tcp = matches!(site, Site::Web | Site::Web6);
        let expected = if is_tcp {
            Stage::Tcp(State::Established)
        } else {
            Stage::Udp
        };
        assert_eq!(word.stage(), Some(expected));
    }
}

#[test]
fn with_nat_they_are_for_the_backends_address_and_port() {
    let memory = balancer(|setup, id| setup.nat(id, Some(8080)));
    for site in Site::ALL {
        let frame = site.packet(1, SYN).hops(1).frame();
        let (outcome, after) = walk(&memory, &frame);
        assert_eq!(outcome, Err(Reason::Local));
        let reading = read(&after, Some(LAN_MAC)).unwrap();
        assert_eq!((reading.hops, reading.tuple.destination().1), (1, 8080));
        assert_eq!(after[..14], frame[..14]);
    }
}

/// The key of a gateway behind an interface.
fn gateway(interface: u32) -> GatewayKey {
    GatewayKey {
        interface,
        mac_head: u32::from_le_bytes([2, 0xaa, 0, 0]),
        mac_tail: u16::from_le_bytes([0, 9]),
        tags: [0; 2],
        reserved: 0,
    }
}

/// What came may come from another balancer, and answers do not go back there.
#[test]
fn answers_follow_the_hosts_route() {
    for (interface, to) in [(LAN, Ok(Action::Send)), (DMZ, Ok(Action::Redirect(DMZ)))] {
        let mut setup = with_sites(interfaces(), 1);
        setup.nat(only(Site::Web), Some(8080));
        let memory = setup.build();
        let request = Site::Web.packet(1, SYN).frame();
        let buffer = Buffer::new(LAN, &request).with_route(gateway(interface));
        assert_eq!(memory.receive(&buffer), Ok(Action::Send));
        let backend = address("10.0.0.17:8080");
        let answer = Probe::tcp(LAN_MAC, backend, Site::Web.client(1), SYN | ACK);
        let (outcome, after) = walk(&memory, &answer.frame());
        assert_eq!(outcome, to);
        assert_eq!(after[..6], [2, 0xaa, 0, 0, 0, 9]);
    }
}

/// By an interface that the program is not attached to, or where the frame had tags that the host knows
/// nothing of: back to where it came from.
#[test]
fn a_route_that_cannot_be_taken_is_none() {
    for (interface, tag) in [(77, None), (LAN, Some(7))] {
        let mut setup = with_sites(interfaces(), 1);
        setup.nat(only(Site::Web), Some(8080));
        let memory = setup.build();
        let mut request = Site::Web.packet(1, SYN);
        if let Some(tag) = tag {
            request = request.tag(0x8100, tag);
        }
        let request = request.frame();
        let buffer = Buffer::new(LAN, &request).with_route(gateway(interface));
        assert_eq!(memory.receive(&buffer), Ok(Action::Send));
        let backend = address("10.0.0.17:8080");
        let answer = Probe::tcp(LAN_MAC, backend, Site::Web.client(1), SYN | ACK);
        let (_, after) = walk(&memory, &answer.frame());
        assert_eq!(after[..6], request[6..12]);
    }
}

/// Nobody translates for a backend of the other family without local addresses.
#[test]
fn nat_does_not_cross_families() {
    let mut setup = with_sites(interfaces(), 0);
    let hop = setup.next_hop(NextHop::new(LAN, 1500, [2; 6], LAN_MAC));
    for site in Site::ALL {
        let other = if site.vip().is_ipv4() {
            "2001:db8::1"
        } else {
            "10.0.0.1"
        };
        let id = setup.backend(site.id(), other.parse().unwrap(), 1, hop);
        setup.nat(id, None);
    }
    let memory = setup.build();
    for site in Site::ALL {
        assert_eq!(refuse(&memory, &site.packet(1, SYN)), Reason::ReplyTaken);
    }
}

/// Found by the fuzzer: with a TTL of 0, which is not lowered, and a next hop without an interface.
#[test]
fn errors_about_its_answers_are_left_to_the_host() {
    let memory = balancer(|setup, id| setup.nat(id, Some(8080)));
    for site in [Site::Web, Site::Web6] {
        let is_v4 = site.vip().is_ipv4();
        let request = site.packet(1, SYN).frame();
        assert_eq!(walk(&memory, &request).0, Err(Reason::Local));
        let answer = Probe::tcp(LAN_MAC, site.vip(), site.client(1), SYN | ACK);
        let quote = answer.frame()[14..].to_vec();
        let builder = PacketBuilder::ethernet2([2, 0xee, 0, 0, 0, 1], LAN_MAC);
        let mut frame = Vec::new();
        let written = if is_v4 {
            let builder = builder.ipv4([192, 0, 2, 1], [10, 0, 0, 29], 0);
            builder
                .icmpv4_raw(3, 4, [0, 0, 5, 0])
                .write(&mut frame, &quote)
        } else {
            let vip: std::net::Ipv6Addr = "2001:db8::29".parse().unwrap();
            let builder = builder.ipv6([0x20; 16], vip.octets(), 0);
            builder
                .icmpv6_raw(2, 0, [0, 0, 5, 0])
                .write(&mut frame, &quote)
        };
        written.unwrap();
        let (outcome, after) = walk(&memory, &frame);
        assert_eq!(outcome, Err(Reason::Local), "{site:?}");
        assert_eq!(after[..14], frame[..14]);
        let (hops, port) = if is_v4 {
            (14 + 8, 14 + 28 + 20)
        } else {
            (14 + 7, 14 + 48 + 40)
        };
        assert_eq!(
            (after[hops], &after[port..port + 2]),
            (0, &8080_u16.to_be_bytes()[..])
        );
    }
}

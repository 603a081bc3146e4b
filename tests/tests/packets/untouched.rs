//! What a host needs besides TCP and UDP, to the address of a service itself, passes as it came.

use std::net::IpAddr;

use etherparse::{
    ArpHardwareId, ArpOperation, ArpPacket, EtherType, IpNumber, Ipv6FlowLabel, PacketBuilder,
};
use lvs_common::Reason;
use lvs_tests::packet::{Case, Frame};

use crate::farm::{Site, farm};

/// The frame's own MAC addresses, this `EtherType`, then the packet.
fn ethernet(like: &Frame, ether_type: u16, packet: &[u8]) -> Vec<u8> {
    let mut frame = like.bytes()[..12].to_vec();
    frame.extend(ether_type.to_be_bytes());
    frame.extend(packet);
    frame
}

#[test]
fn arp() {
    let frame = Site::Web.first(1);
    let mut cases = Vec::new();
    for (what, operation) in [
        ("a request", ArpOperation::REQUEST),
        ("a reply", ArpOperation::REPLY),
    ] {
        let packet = ArpPacket::new(
            ArpHardwareId::ETHERNET,
            EtherType::IPV4,
            operation,
            &[0x02, 0x10, 0, 0, 0, 0xfe],
            &[192, 0, 2, 100],
            &[0; 6],
            &[10, 0, 0, 29],
        );
        let packet = packet.expect("an ARP packet").to_bytes();
        let bytes = ethernet(&frame, 0x0806, &packet);
        cases.push(Case::untouched(what, bytes, Reason::NotIp));
    }
    // Requests are broadcast.
    let everybody = frame.to_mac([0xff; 6]);
    let bytes = ethernet(&everybody, 0x0806, &[0; 46]);
    cases.push(Case::untouched("to everybody", bytes, Reason::NotOurFrame));
    farm().run(cases);
}

#[test]
fn icmp_echo() {
    let (client, vip) = (Site::Web.client(1).ip(), Site::Web.address().ip());
    let (IpAddr::V4(client), IpAddr::V4(vip)) = (client, vip) else {
        unreachable!("the site is of IPv4");
    };
    let mut packet = Vec::new();
    PacketBuilder::ipv4(client.octets(), vip.octets(), 64)
        .icmpv4_echo_request(7, 1)
        .write(&mut packet, b"are you there?")
        .expect("a ping");
    let frame = ethernet(&Site::Web.first(1), 0x0800, &packet);
    farm().run([Case::untouched("a ping", frame, Reason::OtherProtocol)]);
}

#[test]
fn icmpv6_echo_and_neighbour_discovery() {
    let (client, vip) = (Site::Web6.client(1).ip(), Site::Web6.address().ip());
    let (IpAddr::V6(client), IpAddr::V6(vip)) = (client, vip) else {
        unreachable!("the site is of IPv6");
    };
    let packet = |kind: u8, hops: u8, body: &[u8]| {
        let mut packet = Vec::new();
        PacketBuilder::ipv6(client.octets(), vip.octets(), hops)
            .icmpv6_raw(kind, 0, [0; 4])
            .write(&mut packet, body)
            .expect("a packet");
        ethernet(&Site::Web6.first(1), 0x86dd, &packet)
    };
    // The target, and the link-layer address option (RFC 4861).
    let mut discovery = vip.octets().to_vec();
    discovery.extend([1, 1, 0x02, 0x10, 0, 0, 0, 0xfe]);
    let cases = [
        ("a ping", packet(128, 64, b"are you there?")),
        ("a router solicitation", packet(133, 255, &discovery[16..])),
        ("a neighbour solicitation", packet(135, 255, &discovery)),
        ("a neighbour advertisement", packet(136, 255, &discovery)),
    ];
    let passes = |(what, frame)| Case::untouched(what, frame, Reason::OtherProtocol);
    farm().run(cases.map(passes));
}

/// A segment to a service behind an extension header of IPv6: not followed yet, so the host's.
#[test]
fn ipv6_extension_headers() {
    let rig = farm();
    let (client, vip) = (Site::Web6.client(1).ip(), Site::Web6.address().ip());
    let (IpAddr::V6(client), IpAddr::V6(vip)) = (client, vip) else {
        unreachable!("the site is of IPv6");
    };
    let segment = Site::Web6.first(1).bytes();
    for (what, number, reason) in [
        (
            "hop-by-hop options",
            IpNumber::IPV6_HEADER_HOP_BY_HOP,
            Reason::OtherProtocol,
        ),
        (
            "a routing header",
            IpNumber::IPV6_ROUTE_HEADER,
            Reason::OtherProtocol,
        ),
        (
            "destination options",
            IpNumber::IPV6_DESTINATION_OPTIONS,
            Reason::OtherProtocol,
        ),
        (
            "a fragment header",
            IpNumber::IPV6_FRAGMENTATION_HEADER,
            Reason::Fragment,
        ),
    ] {
        // Next header TCP, no further words, and padding; as a fragment: the first and only one.
        let mut payload = vec![6, 0, 1, 4, 0, 0, 0, 0];
        if number == IpNumber::IPV6_FRAGMENTATION_HEADER {
            payload = vec![6, 0, 0, 0, 0, 0, 0, 1];
        }
        payload.extend(&segment[54..]);
        let header = etherparse::Ipv6Header {
            traffic_class: 0,
            flow_label: Ipv6FlowLabel::ZERO,
            payload_length: payload.len() as u16,
            next_header: number,
            hop_limit: 64,
            source: client.octets(),
            destination: vip.octets(),
        };
        let mut packet = Vec::new();
        header.write(&mut packet).expect("a header");
        packet.extend(payload);
        let frame = ethernet(&Site::Web6.first(1), 0x86dd, &packet);
        rig.run([Case::untouched(what, frame, reason)]);
    }
}

/// Fragments have ports in the first one only: the host puts them together.
#[test]
fn ipv4_fragments() {
    let rig = farm();
    for (what, field) in [
        ("the first", 0x2000_u16),
        ("one in the middle", 0x2064),
        ("the last", 0x0064),
    ] {
        for site in [Site::Web, Site::Dns] {
            let mut frame = site.first(1).bytes();
            frame[20..22].copy_from_slice(&field.to_be_bytes());
            rig.run([Case::untouched(what, frame, Reason::Fragment)]);
        }
    }
    let mut whole = Site::Web.first(1).bytes();
    whole[20..22].copy_from_slice(&0x4000_u16.to_be_bytes());
    let (verdict, _) = rig.walk(&whole).expect("a walk");
    assert_eq!(
        verdict,
        lvs_tests::packet::Xdp::Tx,
        "don't-fragment is no fragment"
    );
}

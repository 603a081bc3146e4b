//! Direct routing, a packet a row: what goes in, what comes out, what is counted.

use lvs_common::{
    Reason,
    map::{Counters, NextHop},
    tcp::{ACK, SYN},
};
use lvs_ebpf::{Action, host::Probe};

use crate::farm::{
    DMZ, DMZ_MAC, LAN_MAC, MTU, Site, backend_mac, interfaces, only, walk, walk_from, with_sites,
};

/// A packet, the service that it is for, and what is special about it.
struct Row {
    description: &'static str,
    site: Site,
    packet: Probe,
}

fn row(description: &'static str, site: Site, packet: Probe) -> Row {
    Row {
        description,
        site,
        packet,
    }
}

fn rows() -> Vec<Row> {
    use Site::{Dns, Dns6, Web, Web6};
    let syn = |site: Site| site.packet(1, SYN);
    // Loose source route with one address, and padding.
    let route = [0x83, 7, 4, 10, 0, 0, 1, 0];
    vec![
        row("TCP over IPv4", Web, syn(Web)),
        row("TCP over IPv4 with data", Web, syn(Web).payload(1000)),
        row("UDP over IPv4", Dns, syn(Dns)),
        row("UDP over IPv4 without data", Dns, syn(Dns).payload(0)),
        row("TCP over IPv6", Web6, syn(Web6)),
        row("UDP over IPv6", Dns6, syn(Dns6)),
        row("an odd number of bytes", Dns6, syn(Dns6).payload(333)),
        row("as long as the MTU, IPv4", Dns, syn(Dns).payload(1472)),
        row("as long as the MTU, IPv6", Dns6, syn(Dns6).payload(1452)),
        row("the largest TTL", Web, syn(Web).hops(255)),
        row("the smallest TTL that lives", Web, syn(Web).hops(2)),
        row("the smallest hop limit that lives", Web6, syn(Web6).hops(2)),
        row("the checksum carries over", Web, syn(Web).hops(128)),
        row("IPv4 options", Web, syn(Web).options(&route)),
        row("forty bytes of options", Dns, syn(Dns).options(&[1; 40])),
    ]
}

/// Checksum of an IPv4 header, computed from all of it.
fn checksum(header: &[u8]) -> [u8; 2] {
    let mut sum: u32 = 0;
    for (i, pair) in header.chunks_exact(2).enumerate() {
        if i != 5 {
            sum += u32::from(u16::from_be_bytes([pair[0], pair[1]]));
        }
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    (!(sum as u16)).to_be_bytes()
}

/// What must come out: the frame with the addresses of the next hop, a TTL less, and a checksum
/// computed anew.
fn expected(frame: &[u8], network: usize, macs: [[u8; 6]; 2]) -> Vec<u8> {
    let mut out = frame.to_vec();
    out[..12].copy_from_slice(macs.as_flattened());
    if frame[network] >> 4 == 4 {
        out[network + 8] -= 1;
        let end = network + usize::from(frame[network] & 0xf) * 4;
        let sum = checksum(&out[network..end]);
        out[network + 10..network + 12].copy_from_slice(&sum);
    } else {
        out[network + 7] -= 1;
    }
    out
}

#[test]
fn every_row_reaches_the_backend_with_nothing_else_changed() {
    for row in rows() {
        let memory = crate::farm::single();
        let frame = row.packet.frame();
        let (outcome, after) = walk(&memory, &frame);
        let backend = only(row.site);
        assert_eq!(outcome, Ok(Action::Send), "{}", row.description);
        let macs = [backend_mac(backend), LAN_MAC];
        assert_eq!(after, expected(&frame, 14, macs), "{}", row.description);

        let counted = Counters {
            packets: 1,
            bytes: frame.len() as u64 - 14,
            connections: 1,
            ..Counters::ZERO
        };
        let service = row.site.id();
        assert_eq!(
            memory.service_counters(service),
            counted,
            "{}",
            row.description
        );
        assert_eq!(
            memory.backend_counters(backend),
            counted,
            "{}",
            row.description
        );
        let reason = memory.reason_counters(Reason::Sent);
        assert_eq!((reason.packets, reason.bytes), (1, frame.len() as u64));
    }
}

/// Byte patterns that take the checksum through every carry.
#[test]
fn the_checksum_is_right_for_every_ttl_and_identification() {
    let memory = crate::farm::single();
    let mut frame = Site::Dns.packet(1, 0).frame();
    for ttl in 2..=255 {
        for id in [0_u16, 1, 0x00ff, 0x7fff, 0x8000, 0xfffe, 0xffff] {
            frame[18..20].copy_from_slice(&id.to_be_bytes());
            frame[22] = ttl;
            let sum = checksum(&frame[14..34]);
            frame[24..26].copy_from_slice(&sum);
            let (_, after) = walk(&memory, &frame);
            assert_eq!(after[24..26], checksum(&after[14..34]), "{ttl} {id:#x}");
        }
    }
}

#[test]
fn a_wrong_checksum_stays_wrong() {
    let memory = crate::farm::single();
    let mut frame = Site::Dns.packet(1, 0).frame();
    frame[24] ^= 0x40;
    let (outcome, after) = walk(&memory, &frame);
    assert_eq!(outcome, Ok(Action::Send));
    assert_ne!(after[24..26], checksum(&after[14..34]));
}

#[test]
fn padding_of_short_frames_stays_and_is_not_counted() {
    let memory = crate::farm::single();
    let mut frame = Site::Dns.packet(1, 0).payload(1).frame();
    let len = frame.len() as u64;
    frame.resize(60, 0xee);
    let (outcome, after) = walk(&memory, &frame);
    assert_eq!(outcome, Ok(Action::Send));
    let macs = [backend_mac(only(Site::Dns)), LAN_MAC];
    assert_eq!(after, expected(&frame, 14, macs));
    assert_eq!(memory.backend_counters(only(Site::Dns)).bytes, len - 14);
}

/// A farm whose only backend for IPv4 and TCP is behind this next hop.
fn behind(hop: NextHop) -> lvs_ebpf::host::Memory {
    behind_of(Site::Web, hop)
}

fn behind_of(site: Site, hop: NextHop) -> lvs_ebpf::host::Memory {
    let mut setup = with_sites(interfaces(), 1);
    let id = setup.next_hop(hop);
    let mut memory = setup.build();
    memory.set_next_hop(only(site), id);
    memory
}

#[test]
fn tags_of_the_network_are_kept_with_their_priority() {
    let mac = backend_mac(77);
    let customer = [(0x8100, 0x6000 | 0x0064)];
    let double = [(0x88a8, 0x1000 | 0x00c8), (0x8100, 7)];
    let both_customer = [(0x8100, 4094), (0x8100, 1)];
    for tags in [&customer[..], &double, &both_customer] {
        let mut hop = NextHop::new(crate::farm::LAN, MTU, mac, LAN_MAC);
        let mut packet = Site::Web.packet(1, SYN);
        for (slot, (ether_type, control)) in hop.tags.iter_mut().zip(tags) {
            *slot = control & 0x0fff;
            packet = packet.tag(*ether_type, *control);
        }
        let memory = behind(hop);
        let frame = packet.frame();
        let (outcome, after) = walk(&memory, &frame);
        assert_eq!(outcome, Ok(Action::Send), "{tags:x?}");
        let network = 14 + 4 * tags.len();
        assert_eq!(
            after,
            expected(&frame, network, [mac, LAN_MAC]),
            "{tags:x?}"
        );
        let bytes = memory.backend_counters(only(Site::Web)).bytes;
        assert_eq!(bytes, (frame.len() - network) as u64, "{tags:x?}");
    }
}

#[test]
fn a_frame_gets_the_tags_of_the_backends_network() {
    let sites = [Site::Web, Site::Dns, Site::Web6];
    let came = [
        vec![],
        vec![(0x8100, 101)],
        vec![(0x88a8, 200), (0x8100, 101)],
    ];
    let networks: [([u16; 2], &[u8]); 4] = [
        ([0, 0], &[]),
        ([100, 0], &[0x81, 0, 0, 100]),
        ([4095, 0], &[0x81, 0, 0x0f, 0xff]),
        ([300, 100], &[0x88, 0xa8, 1, 44, 0x81, 0, 0, 100]),
    ];
    for (site, tags) in sites
        .iter()
        .flat_map(|site| came.iter().map(move |t| (*site, t)))
    {
        for (ids, bytes) in &networks {
            let mut hop = NextHop::new(crate::farm::LAN, MTU, backend_mac(77), LAN_MAC);
            hop.tags = *ids;
            let memory = behind_of(site, hop);
            let mut packet = site.packet(1, SYN);
            for (ether_type, id) in tags {
                packet = packet.tag(*ether_type, *id);
            }
            let frame = packet.frame();
            let network = 14 + 4 * tags.len();
            let (outcome, after) = walk(&memory, &frame);
            assert_eq!(outcome, Ok(Action::Send), "{site:?} {tags:?} {ids:?}");
            // As if it had come with these tags, and was sent.
            let retagged = [&frame[..12], bytes, &frame[network - 2..]].concat();
            let macs = [backend_mac(77), LAN_MAC];
            let expected = expected(&retagged, 14 + bytes.len(), macs);
            assert_eq!(after, expected, "{site:?} {tags:?} {ids:?}");
        }
    }
}

#[test]
fn a_backend_behind_another_interface_is_reached_through_it() {
    let mac = backend_mac(78);
    let memory = behind(NextHop::new(DMZ, MTU, mac, DMZ_MAC));
    let frame = Site::Web.packet(1, SYN).frame();
    let (outcome, after) = walk(&memory, &frame);
    assert_eq!(outcome, Ok(Action::Redirect(DMZ)));
    assert_eq!(after, expected(&frame, 14, [mac, DMZ_MAC]));
    assert_eq!(memory.reason_counters(Reason::Redirected).packets, 1);

    // The same flow by the other interface goes out by that one.
    let mut frame = Site::Web.packet(1, ACK).frame();
    frame[..6].copy_from_slice(&DMZ_MAC);
    let (outcome, _) = walk_from(&memory, DMZ, &frame);
    assert_eq!(outcome, Ok(Action::Send));
}

#[test]
fn each_interface_answers_to_its_own_address_alone() {
    let memory = crate::farm::single();
    let frame = Site::Web.packet(1, SYN).frame();
    let (outcome, _) = walk_from(&memory, DMZ, &frame);
    assert_eq!(outcome, Err(Reason::NotOurFrame));
    // Shares its entry of INTERFACES with another index, which is attached.
    let (outcome, _) = walk_from(&memory, crate::farm::LAN + 1024, &frame);
    assert_eq!(outcome, Err(Reason::NotOurFrame));
}

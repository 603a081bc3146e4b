//! Direct routing: the frame that a backend gets is the client's but for MAC addresses and one hop.

use lvs_common::{Protocol, Reason, tcp};
use lvs_tests::packet::{Case, Frame};

use crate::farm::{SITES, Site, farm};

/// The first packet of a flow, as a row.
fn opening(description: &str, site: Site, frame: &Frame) -> Case {
    let case = Case::sent(
        format!("{}: {description}", site.name()),
        frame,
        site.backend(),
        &site.hop(),
    );
    match site.protocol() {
        Protocol::Tcp => case.opens_active(site.backend()),
        Protocol::Udp => case.opens_inactive(site.backend()),
    }
}

/// A later packet, as a row.
fn following(description: &str, site: Site, frame: &Frame) -> Case {
    Case::sent(
        format!("{}: {description}", site.name()),
        frame,
        site.backend(),
        &site.hop(),
    )
}

#[test]
fn new_and_established_flows_of_every_kind() {
    let rig = farm();
    for site in SITES {
        rig.run([
            opening("the first packet opens a flow", site, &site.first(50_000)),
            following("the second belongs to it", site, &site.next(50_000)),
            following("with data", site, &site.next(50_000).payload(1_000)),
            opening("another port, another flow", site, &site.first(50_001)),
            following("the first flow goes on", site, &site.next(50_000)),
        ]);
    }
    let of_every_site = |site: Site| {
        let backend = |flow| rig.backend_of(flow) == site.backend();
        rig.flows().iter().filter(|flow| backend(flow)).count()
    };
    assert_eq!(SITES.map(of_every_site), [2; 4]);
}

#[test]
fn a_hop_is_taken_off_whatever_there_are() {
    let rig = farm();
    for site in SITES {
        rig.run([opening("opens the flow", site, &site.first(1))]);
        for hops in [2, 3, 63, 64, 127, 128, 254, 255] {
            let frame = site.next(1).hops(hops);
            rig.run([following(&format!("{hops} hops"), site, &frame)]);
        }
    }
}

/// Such a packet would die on the way; nothing is sent of it, neither as the first nor as a later one.
#[test]
fn the_last_hop_is_not_taken() {
    let rig = farm();
    for site in SITES {
        rig.run([opening("opens the flow", site, &site.first(1))]);
        for hops in [0, 1] {
            let what = format!("{}: {hops} hops", site.name());
            let frame = site.next(1).hops(hops).bytes();
            rig.run([Case::untouched(what, frame, Reason::TtlExceeded)]);
        }
    }
}

/// The update of the checksum carries and wraps differently for each of its values, of which the
/// identification, added to nothing else, runs through all.
#[test]
fn the_ipv4_checksum_is_right_for_each_of_its_values() {
    let rig = farm();
    let frame = Site::Web.segment(1, tcp::SYN);
    rig.run([opening("opens the flow", Site::Web, &frame)]);
    let mut seen = std::collections::BTreeSet::new();
    // All values around the two zeros of one's complement, and a sample of the others.
    for identification in (0..=u16::MAX).step_by(97).chain(near_zero(&frame)) {
        let frame = Site::Web.next(1).identification(identification);
        let (verdict, after) = rig.walk(&frame.bytes()).expect("a walk");
        let expected = frame.forwarded(&Site::Web.hop()).bytes();
        assert_eq!(
            after, expected,
            "{verdict:?} of identification {identification}"
        );
        seen.insert([after[24], after[25]]);
    }
    assert!(seen.len() > 600, "only {} checksums were tried", seen.len());
}

/// Identifications that bring the checksum of the frame next to 0 and 0xffff.
fn near_zero(frame: &Frame) -> impl Iterator<Item = u16> {
    let bytes = frame.clone().identification(0).bytes();
    let checksum = u16::from_be_bytes([bytes[24], bytes[25]]);
    (0..0x400).map(move |i: u16| checksum.wrapping_sub(0x200).wrapping_add(i))
}

#[test]
fn ipv4_options_stay_where_they_are() {
    let rig = farm();
    let mut port = 1;
    for site in [Site::Web, Site::Dns] {
        // No-operations; a record route; as many as there may be.
        for options in [&[1; 4][..], &[7, 7, 4, 0, 0, 0, 0, 0], &[1; 40]] {
            let frame = site.first(port).options(options);
            rig.run([
                opening(&format!("{} bytes of options", options.len()), site, &frame),
                following("without any, the same flow", site, &site.next(port)),
            ]);
            port += 1;
        }
    }
}

/// Ethernet fills short frames up; what is behind the packet belongs to nobody.
#[test]
fn padding_behind_the_packet_is_carried_along() {
    let rig = farm();
    for site in SITES {
        let first = site.first(1).payload(0);
        rig.run([
            opening("padded", site, &first).padded(6),
            following("padded well", site, &site.next(1)).padded(200),
        ]);
    }
}

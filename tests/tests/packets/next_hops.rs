//! Where a backend is: VLANs, MTU, and what happens when it moves.

use lvs_common::{Protocol, Reason};
use lvs_tests::packet::{BackendSpec, Case, Hop, Rig, ServiceSpec};

use crate::farm::{CUSTOMER, ELSEWHERE, PROVIDER, SITES, Site, farm};

/// Whether the first packet of the site opens an active flow.
fn opens(case: Case, site: Site) -> Case {
    match site.protocol() {
        Protocol::Tcp => case.opens_active(site.backend()),
        Protocol::Udp => case.opens_inactive(site.backend()),
    }
}

/// In words, the tags of a frame, and the VLAN ids of the network that it belongs to.
type Tagged = (&'static str, &'static [(u16, u16)], [u16; 2]);

const TAGGED: [Tagged; 8] = [
    ("no tag", &[], [0, 0]),
    ("one tag", &[(CUSTOMER, 5)], [5, 0]),
    ("one tag with a priority", &[(CUSTOMER, 0xe005)], [5, 0]),
    ("one tag of a provider", &[(PROVIDER, 5)], [5, 0]),
    ("another tag", &[(CUSTOMER, 6)], [6, 0]),
    ("two tags", &[(PROVIDER, 5), (CUSTOMER, 7)], [5, 7]),
    (
        "two tags of a kind",
        &[(CUSTOMER, 5), (CUSTOMER, 7)],
        [5, 7],
    ),
    ("two tags in turn", &[(PROVIDER, 7), (CUSTOMER, 5)], [7, 5]),
];

/// A frame that comes by its backend's VLAN keeps its tags as they were; another gets that VLAN's.
#[test]
fn frames_get_the_tags_of_their_backends_network() {
    for network in [[0, 0], [5, 0], [5, 7]] {
        let header: &[(u16, u16)] = match network {
            [0, _] => &[],
            [id, 0] => &[(CUSTOMER, id)],
            [outer, inner] => &[(PROVIDER, outer), (CUSTOMER, inner)],
        };
        let mut port = 0;
        let hop = |site: Site| Hop {
            tags: network,
            ..site.hop()
        };
        let service = |site: Site| ServiceSpec {
            backends: vec![BackendSpec::behind(hop(site))],
            ..site.service()
        };
        let rig = Rig::new(&SITES.map(service));
        for site in SITES {
            for (what, tags, ids) in TAGGED {
                port += 1;
                let frame = site.first(port).tags(tags);
                let what = format!("{}: {what} towards {network:?}", site.name());
                let mut case = Case::sent(what, &frame, site.backend(), &hop(site));
                if ids != network {
                    case = case.becoming(&site.first(port).tags(header).forwarded(&hop(site)));
                }
                rig.run([opens(case, site)]);
            }
        }
    }
}

#[test]
fn a_third_tag_is_left_to_the_host() {
    let tags = [(PROVIDER, 1), (CUSTOMER, 2), (CUSTOMER, 3)];
    let frame = Site::Web.first(1).tags(&tags);
    farm().run([Case::untouched("three tags", frame.bytes(), Reason::NotIp)]);
}

/// A priority tag (VLAN id 0) says nothing of a network.
#[test]
fn a_priority_tag_is_no_vlan() {
    let site = Site::Web;
    let frame = site.first(1).tags(&[(CUSTOMER, 0xa000)]);
    let case = Case::sent("priority 5", &frame, site.backend(), &site.hop());
    farm().run([opens(case, site)]);
}

#[test]
fn packets_fit_the_mtu_to_the_byte() {
    for mtu in [1280, 1500] {
        let hop = |site: Site| Hop { mtu, ..site.hop() };
        let service = |site: Site| ServiceSpec {
            backends: vec![BackendSpec::behind(hop(site))],
            ..site.service()
        };
        let rig = Rig::new(&SITES.map(service));
        for site in SITES {
            let (fits, exceeds) = (mtu as usize, mtu as usize + 1);
            let large = site.next(1).packet_len(exceeds);
            let tagged = site.next(1).packet_len(fits).tags(&[(CUSTOMER, 0)]);
            let whole = site.first(1).packet_len(fits);
            let sent = |what, frame| Case::sent(what, frame, site.backend(), &hop(site));
            rig.run([
                opens(sent("as long as the MTU", &whole), site),
                Case::untouched("a byte more", large.bytes(), Reason::TooBig),
                sent("a tag is no part of it", &tagged),
            ]);
        }
    }
}

/// Flows follow their backend wherever its next hop goes, and survive its being nowhere.
#[test]
fn flows_move_with_their_backend() {
    let site = Site::Web;
    let mut rig = farm();
    let other = Hop {
        interface: ELSEWHERE,
        ..Hop::neighbour(99)
    };
    let (first, next) = (site.first(1), site.next(1));
    let opening = Case::sent("opens", &first, site.backend(), &site.hop());
    rig.run([opens(opening, site)]);

    rig.move_backend(site.backend(), None).expect("unresolved");
    rig.run([Case::untouched("nowhere", next.bytes(), Reason::NoNextHop)]);

    rig.move_backend(site.backend(), Some(other))
        .expect("moved");
    rig.run([Case::redirected("elsewhere", &next, site.backend(), &other)]);
}

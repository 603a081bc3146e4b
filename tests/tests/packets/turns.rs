//! Whose turn it is: rr and wrr over real new flows, against what the kernel's IPVS did.

use lvs_common::Scheduler;
use lvs_tests::packet::{BackendSpec, Hop, Rig, ServiceSpec, Xdp};

use crate::farm::{SITES, Site};

/// What a real kernel gave to connections opened one after the other and held open: scheduler,
/// weights of A, B and C, which were added in this order, and who got each connection.
const RECORDED: [(Scheduler, [u16; 3], &str); 7] = [
    (Scheduler::Rr, [1, 1, 1], "CBACBACBACBA"),
    (Scheduler::Rr, [1, 2, 3], "CBACBACBACBA"),
    (Scheduler::Wrr, [1, 1, 1], "CBACBACBACBA"),
    (Scheduler::Wrr, [1, 2, 3], "CBACCBCBACCB"),
    (Scheduler::Wrr, [3, 5, 7], "CBACCCBCBCBACBACBACCCBCB"),
    (Scheduler::Wrr, [10, 20, 30], "CBACCBCBACCBCBACCBCBACCB"),
    (Scheduler::Wrr, [4, 6, 8], "CBACCBCBACBACCBCBACBACCB"),
];

fn service(site: Site, scheduler: Scheduler, weights: &[u16]) -> ServiceSpec {
    let backends = (1..).zip(weights).map(|(n, weight)| BackendSpec {
        weight: *weight,
        ..BackendSpec::behind(Hop::neighbour(n))
    });
    ServiceSpec {
        scheduler,
        backends: backends.collect(),
        ..site.service()
    }
}

/// Opens so many flows, with a second packet in between, and tells who got each by the MAC address.
fn turns(rig: &Rig, site: Site, flows: u16) -> String {
    let mut turns = String::new();
    for port in 1..=flows {
        let backend = |frame: &[u8]| {
            let (verdict, after) = rig.walk(frame).expect("a walk");
            assert_eq!(verdict, Xdp::Tx, "{site:?}, port {port}");
            char::from(b'A' + after[5] - 1)
        };
        let first = backend(&site.first(port).bytes());
        let second = backend(&site.next(port).bytes());
        assert_eq!(
            first, second,
            "{site:?}, port {port}: a flow changed its backend"
        );
        turns.push(first);
    }
    turns
}

#[test]
fn are_those_of_ipvs() {
    for (scheduler, weights, expected) in RECORDED {
        let rig = Rig::new(&SITES.map(|site| service(site, scheduler, &weights)));
        for site in SITES {
            let actual = turns(&rig, site, expected.len() as u16);
            assert_eq!(actual, expected, "{scheduler} {weights:?} of {site:?}");
        }
    }
}

/// Shares are exact over any number of whole rounds.
#[test]
fn share_connections_out_by_weight() {
    let rig = Rig::new(&[service(Site::Web, Scheduler::Wrr, &[3, 2, 1])]);
    turns(&rig, Site::Web, 60);
    let state = rig.state().expect("the counters");
    let of = |what: &str| -> Vec<u64> {
        let name = |backend| format!("backend.{backend}.{what}");
        rig.backends()
            .map(|backend| state.get(&name(backend)))
            .collect()
    };
    assert_eq!(of("connections"), [30, 20, 10], "\n{state}");
    assert_eq!(of("packets"), [60, 40, 20], "\n{state}");
    assert_eq!(state.get("service.web.connections"), 60);
    assert_eq!(state.get("service.web.packets"), 120);
    assert_eq!(state.get("load.web-1.active"), 30);
}

#[test]
fn leave_out_a_backend_without_weight() {
    for scheduler in [Scheduler::Rr, Scheduler::Wrr] {
        let rig = Rig::new(&[service(Site::Web, scheduler, &[1, 0, 1])]);
        assert_eq!(turns(&rig, Site::Web, 6), "CACACA", "{scheduler}");
    }
}

/// Rings longer than one entry of their map.
#[test]
fn go_round_a_long_ring() {
    let weights = [50, 30, 20, 1];
    let rig = Rig::new(&[service(Site::Dns, Scheduler::Wrr, &weights)]);
    let turns = turns(&rig, Site::Dns, 202);
    let count = |letter| turns.chars().filter(|turn| *turn == letter).count();
    assert_eq!(['A', 'B', 'C', 'D'].map(count), [100, 60, 40, 2]);
    assert_eq!(turns[..101], turns[101..], "every round is the same");
}

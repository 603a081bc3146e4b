//! Who gets a new flow: in the order in which IPVS gave connections away, and then always the same.

use lvs_common::{
    Protocol, Scheduler,
    tcp::{ACK, SYN},
};
use lvs_ebpf::host::Memory;

use crate::farm::{Site, farm, hop_to, interfaces, refuse, send};

/// A service of IPVS and what it did with connections opened one after the other.
struct Recording {
    scheduler: Scheduler,
    /// Address and weight of each backend, in the order in which they were added.
    backends: [(&'static str, u16); 3],
    sequence: &'static str,
}

const NEAR: &str = "10.2.1.2";
const NEXT: &str = "10.2.1.3";
const FAR: &str = "10.2.2.2";

/// As the kernel of IPVS did it; N, X and F are the backends.
const RECORDINGS: [Recording; 7] = [
    Recording {
        scheduler: Scheduler::Rr,
        backends: [(NEAR, 1), (NEXT, 1), (FAR, 1)],
        sequence: "FXNFXNFXNFXN",
    },
    Recording {
        scheduler: Scheduler::Rr,
        backends: [(NEAR, 1), (NEXT, 2), (FAR, 3)],
        sequence: "FXNFXNFXNFXN",
    },
    Recording {
        scheduler: Scheduler::Wrr,
        backends: [(NEAR, 1), (NEXT, 1), (FAR, 1)],
        sequence: "FXNFXNFXNFXN",
    },
    Recording {
        scheduler: Scheduler::Wrr,
        backends: [(FAR, 1), (NEXT, 2), (NEAR, 3)],
        sequence: "NXFNNXNXFNNX",
    },
    Recording {
        scheduler: Scheduler::Wrr,
        backends: [(NEAR, 10), (NEXT, 20), (FAR, 30)],
        sequence: "FXNFFXFXNFFXFXNFFXFXNFFX",
    },
    Recording {
        scheduler: Scheduler::Wrr,
        backends: [(NEAR, 3), (NEXT, 5), (FAR, 7)],
        sequence: "FXNFFFXFXFXNFXNFXNFFFXFX",
    },
    Recording {
        scheduler: Scheduler::Wrr,
        backends: [(NEAR, 4), (NEXT, 6), (FAR, 8)],
        sequence: "FXNFFXFXNFXNFFXFXNFXNFFX",
    },
];

fn weighted(scheduler: Scheduler, backends: &[(&str, u16)]) -> Memory {
    let mut setup = interfaces();
    let vip = Site::Web.vip();
    let id = setup.service(Protocol::Tcp, vip.ip(), vip.port(), scheduler);
    for (number, (address, weight)) in (1..).zip(backends) {
        let hop = setup.next_hop(hop_to(number));
        setup.backend(id, address.parse().unwrap(), *weight, hop);
    }
    setup.build()
}

#[test]
fn connections_are_given_away_as_ipvs_did() {
    for recording in RECORDINGS {
        let memory = weighted(recording.scheduler, &recording.backends);
        let sequence: String = (0..recording.sequence.len() as u16)
            .map(|client| {
                let backend = send(&memory, &Site::Web.packet(client, SYN));
                // What belongs to an open flow takes no turn.
                send(&memory, &Site::Web.packet(client, ACK));
                match recording.backends[usize::from(backend) - 1].0 {
                    NEAR => 'N',
                    NEXT => 'X',
                    _ => 'F',
                }
            })
            .collect();
        assert_eq!(sequence, recording.sequence, "{:?}", recording.backends);
    }
}

#[test]
fn shares_are_exact_over_many_connections() {
    let memory = weighted(Scheduler::Wrr, &[(NEAR, 3), (NEXT, 2), (FAR, 1)]);
    for client in 0..600 {
        send(&memory, &Site::Web.packet(client, SYN));
    }
    let connections = [1, 2, 3].map(|id| memory.backend_counters(id).connections);
    assert_eq!(connections, [300, 200, 100]);
}

/// More backends than one entry of RINGS holds.
#[test]
fn a_long_ring_goes_round() {
    let memory = weighted(Scheduler::Rr, &[(NEAR, 1); 70]);
    let turns: Vec<u16> = (0..140)
        .map(|client| send(&memory, &Site::Web.packet(client, SYN)))
        .collect();
    let round: Vec<u16> = (1..=70).rev().collect();
    assert_eq!(turns, [round.clone(), round].concat());
}

#[test]
fn services_take_turns_on_their_own() {
    let memory = farm();
    let first = |site: Site, client| send(&memory, &site.packet(client, SYN));
    let mixed: Vec<[u16; 4]> = (0..4)
        .map(|client| Site::ALL.map(|site| first(site, client)))
        .collect();
    assert_eq!(
        mixed,
        [[3, 6, 9, 12], [2, 5, 8, 11], [1, 4, 7, 10], [3, 6, 9, 12]]
    );
}

#[test]
fn datagrams_of_one_client_port_stay_with_their_backend() {
    let memory = farm();
    for site in [Site::Dns, Site::Dns6] {
        let first: Vec<u16> = (0..100)
            .map(|port| send(&memory, &site.packet(port, 0)))
            .collect();
        for _ in 0..5 {
            for port in (0..100).rev() {
                let backend = send(&memory, &site.packet(port, 0));
                assert_eq!(backend, first[usize::from(port)], "{site:?} port {port}");
            }
        }
        assert_eq!(memory.service_counters(site.id()).connections, 100);
        assert_eq!(memory.service_counters(site.id()).packets, 600);
    }
}

#[test]
fn open_flows_outlive_a_change_of_the_ring() {
    let mut memory = farm();
    let before = send(&memory, &Site::Web.packet(1, SYN));
    memory.set_ring(Site::Web.id(), &[1]);
    assert_eq!(before, 3);
    assert_eq!(send(&memory, &Site::Web.packet(1, ACK)), 3, "the open one");
    assert_eq!(send(&memory, &Site::Web.packet(2, SYN)), 1, "a new one");
    memory.set_ring(Site::Web.id(), &[]);
    assert_eq!(send(&memory, &Site::Web.packet(1, ACK)), 3, "drained");
    refuse(&memory, &Site::Web.packet(3, SYN));
}

//! The flow table of the loaded program under load, with millions of packets made in the kernel: the
//! soaks of the same names, in small.

use lvs_common::Family;
use lvs_tests::soak::{
    connections,
    flood::{self, Flood, Scale},
    million,
};

const FAMILIES: [Family; 2] = [Family::Ipv4, Family::Ipv6];

/// Established connections are kept, which `send` sees to, and of the clients with the shortest round
/// trip most get through.
fn flood(flood: Flood, at_least: u32) {
    for family in FAMILIES {
        let handshakes = flood::send(flood, family, &Scale::SMALL).expect("a flood");
        let [short, ..] = handshakes.as_slice() else {
            unreachable!("no handshakes");
        };
        assert!(short.begun > 100, "{handshakes:?}");
        assert!(short.per_mille() >= at_least, "{family:?}: {handshakes:?}");
    }
}

#[test]
fn a_flood_of_syns_is_survived() {
    flood(Flood::Syn, 950);
}

#[test]
fn a_flood_of_datagrams_is_survived() {
    flood(Flood::Datagram, 950);
}

/// Flows of forged handshakes are worth more than a half-open one, so fewer get through.
#[test]
fn a_flood_of_handshakes_is_survived() {
    flood(Flood::SynAck, 800);
}

#[test]
fn as_many_flows_as_the_table_is_made_for_find_a_place() {
    for family in FAMILIES {
        million::open(family, 64_000, 0..4).expect("no eviction");
    }
}

#[test]
fn counts_are_true_whatever_happens_to_connections() {
    for family in FAMILIES {
        connections::live(family, 16_000).expect("true counts");
    }
}

//! Several CPUs in one small table at once, then a look at what is left.

use std::thread;

use lvs_common::{
    flow::{Stage, Tuple, Word},
    map::FlowEvent,
    tcp::{ACK, FIN, RST, SYN, State},
};
use lvs_ebpf::{
    family::{V4, V6},
    host::{AnyTuple, Memory},
    kernel::Tables as _,
    table::{Segment, advance, find, open, retire},
};
use rand::{Rng as _, SeedableRng as _, rngs::SmallRng};

use crate::{
    farm::{Site, assert_sound, interfaces, send, walk, with_sites},
    patterned::Patterned,
};

const ROUNDS: u64 = 60;
const OPERATIONS: u32 = 4_000;
/// More than the sixteen entries of the smallest table.
const TUPLES: u32 = 24;
const BACKENDS: u16 = 12;

/// The only backend that flows of this tuple are opened with.
const fn backend_of(number: u32) -> u16 {
    1 + (number % BACKENDS as u32) as u16
}

/// What one CPU does: looks flows up, moves them on, opens those that are not there, ends some.
fn churn<F: Patterned>(memory: &Memory, seed: u64) {
    let mut random = SmallRng::seed_from_u64(seed);
    let settings = memory.settings().unwrap();
    for _ in 0..OPERATIONS {
        let number = random.random_range(0..TUPLES);
        let tuple = F::tuple(number);
        let now = memory.now();
        let flags = [SYN, ACK, FIN | ACK, RST, SYN | ACK][random.random_range(0..5)];
        let segment = Segment::of_client(6, flags);
        let whose = backend_of(number);
        if let Some(hit) = find::<F, _>(memory, settings, &tuple, now) {
            assert_eq!(hit.word.backend(), whose, "half of another entry");
            if random.random_ratio(1, 8) {
                retire(memory, hit.slot, hit.word);
            } else {
                advance(memory, &hit, segment, memory.timeouts(0).unwrap(), now);
            }
        } else {
            let state = Word::of_tcp(State::SynRecv as u8);
            let word = Word::open(whose, state, memory.deadline(state));
            let opened = open::<F, _>(memory, &tuple, word, now);
            assert_eq!(opened.backend(), whose, "half of another entry");
        }
        if random.random_ratio(1, 64) {
            memory.pass(random.random_range(0..40));
        }
        if random.random_ratio(1, 256) {
            memory.sweep_all();
        }
    }
}

/// What must hold when all CPUs are at rest.
fn assert_at_rest<F: Patterned>(memory: &Memory, what: &str)
where
    F::Tuple: Into<AnyTuple>,
{
    assert_sound(memory);
    for flow in memory.flows() {
        assert!(
            matches!(flow.word.stage(), Some(Stage::Tcp(_))),
            "{what}: {flow:?}"
        );
        let number = (0..TUPLES).find(|number| F::tuple(*number).into() == flow.tuple);
        let number = number.unwrap_or_else(|| panic!("{what}: a mix of tuples: {flow:?}"));
        assert_eq!(flow.word.backend(), backend_of(number), "{what}");
    }
}

fn stress<F: Patterned>(cpus: u64)
where
    F::Tuple: Tuple + Into<AnyTuple>,
{
    let mut twins = 0;
    for round in 0..ROUNDS {
        let halves = 4 << (round % 3);
        let memory = with_sites(interfaces().halves(halves), BACKENDS / 4).build();
        thread::scope(|scope| {
            for cpu in 0..cpus {
                let memory = &memory;
                scope.spawn(move || churn::<F>(memory, round * 16 + cpu));
            }
        });
        assert_at_rest::<F>(&memory, &format!("round {round}"));
        twins += memory.event(FlowEvent::Twin);
        memory.pass(1 << 20);
        memory.sweep_all();
        assert!(memory.flows().is_empty(), "round {round}");
        assert_sound(&memory);
    }
    // Whether the CPUs met at all, for who reads the output.
    println!("{twins} flows were opened twice");
}

#[test]
fn two_cpus_ipv4() {
    stress::<V4>(2);
}

#[test]
fn four_cpus_ipv4() {
    stress::<V4>(4);
}

#[test]
fn two_cpus_ipv6() {
    stress::<V6>(2);
}

#[test]
fn four_cpus_ipv6() {
    stress::<V6>(4);
}

/// Whole packets: turns are shared out exactly, every connection is counted, nothing is lost.
#[test]
fn cpus_share_the_turns_exactly() {
    const EACH: u16 = 3_000;
    let memory = with_sites(interfaces().room_for(1 << 14), 3).build();
    thread::scope(|scope| {
        for cpu in 0..3 {
            let memory = &memory;
            scope.spawn(move || {
                for client in cpu * EACH..(cpu + 1) * EACH {
                    let backend = send(memory, &Site::Web.packet(client, SYN));
                    assert_eq!(send(memory, &Site::Web.packet(client, ACK)), backend);
                }
            });
        }
    });
    let each = [1, 2, 3].map(|id| memory.backend_counters(id));
    assert_eq!(
        each.map(|counters| counters.connections),
        [u64::from(EACH); 3]
    );
    assert_eq!(
        each.map(|counters| counters.packets),
        [u64::from(EACH) * 2; 3]
    );
    let active = [1, 2, 3].map(|id| memory.load_of(id).active);
    assert_eq!(active, [u32::from(EACH); 3]);
    assert_sound(&memory);
}

/// A flow that nobody ends is found by every one of its packets, whatever else is done to it.
#[test]
fn no_packet_of_an_open_flow_is_ever_a_stranger() {
    let memory = with_sites(interfaces(), 3).build();
    let backend = send(&memory, &Site::Web.packet(1, SYN));
    thread::scope(|scope| {
        for cpu in 0..3 {
            let memory = &memory;
            scope.spawn(move || {
                let mut random = SmallRng::seed_from_u64(cpu);
                let frames = [ACK, FIN | ACK, SYN | ACK, RST, 0]
                    .map(|flags| Site::Web.packet(1, flags).frame());
                for _ in 0..30_000 {
                    let frame = &frames[random.random_range(0..frames.len())];
                    let (outcome, after) = walk(memory, frame);
                    outcome.expect("it is a packet of an open flow");
                    assert_eq!(after[4..6], backend.to_be_bytes());
                }
            });
        }
    });
    assert_eq!(memory.flows().len(), 1);
    assert_sound(&memory);
}

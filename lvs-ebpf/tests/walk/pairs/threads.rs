//! Several CPUs with pairs in small tables at once, then a look at what is left.
//!
//! At rest every entry of a pair has its other one, and both mean each other. Nothing less is allowed:
//! whoever frees one entry frees the other before it does anything else, and an eviction that hits a
//! pair in the middle of its opening is seen by the CPU that opens it.

use std::{
    sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed},
    thread,
};

use lvs_common::{
    flow::{Stage, Word},
    map::FlowEvent,
    tcp::{ACK, FIN, RST, SYN, State},
};
use lvs_ebpf::{
    host::{AnyTuple, Memory, audit},
    kernel::Tables as _,
    table::{
        self, find,
        pair::{Paired, owner},
        retire,
    },
};
use rand::{Rng as _, SeedableRng as _, rngs::SmallRng};

use super::{Side, backend_sends, client_sends, open};
use crate::farm::{interfaces, with_sites};

const ROUNDS: u64 = 60;
const OPERATIONS: u32 = 4_000;
const BACKENDS: u16 = 12;

/// Clients with a reply tuple of their own, as NAT has them; some two share one.
const NAT: u32 = 12;
/// Clients whose replies are told apart by a port of the balancer's, as FULLNAT has them.
const FULLNAT: u32 = 12;
/// Clients whose replies go elsewhere.
const LONE: u32 = 4;
/// Reply tuples of the FULLNAT-like, fewer than there may be flows.
const PORTS: u32 = 10;
const FIRST_NAT: u32 = 1_000;
const FIRST_PORT: u32 = 2_000;

/// The only backend that flows of this client are opened with.
const fn backend_of(client: u32) -> u16 {
    1 + (client % BACKENDS as u32) as u16
}

/// The reply tuple of a NAT-like client.
const fn nat(client: u32) -> u32 {
    FIRST_NAT + client * 3 / 4
}

/// What happened, for who reads the output.
#[derive(Debug, Default)]
struct Seen {
    opened: AtomicU64,
    taken: AtomicU64,
    twins: AtomicU64,
}

/// One CPU's part.
struct Cpu<'a> {
    memory: &'a Memory,
    cursor: &'a AtomicU32,
    seen: &'a Seen,
    random: SmallRng,
}

impl Cpu<'_> {
    fn open<F: Side, R: Side>(&mut self, client: u32) {
        let state = Word::of_tcp(State::SynRecv as u8);
        let deadline = self.memory.deadline(state);
        let first = Word::open(backend_of(client), state, deadline);
        let paired = if client < NAT {
            open::<F, R>(self.memory, client, &[nat(client)], first)
        } else if client < NAT + FULLNAT {
            let turn = self.cursor.fetch_add(1, Relaxed);
            let ports: [u32; 4] = std::array::from_fn(|n| FIRST_PORT + (turn + n as u32) % PORTS);
            open::<F, R>(self.memory, client, &ports, first)
        } else {
            let tuple = F::tuple(client);
            table::open::<F, _>(self.memory, &tuple, first, self.memory.now());
            return;
        };
        let count = match paired {
            Paired::New => &self.seen.opened,
            Paired::Taken => &self.seen.taken,
            Paired::Twin => &self.seen.twins,
            Paired::NotKept => return,
        };
        count.fetch_add(1, Relaxed);
    }

    fn client<F: Side, R: Side>(&mut self) {
        let client = self.random.random_range(0..NAT + FULLNAT + LONE);
        let flags = [SYN, ACK, ACK, FIN | ACK, RST][self.random.random_range(0..5)];
        match client_sends::<F>(self.memory, client, flags) {
            Some(hit) => {
                assert_eq!(hit.word.backend(), backend_of(client), "half of another");
                if self.random.random_ratio(1, 8) {
                    retire(self.memory, hit.slot, hit.word);
                }
            }
            None => self.open::<F, R>(client),
        }
    }

    fn backend<R: Side>(&mut self) {
        let reply = if self.random.random() {
            nat(self.random.random_range(0..NAT))
        } else {
            FIRST_PORT + self.random.random_range(0..PORTS)
        };
        let flags = [SYN | ACK, ACK, ACK, FIN | ACK, RST][self.random.random_range(0..5)];
        let found = backend_sends::<R>(self.memory, reply, flags);
        if found.is_some_and(|_| self.random.random_ratio(1, 16)) {
            self.end_by_reply::<R>(reply);
        }
    }

    fn end_by_reply<R: Side>(&self, reply: u32) {
        let (memory, now) = (self.memory, self.memory.now());
        let hit = find::<R, _>(memory, memory.settings().unwrap(), &R::tuple(reply), now);
        if let Some(hit) = hit
            && owner(memory, &hit, now).is_some()
        {
            retire(memory, hit.slot, hit.word);
        }
    }

    fn churn<F: Side, R: Side>(&mut self) {
        for _ in 0..OPERATIONS {
            if self.random.random_ratio(2, 3) {
                self.client::<F, R>();
            } else {
                self.backend::<R>();
            }
            if self.random.random_ratio(1, 64) {
                self.memory.pass(self.random.random_range(0..40));
            }
            if self.random.random_ratio(1, 256) {
                self.memory.sweep_all();
            }
        }
    }
}

/// What must hold when all CPUs are at rest.
fn assert_at_rest<F: Side, R: Side>(memory: &Memory, what: &str) {
    if let Err(complaint) = audit(memory) {
        panic!("{what}: {complaint}");
    }
    for flow in memory.flows() {
        assert!(
            matches!(flow.word.stage(), Some(Stage::Tcp(_))),
            "{what}: {flow:?}"
        );
        let client = (0..NAT + FULLNAT + LONE)
            .find(|client| Into::<AnyTuple>::into(F::tuple(*client)) == flow.tuple);
        if let Some(client) = client {
            assert_eq!(flow.word.backend(), backend_of(client), "{what}");
            assert!(!flow.word.is_reply(), "{what}: {flow:?}");
            assert_eq!(flow.link.is_some(), client < NAT + FULLNAT, "{what}");
            if flow.link.is_some() {
                let reply = R::tuple(flow.link.note()).into();
                let found = memory
                    .flows()
                    .into_iter()
                    .find(|other| other.tuple == reply);
                assert!(found.is_some(), "{what}: another reply than {flow:?} says");
            }
        } else {
            let is_reply = (FIRST_NAT..FIRST_NAT + NAT)
                .chain(FIRST_PORT..FIRST_PORT + PORTS)
                .any(|reply| Into::<AnyTuple>::into(R::tuple(reply)) == flow.tuple);
            assert!(is_reply && flow.word.is_reply(), "{what}: a mix: {flow:?}");
        }
    }
}

fn stress<F: Side, R: Side>(cpus: u64) {
    let seen = Seen::default();
    let mut events = vec![0; FlowEvent::ALL.len()];
    for round in 0..ROUNDS {
        let halves = 4 << (round % 3);
        let memory = with_sites(interfaces().halves(halves), BACKENDS / 4).build();
        let cursor = AtomicU32::new(0);
        thread::scope(|scope| {
            for number in 0..cpus {
                let mut cpu = Cpu {
                    memory: &memory,
                    cursor: &cursor,
                    seen: &seen,
                    random: SmallRng::seed_from_u64(round * 16 + number),
                };
                scope.spawn(move || cpu.churn::<F, R>());
            }
        });
        assert_at_rest::<F, R>(&memory, &format!("round {round}"));
        for (sum, event) in events.iter_mut().zip(FlowEvent::ALL) {
            *sum += memory.event(event);
        }
        memory.pass(1 << 20);
        memory.sweep_all();
        assert!(memory.flows().is_empty(), "round {round}");
        assert_at_rest::<F, R>(&memory, &format!("round {round}, swept"));
    }
    let count = |event: FlowEvent| events[event as usize];
    // Whether the CPUs met at all is chance, and for who reads the output.
    println!("{seen:?}");
    for event in FlowEvent::ALL {
        println!("{}: {}", event.as_str(), count(event));
    }
    assert!(seen.opened.load(Relaxed) > 0 && seen.taken.load(Relaxed) > 0);
    assert!(count(FlowEvent::EvictedHalfOpen) > 0, "too much room");
    assert!(count(FlowEvent::Expired) > 0);
}

for_each_kind! {
    two_cpus
    four_cpus
}

fn two_cpus<F: Side, R: Side>() {
    stress::<F, R>(2);
}

fn four_cpus<F: Side, R: Side>() {
    stress::<F, R>(4);
}

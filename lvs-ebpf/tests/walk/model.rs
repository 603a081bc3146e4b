//! Random packets, clock jumps and sweeps on a table of sixteen entries, against a model: a map of
//! flows. Every tuple may be in all entries there, so the model says exactly who may be evicted.

use std::{
    cmp::Reverse,
    collections::{HashMap, HashSet},
};

use lvs_common::{
    Reason,
    flow::{Class, Stage, Word},
    tcp::{ACK, FIN, RST, SYN, State},
};
use lvs_ebpf::{
    Action,
    host::{AnyTuple, Memory, Swept, TICKS_PER_SECOND},
    kernel::Tables as _,
};
use proptest::prelude::*;

use crate::{
    farm::{Site, assert_sound, interfaces, walk, with_sites},
    kernel::{self, FINISHED, TIMEOUTS},
};

const ENTRIES: usize = 16;
const BACKENDS: u16 = 3;

#[derive(Clone, Copy, Debug)]
enum Step {
    Packet { site: Site, client: u16, flags: u8 },
    Pass(u32),
    Sweep,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let flags = prop::sample::select(vec![
        SYN,
        SYN,
        SYN,
        ACK,
        ACK,
        ACK | FIN,
        RST,
        SYN | ACK,
        FIN,
        0,
        RST | SYN,
    ]);
    let site = prop::sample::select(Site::ALL.to_vec());
    let packet = (site, 0..24_u16, flags).prop_map(|(site, client, flags)| Step::Packet {
        site,
        client,
        flags,
    });
    let step = prop_oneof![
        12 => packet,
        2 => (0..150_u32).prop_map(Step::Pass),
        1 => (0..4_000_u32).prop_map(Step::Pass),
        1 => Just(Step::Sweep),
    ];
    prop::collection::vec(step, 1..300)
}

/// A flow as the model sees it; `state` is `None` for UDP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Known {
    backend: u16,
    state: Option<State>,
    packets: u8,
    deadline: u32,
}

impl Known {
    /// Ticks of silence that end the flow.
    fn timeout(self) -> u32 {
        let seconds = match self.state {
            None => 300,
            Some(state) => TIMEOUTS.iter().find(|(each, _)| *each == state).unwrap().1,
        };
        seconds * TICKS_PER_SECOND
    }

    /// The flow after a packet that it was seen by now.
    fn seen(self, now: u32) -> Self {
        Self {
            deadline: now.wrapping_add(self.timeout()),
            ..self
        }
    }

    fn left(self, now: u32) -> i32 {
        self.deadline.wrapping_sub(now).cast_signed()
    }

    /// The greatest goes first: by class, and then the first to expire, or the oldest half-open one.
    fn worth(self, now: u32) -> (Class, Reverse<i32>) {
        let class = self.class();
        let whole = if class == Class::HalfOpen {
            self.timeout().cast_signed()
        } else {
            0
        };
        (class, Reverse(self.left(now) - whole))
    }

    fn class(self) -> Class {
        use State::{Close, CloseWait, Established, FinWait, LastAck, TimeWait};
        match (self.state, self.packets) {
            (Some(FinWait | TimeWait | Close | CloseWait | LastAck), _) => Class::Closing,
            (Some(Established) | None, 1) => Class::HalfOpen,
            (Some(Established) | None, 2) => Class::Young,
            (Some(Established) | None, _) => Class::Proven,
            _ => Class::HalfOpen,
        }
    }

    fn of(word: Word) -> Self {
        Self {
            backend: word.backend(),
            state: match word.stage() {
                Some(Stage::Tcp(state)) => Some(state),
                Some(Stage::Udp) => None,
                other => panic!("{other:?} in the table"),
            },
            packets: word.packets(),
            deadline: word.deadline(),
        }
    }
}

/// All flows that have not expired, and whose turn it is.
#[derive(Default)]
struct Model {
    flows: HashMap<AnyTuple, Known>,
    turns: HashMap<Site, u16>,
}

impl Model {
    fn expire(&mut self, now: u32) {
        self.flows.retain(|_, flow| flow.left(now) >= 0);
    }

    /// What must become of a packet: its backend, and whether it opened a flow.
    fn packet(&mut self, site: Site, client: u16, flags: u8, now: u32) -> Option<(u16, bool)> {
        let tuple = site.tuple(client);
        let is_tcp = matches!(site, Site::Web | Site::Web6);
        if let Some(flow) = self.flows.get_mut(&tuple) {
            let opens = flags & (SYN | ACK | RST) == SYN;
            if opens && flow.state.is_some_and(|state| FINISHED.contains(&state)) {
                self.flows.remove(&tuple);
            } else {
                flow.state = flow.state.map(|state| kernel::next(state, flags));
                flow.packets = (flow.packets + 1).min(Word::MANY);
                *flow = flow.seen(now);
                return Some((flow.backend, false));
            }
        }
        if is_tcp && flags & (SYN | RST) != SYN {
            return None;
        }
        // Round and round, the backend that was added last comes first.
        let turn = self.turns.entry(site).or_default();
        let backend = (site.id() as u16 + 1) * BACKENDS - *turn % BACKENDS;
        *turn += 1;
        let flow = Known {
            backend,
            state: is_tcp.then(|| kernel::next(State::None, flags)),
            packets: 1,
            deadline: 0,
        };
        self.flows.insert(tuple, flow.seen(now));
        Some((backend, true))
    }

    /// Accepts that `opened` may have cost another flow its place: one of those that go first, and
    /// only where no entry was free or expired.
    fn evict(&mut self, table: &HashMap<AnyTuple, Known>, opened: &AnyTuple, now: u32) {
        let v4 = matches!(opened, AnyTuple::V4(_));
        let peers: Vec<(AnyTuple, Known)> = self
            .flows
            .iter()
            .filter(|(tuple, _)| *tuple != opened && matches!(tuple, AnyTuple::V4(_)) == v4)
            .map(|(tuple, flow)| (*tuple, *flow))
            .collect();
        let lost: Vec<_> = peers
            .iter()
            .filter(|(tuple, _)| !table.contains_key(tuple))
            .collect();
        if peers.len() < ENTRIES {
            assert_eq!(lost, [] as [&(AnyTuple, Known); 0], "there was room");
            return;
        }
        let [(tuple, flow)] = lost[..] else {
            panic!("one flow must go, not {lost:?}");
        };
        let first = peers.iter().map(|(_, flow)| flow.worth(now)).max();
        assert_eq!(Some(flow.worth(now)), first, "{flow:?} went too early");
        self.flows.remove(tuple);
    }
}

/// The flows in the table that have not expired.
fn table(memory: &Memory) -> HashMap<AnyTuple, Known> {
    let flows = memory.flows().into_iter();
    flows
        .filter(|flow| !memory.has_expired(flow.word))
        .map(|flow| (flow.tuple, Known::of(flow.word)))
        .collect()
}

fn run(steps: &[Step]) {
    // The clock wraps on the way.
    let setup = interfaces().halves(4).now(u32::MAX - 3_000);
    let memory = with_sites(setup, BACKENDS).build();
    let mut model = Model::default();
    let mut opened = 0;
    for step in steps {
        match *step {
            Step::Pass(ticks) => memory.pass(ticks),
            Step::Sweep => {
                let all = memory.flows().len() as u32;
                let live = model.flows.len() as u32;
                let retired = all - live;
                assert_eq!(memory.sweep_all(), Swept { retired, live });
            }
            Step::Packet {
                site,
                client,
                flags,
            } => {
                let now = memory.now();
                let (outcome, after) = walk(&memory, &site.packet(client, flags).frame());
                let Some((backend, is_new)) = model.packet(site, client, flags, now) else {
                    assert_eq!(outcome, Err(Reason::NoFlow));
                    continue;
                };
                assert_eq!(outcome, Ok(Action::Send));
                assert_eq!(after[4..6], backend.to_be_bytes(), "another backend");
                if is_new {
                    opened += 1;
                    model.evict(&table(&memory), &site.tuple(client), now);
                }
            }
        }
        model.expire(memory.now());
        assert_eq!(table(&memory), model.flows);
        assert_sound(&memory);
    }
    let counted: u64 = (0..4)
        .map(|id| memory.service_counters(id).connections)
        .sum();
    assert_eq!(counted, opened);
    let backends: HashSet<u16> = model.flows.values().map(|flow| flow.backend).collect();
    for backend in memory.backend_ids().filter(|id| !backends.contains(id)) {
        memory.sweep_all();
        assert_eq!(memory.load_of(backend), lvs_ebpf::host::Load::default());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn the_table_is_what_the_model_says(steps in steps()) {
        run(&steps);
    }
}

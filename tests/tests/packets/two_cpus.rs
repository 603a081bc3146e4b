//! Two CPUs on the same few flows of the smallest table, with a sweeper beside them: what is counted
//! at the end is what is there.

use std::{
    collections::{BTreeMap, BTreeSet},
    hint,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

use lvs_common::{
    flow::Stage,
    tcp::{ACK, FIN, RST, SYN, State},
};
use lvs_ctl::datapath::{Flow, Swept};
use lvs_tests::{
    packet::{BackendSpec, Hop, Rig, ServiceSpec},
    stress::cpus,
};
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};

use crate::farm::{SITES, Site};

/// The smallest table: sixteen entries of either family, each in the places of every tuple.
const HALVES: u32 = 4;

/// No CPU walks for longer than this, however slow it is.
const LONGEST: Duration = Duration::from_secs(2);

/// Nobody waits for the other thread longer than this.
const DEADLINE: Duration = Duration::from_secs(10);

fn rig() -> Rig {
    let service = |site: Site| ServiceSpec {
        backends: [1, 2, 3]
            .map(|n| BackendSpec::behind(Hop::neighbour(n)))
            .to_vec(),
        ..site.service()
    };
    Rig::with_halves(&SITES.map(service), HALVES)
}

/// Has both CPUs walk such frames while a third thread sweeps; how many walked, and what was swept.
fn hammer(rig: &Rig, packets: u32, frame: impl Fn(&mut StdRng) -> Vec<u8> + Sync) -> (u64, Swept) {
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let workers = cpus::two().expect("two CPUs").map(|cpu| {
            let frame = &frame;
            scope.spawn(move || {
                cpus::pin_to(cpu).expect("this thread on one CPU");
                let mut random = StdRng::seed_from_u64(cpu as u64);
                let start = Instant::now();
                let mut walked = 0;
                while walked < u64::from(packets) && start.elapsed() < LONGEST {
                    rig.walk(&frame(&mut random)).expect("a walk");
                    walked += 1;
                }
                walked
            })
        });
        let sweeper = scope.spawn(|| {
            let mut sum = Swept::default();
            while !over.load(Ordering::Relaxed) {
                let swept = rig.datapath.sweep().expect("a sweep");
                sum.retired += swept.retired;
                // The table is most of the time the workers'.
                thread::yield_now();
            }
            sum
        });
        let walked = workers.map(thread::ScopedJoinHandle::join);
        // Before anything else: the sweeper goes on until then, also when a worker has failed.
        over.store(true, Ordering::Relaxed);
        let walked = walked.map(|walked| walked.expect("a worker"));
        (walked.iter().sum(), sweeper.join().expect("the sweeper"))
    })
}

/// Whether no two flows have the same tuple.
fn all_differ(flows: &[Flow]) -> bool {
    let tuple = |flow: &Flow| (flow.source, flow.destination, flow.protocol);
    let tuples: BTreeSet<_> = flows.iter().map(tuple).collect();
    tuples.len() == flows.len()
}

/// Everything that must hold when nobody walks.
fn check(rig: &Rig, walked: u64) {
    let state = rig.state().expect("the counters");
    let flows = rig.flows();
    let mut scan = BTreeMap::<(&str, &str), u64>::new();
    for flow in &flows {
        let kind = if flow.word.is_active() {
            "active"
        } else {
            "inactive"
        };
        *scan.entry((rig.backend_of(flow), kind)).or_default() += 1;
    }
    for backend in rig.backends() {
        for kind in ["active", "inactive"] {
            let expected = scan.get(&(backend, kind)).copied().unwrap_or_default();
            let name = format!("load.{backend}.{kind}");
            assert_eq!(state.get(&name), expected, "{name}\n{state}{flows:#?}");
        }
    }
    assert!(
        all_differ(&flows),
        "a flow is there twice\n{state}{flows:#?}"
    );
    assert_eq!(state.sum("reason.", ".packets"), walked, "\n{state}");
    let counted = |what: &str| (state.sum("service.", what), state.sum("backend.", what));
    for what in [".packets", ".bytes", ".connections"] {
        let (services, backends) = counted(what);
        assert_eq!(services, backends, "{what}\n{state}");
    }
}

/// More flows than places: what one CPU opens the other may evict, close, open anew or sweep.
#[test]
fn open_close_evict_and_expire_the_same_flows() {
    let mut rig = rig();
    for state in [State::FinWait, State::TimeWait, State::Close] {
        rig.set_timeout(Stage::Tcp(state), 0).expect("settings");
    }
    rig.set_timeout(Stage::Udp, 0).expect("settings");
    let (walked, swept) = hammer(&rig, 200_000, |random| {
        let site = SITES[random.random_range(0..SITES.len())];
        let flags = [SYN, SYN, ACK, ACK, FIN | ACK, RST][random.random_range(0..6)];
        site.first(random.random_range(1..=12)).flags(flags).bytes()
    });
    // What expired meanwhile may be there beside a new flow on its tuple, until it is swept.
    let last = rig.datapath.sweep().expect("a sweep");
    check(&rig, walked);
    let state = rig.state().expect("the counters");
    assert!(
        state.get("event.reused") > 0 && swept.retired + last.retired > 0,
        "\n{state}"
    );
    assert!(
        state.get("event.evicted-half-open") > 0,
        "too much room to race for\n{state}"
    );
}

/// Fewer flows than places and no end to them: none may be lost, whoever looks while whoever writes.
#[test]
fn lasting_flows_are_never_lost() {
    let rig = rig();
    let (walked, swept) = hammer(&rig, 100_000, |random| {
        let site = SITES[random.random_range(0..SITES.len())];
        // Seven flows of two sites of a family: sixteen places.
        let port = random.random_range(1..=7);
        site.first(port).bytes()
    });
    check(&rig, walked);
    assert_eq!(swept.retired, 0);
    let state = rig.state().expect("the counters");
    assert_eq!(rig.flows().len(), 4 * 7, "\n{state}");
    assert_eq!(state.get("reason.sent.packets"), walked, "\n{state}");
    let twins = state.get("event.twin");
    assert_eq!(
        state.sum("event.", ""),
        twins,
        "nothing expires or is evicted\n{state}"
    );
    // A flow that both CPUs open at once may be counted by both, never by neither.
    let connections = state.sum("service.", ".connections");
    assert!((28..=28 + twins).contains(&connections), "\n{state}");
}

/// A starting line for two threads: neither goes on before both are there. They spin, since a thread
/// that was woken would come too late for the race.
struct Line(AtomicUsize);

impl Line {
    /// Waits there for the `n`-th time, counted from 1.
    fn wait(&self, n: usize) {
        self.0.fetch_add(1, Ordering::SeqCst);
        let start = Instant::now();
        let mut spins = 0_u32;
        while self.0.load(Ordering::SeqCst) < 2 * n {
            spins += 1;
            if spins.is_multiple_of(1 << 12) {
                // Whoever is to come may need this CPU.
                thread::yield_now();
                assert!(start.elapsed() < DEADLINE, "the other thread has failed");
            } else {
                hint::spin_loop();
            }
        }
    }
}

/// The moment at which flows are opened, again and again: one stays, whoever wins.
#[test]
fn one_flow_opened_by_both_at_once_is_one() {
    const ROUNDS: usize = 20_000;
    let rig = rig();
    let sites = [Site::Web, Site::Web6];
    let line = Line(AtomicUsize::new(0));
    let rounds = AtomicUsize::new(ROUNDS);
    thread::scope(|scope| {
        for (n, cpu) in cpus::two().expect("two CPUs").into_iter().enumerate() {
            let (rig, line, rounds) = (&rig, &line, &rounds);
            scope.spawn(move || {
                cpus::pin_to(cpu).expect("this thread on one CPU");
                let start = Instant::now();
                let open = sites.map(|site| site.first(1).bytes());
                for round in 1..=ROUNDS {
                    line.wait(3 * round - 2);
                    rig.walk(&open[round % 2]).expect("a walk");
                    line.wait(3 * round - 1);
                    if n == 0 {
                        let flows = rig.flows();
                        assert!(all_differ(&flows), "a flow is there twice: {flows:#?}");
                        // In this state a SYN opens the connection anew.
                        for flags in [ACK, RST] {
                            rig.walk(&sites[round % 2].segment(1, flags).bytes())
                                .expect("a walk");
                        }
                        if start.elapsed() > LONGEST {
                            rounds.store(round, Ordering::SeqCst);
                        }
                    }
                    line.wait(3 * round);
                    if rounds.load(Ordering::SeqCst) <= round {
                        break;
                    }
                }
            });
        }
    });
    let rounds = rounds.into_inner() as u64;
    check(&rig, 4 * rounds);
    let state = rig.state().expect("the counters");
    assert_eq!(rig.flows().len(), 2, "\n{state}");
    // At least one connection a round; both may count one that both opened.
    let twins = state.get("event.twin");
    let connections = state.sum("service.", ".connections");
    assert!(
        (rounds..=rounds + twins).contains(&connections),
        "{rounds} rounds\n{state}"
    );
}

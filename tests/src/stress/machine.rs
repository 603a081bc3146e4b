//! The data plane and the program that stresses its flow table, on two CPUs.

use std::{
    net::SocketAddr,
    path::Path,
    process,
    sync::{
        Barrier,
        atomic::{AtomicU32, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use lvs_common::{
    Protocol,
    flow::{Keys, Stage},
    map::{FlowEvent, Settings},
    tcp::{ACK, FIN, RST, SYN, State},
};
use lvs_ctl::datapath::Pins;
use lvs_ebpf::host::AnyTuple;
use rand::{Rng as _, SeedableRng as _, rngs::SmallRng};

use super::{
    Figures, cpus,
    pairs::{Pairs, Sides},
    request::Outcome,
    tables::MOST_HALVES,
};
use crate::packet::{BackendSpec, Frame, HZ, Hop, Rig, ServiceSpec};

/// Backends of each service.
const BACKENDS: u8 = 2;
/// Ports of the clients whose packets the data plane walks.
const PORTS: u16 = 12;
/// Packets after each run of the stress program.
const PACKETS: u32 = 64;
/// Every so many of these, a sweep of the whole table by the program that the director runs.
const RUNS_A_SWEEP: u32 = 4;

/// A new table, and what two CPUs do with it.
#[derive(Clone, Copy, Debug)]
pub struct Round {
    /// What each of them opens.
    pub sides: [Sides; 2],
    /// Half buckets of either family, a power of two, 4 to 64.
    pub halves: u32,
    /// For how long.
    pub time: Duration,
    /// Keys and operations follow from it.
    pub seed: u64,
}

/// What the workers did.
#[derive(Clone, Copy, Debug, Default)]
struct Done {
    operations: u64,
    packets: u64,
}

/// Both objects, loaded.
pub struct Machine {
    rig: Rig,
    pairs: Pairs,
    frames: Vec<Vec<u8>>,
}

/// Services that packets are for: address, protocol and a client.
const SITES: [(&str, Protocol, &str); 4] = [
    ("10.0.0.29:80", Protocol::Tcp, "192.0.2.100:0"),
    ("10.0.0.29:53", Protocol::Udp, "192.0.2.100:0"),
    ("[2001:db8::29]:80", Protocol::Tcp, "[2001:db8:c::64]:0"),
    ("[2001:db8::29]:53", Protocol::Udp, "[2001:db8:c::64]:0"),
];
const NAMES: [&str; 4] = ["web", "dns", "web6", "dns6"];

impl Machine {
    /// Loads everything.
    pub fn new() -> Result<Self> {
        let mut services = Vec::new();
        let mut frames = Vec::new();
        for (name, (address, protocol, client)) in NAMES.into_iter().zip(SITES) {
            let address: SocketAddr = address.parse()?;
            let backends = (1..=BACKENDS).map(|n| BackendSpec::behind(Hop::neighbour(n)));
            services.push(ServiceSpec::new(name, protocol, address, backends));
            let mut client: SocketAddr = client.parse()?;
            for port in 1..=PORTS {
                client.set_port(port);
                for flags in [SYN, SYN, ACK, ACK, FIN | ACK, RST] {
                    let frame = match protocol {
                        Protocol::Udp => Frame::udp(client, address),
                        Protocol::Tcp => Frame::tcp(client, address, flags),
                    };
                    frames.push(frame.bytes());
                }
            }
        }
        let mut rig = Rig::with_halves(&services, MOST_HALVES);
        // They end while the CPUs are at work, or are evicted before.
        let timeouts = [
            (Stage::Tcp(State::SynRecv), 1),
            (Stage::Tcp(State::Established), 3),
            (Stage::Tcp(State::FinWait), 1),
            (Stage::Tcp(State::CloseWait), 1),
            (Stage::Tcp(State::TimeWait), 0),
            (Stage::Tcp(State::Close), 0),
            (Stage::Udp, 1),
        ];
        for (stage, ticks) in timeouts {
            rig.set_timeout(stage, ticks)?;
        }
        let pairs = beside(&mut rig, u32::from(BACKENDS) * NAMES.len() as u32)?;
        Ok(Self { rig, pairs, frames })
    }

    /// Has both CPUs at work in a new table, and looks at it when they are at rest.
    ///
    /// # Errors
    /// If something does not hold that must; the error says what.
    pub fn round(&mut self, round: &Round) -> Result<Figures> {
        let mut random = SmallRng::seed_from_u64(round.seed);
        self.pairs.empty()?;
        self.rig.datapath.set_settings(Settings {
            keys: Keys::new(std::array::from_fn(|_| random.random())),
            mask4: round.halves - 1,
            mask6: round.halves - 1,
            hz: HZ,
            endpoints: 0,
            ..Settings::NONE
        })?;
        let (events, outcomes) = (self.events()?, self.pairs.outcomes()?);
        let done = self.hammer(round)?;
        let mut figures = Figures {
            tables: 1,
            packets: done.packets,
            events: since(self.events()?, events),
            outcomes: since(self.pairs.outcomes()?, outcomes),
            ..Figures::default()
        };
        ensure!(
            figures.operations() == done.operations,
            "{} operations asked for, {} done",
            done.operations,
            figures.operations()
        );
        figures.entries = self.check().with_context(|| format!("{round:?}"))?;
        let mixed = figures.outcome(Outcome::Mixed);
        ensure!(mixed == 0, "{mixed} packets met another's flow: {round:?}");
        Ok(figures)
    }

    /// Checks the tables at rest, before and after a sweep; how many live entries there were.
    fn check(&self) -> Result<u64> {
        let is_packets = |tuple: &AnyTuple| {
            let destination = SocketAddr::from(tuple.destination()).to_string();
            SITES.iter().any(|(address, ..)| *address == destination)
        };
        let entries = self.pairs.check(is_packets)?;
        self.rig.datapath.sweep()?;
        self.pairs.check(is_packets).context("after a sweep")?;
        Ok(entries)
    }

    /// Has both CPUs at work; what they did together.
    fn hammer(&self, round: &Round) -> Result<Done> {
        let cpus = cpus::two()?;
        let start = Barrier::new(2);
        thread::scope(|scope| {
            let workers = [0, 1].map(|n| {
                let start = &start;
                scope.spawn(move || {
                    let pinned = cpus::pin_to(cpus[n]);
                    start.wait();
                    pinned?;
                    self.work(round, n)
                })
            });
            let mut sum = Done::default();
            for worker in workers {
                let done = worker.join().ok().context("a worker panicked")??;
                sum.operations += done.operations;
                sum.packets += done.packets;
            }
            Ok(sum)
        })
    }

    /// What one CPU does.
    fn work(&self, round: &Round, number: usize) -> Result<Done> {
        let sides = round.sides[number];
        let mut random = SmallRng::seed_from_u64(round.seed ^ (number as u64 + 1) << 60);
        let mut done = Done::default();
        let start = Instant::now();
        for run in 1.. {
            done.operations += self.pairs.run(sides, round.halves, random.random())?;
            for _ in 0..PACKETS {
                let frame = &self.frames[random.random_range(0..self.frames.len())];
                self.rig.walk(frame)?;
                done.packets += 1;
            }
            if run % RUNS_A_SWEEP == 0 {
                self.rig.datapath.sweep()?;
            }
            if start.elapsed() >= round.time {
                break;
            }
        }
        Ok(done)
    }

    fn events(&self) -> Result<[u64; FlowEvent::ALL.len()]> {
        let state = self.rig.state()?;
        Ok(FlowEvent::ALL.map(|event| state.get(&format!("event.{}", event.as_str()))))
    }
}

fn since<const N: usize>(now: [u64; N], before: [u64; N]) -> [u64; N] {
    std::array::from_fn(|i| now[i] - before[i])
}

/// Loads the stress program with the maps of the data plane for its own, by way of pins.
fn beside(rig: &mut Rig, backends: u32) -> Result<Pairs> {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let root = format!("/sys/fs/bpf/lvs-stress-{}-{number}", process::id());
    let pins = Pins::take(Path::new(&root))?;
    rig.pin(&pins)?;
    Pairs::open(|map| pins.path(map), backends)
}

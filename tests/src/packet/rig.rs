//! The loaded program with services of a test's choice.

use std::{net::IpAddr, ops::RangeInclusive};

use anyhow::{Context as _, Result};
use aya::{TestRun as _, TestRunOptions};
use lvs_common::{
    Family, Reason, Scheduler,
    bucket::Rate,
    flow::{Keys, Stage, Word},
    map::{
        Backend, Counters, FlowEvent, NAME_LEN, Notice, RING_CHUNK, Ring, Service, ServiceKey,
        Settings, Timeouts,
    },
    ring,
};
use lvs_ctl::datapath::{Datapath, Flow, FlowReader, Pins, Sizes, StatsReader};

use super::{
    Case, Hop, ServiceSpec, State, Xdp, compare, frame::BALANCER_MAC, notices::Notices,
    require_root,
};

/// Name of the program that walks frames.
const PROGRAM: &str = "lvs";

/// Index of the interface that test runs come by: the kernel says the loopback interface, always 1.
pub const INGRESS: u32 = 1;

/// Half buckets of either family if a test does not choose: plenty for its flows.
const HALVES: u32 = 256;

/// Ticks that no test lives to see.
const FOREVER: u32 = 1 << 24;

/// Jiffies in a second, as readers of the maps are told, whatever the kernel's are.
pub const HZ: u32 = 250;

/// Local ports of every service that has local addresses.
const LOCAL_PORTS: RangeInclusive<u16> = 5_000..=65_535;

/// Addresses at which tunnels end, and prefixes that they may come from, that a test may add.
const TUNNELS: u32 = 4;

/// Next hops and ring chunks that a test may add later.
const SPARE: u32 = 16;

/// A loaded data plane and what was written to it.
pub struct Rig {
    /// The data plane.
    pub datapath: Datapath,
    stats: StatsReader,
    flows: FlowReader,
    notices: Notices,
    settings: Settings,
    timeouts: Timeouts,
    /// Names; the index is the id.
    services: Vec<String>,
    /// Names; the index is the id, and 0 is nobody's.
    backends: Vec<String>,
    next_hop: u32,
    next_chunk: u32,
    next_local: u16,
}

impl Rig {
    /// Loads the program with these services.
    pub fn new(services: &[ServiceSpec]) -> Self {
        Self::with_halves(services, HALVES)
    }

    /// As [`Rig::new`], with so many half buckets for the flows of either family.
    pub fn with_halves(services: &[ServiceSpec], halves: u32) -> Self {
        require_root();
        Self::load(services, [halves; 2]).unwrap_or_else(|error| unreachable!("no rig: {error:#}"))
    }

    /// As [`Rig::with_halves`], for IPv4 and IPv6 each.
    pub fn load(services: &[ServiceSpec], [halves4, halves6]: [u32; 2]) -> Result<Self> {
        let backends = services
            .iter()
            .map(|s| s.backends.len() as u32)
            .sum::<u32>()
            + 1;
        let weights = |spec: &ServiceSpec| -> Vec<u16> {
            spec.backends.iter().rev().map(|b| b.weight).collect()
        };
        let chunks: u64 = services
            .iter()
            .map(|spec| ring::weighted_slots(&weights(spec)).div_ceil(RING_CHUNK as u64) + 1)
            .sum();
        let sizes = Sizes {
            services: services.len().max(1) as u32,
            timeouts: 1,
            locals: (services.iter().map(|s| s.locals.len()).sum::<usize>() as u32).max(1),
            endpoints: TUNNELS,
            tunnel_sources: TUNNELS,
            backends,
            next_hops: backends + SPARE,
            ring_chunks: chunks as u32 + SPARE,
            halves4,
            halves6,
        };
        let mut datapath = Datapath::load(sizes, false)?;
        let settings = Settings {
            // Any will do; the same ones make a failure come again.
            keys: Keys::new(std::array::from_fn(|i| {
                0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(2 * i as u64 + 1)
            })),
            mask4: halves4 - 1,
            mask6: halves6 - 1,
            hz: HZ,
            endpoints: 0,
            ..Settings::NONE
        };
        let timeouts = [FOREVER; 16];
        datapath.set_settings(settings)?;
        datapath.set_timeouts(0, timeouts)?;
        datapath.set_interface(INGRESS, BALANCER_MAC, 1500)?;
        let mut rig = Self {
            stats: datapath.stats()?,
            flows: datapath.flows()?,
            notices: Notices::open(&datapath)?,
            datapath,
            settings,
            timeouts,
            services: Vec::new(),
            backends: vec!["nobody".to_owned()],
            next_hop: 1,
            next_chunk: 0,
            next_local: 0,
        };
        for spec in services {
            rig.add(spec)?;
        }
        Ok(rig)
    }

    fn add(&mut self, spec: &ServiceSpec) -> Result<()> {
        let service = self.services.len() as u32;
        self.services.push(spec.name.clone());
        for (number, local) in (self.next_local..).zip(&spec.locals) {
            self.datapath.set_local(number.into(), (*local).into())?;
        }
        let mut ids = Vec::new();
        let mut weights = Vec::new();
        for (n, backend) in (1..).zip(&spec.backends) {
            let id = self.backends.len() as u16;
            self.backends.push(format!("{}-{n}", spec.name));
            let next_hop = backend.hop.map_or(Ok(0), |hop| self.write_hop(hop))?;
            let address = backend.address.unwrap_or(spec.address);
            let entry = Backend {
                next_hop,
                service,
                address: address.ip().into(),
                port: address.port().to_be(),
                weight: backend.weight,
                mode: backend.mode as u8,
                family: Family::from(address.ip()) as u8,
                first_local: self.next_local,
                locals: spec.locals.len() as u16,
                first_port: *LOCAL_PORTS.start(),
                last_port: *LOCAL_PORTS.end(),
                entropy: backend.entropy,
                ..Backend::NONE
            };
            self.datapath.write_backend(id.into(), entry)?;
            // The kernel's list, which rings are laid out by, has the newest backend first.
            ids.insert(0, id);
            weights.insert(0, backend.weight);
        }
        self.next_local += spec.locals.len() as u16;
        let turns: Vec<u16> = match spec.scheduler {
            Scheduler::Rr => ring::plain(&weights).map(|i| ids[i]).collect(),
            Scheduler::Wrr => ring::weighted(&weights).map(|i| ids[i]).collect(),
        };
        let mut name = [0; NAME_LEN];
        name[..spec.name.len()].copy_from_slice(spec.name.as_bytes());
        let key = ServiceKey {
            address: spec.address.ip().into(),
            port: spec.address.port().to_be(),
            protocol: spec.protocol as u8,
            family: Family::from(spec.address.ip()) as u8,
        };
        let entry = Service {
            ring: self.write_ring(&turns)?.to_bits(),
            key,
            scheduler: spec.scheduler as u8,
            mid_stream: spec.mid_stream as u8,
            no_backend: spec.no_backend as u8,
            reserved: 0,
            name,
        };
        self.datapath.write_service(service, entry)?;
        self.datapath.publish_service(key, service)
    }

    fn write_hop(&mut self, hop: Hop) -> Result<u32> {
        let id = self.next_hop;
        self.next_hop += 1;
        self.datapath.write_next_hop(id, hop.entry())?;
        Ok(id)
    }

    fn write_ring(&mut self, turns: &[u16]) -> Result<Ring> {
        let ring = Ring {
            first: self.next_chunk * RING_CHUNK as u32,
            len: turns.len() as u32,
        };
        self.next_chunk += turns.len().div_ceil(RING_CHUNK) as u32;
        self.datapath.write_ring(ring, turns)?;
        Ok(ring)
    }

    /// Lets frames come by another interface with this MAC address, too: see [`Rig::walk_by`].
    pub fn add_interface(&mut self, index: u32, mac: [u8; 6]) -> Result<()> {
        self.datapath.set_interface(index, mac, 1500)
    }

    /// Has it tell senders what becomes of their packets, so often on each CPU: to all of them, and to one
    /// address. Until then nobody is told.
    pub fn allow_notices(&mut self, all: Rate, to_one: Rate) -> Result<()> {
        self.settings.notices = all;
        self.settings.notices_to_one = to_one;
        self.datapath.set_settings(self.settings)
    }

    /// Has it drop packets without "don't fragment" that are too big in silence, or not.
    pub fn set_quiet_without_df(&mut self, is_quiet: bool) -> Result<()> {
        self.settings.quiet_without_df = is_quiet.into();
        self.datapath.set_settings(self.settings)
    }

    /// Lets tunnels end at this address.
    pub fn end_tunnels(&mut self, at: IpAddr) -> Result<()> {
        self.settings.endpoints = 1;
        self.datapath.set_settings(self.settings)?;
        self.datapath.add_endpoint(at)
    }

    /// Pins the maps and the sweep program, as the director does.
    pub fn pin(&mut self, pins: &Pins) -> Result<()> {
        self.datapath.pin(pins)?;
        self.datapath.pin_programs(pins)
    }

    /// Sends a backend's frames behind another hop from now on, or nowhere.
    pub fn move_backend(&mut self, backend: &str, hop: Option<Hop>) -> Result<()> {
        let id = hop.map_or(Ok(0), |hop| self.write_hop(hop))?;
        let backend = position(&self.backends, backend)?;
        self.datapath.set_next_hop(backend, id)
    }

    /// Has the next flows of a service go to these backends of it, in turn.
    pub fn set_turns(&mut self, service: &str, backends: &[&str]) -> Result<()> {
        let ids = backends.iter().map(|name| position(&self.backends, name));
        let ids = ids.map(|id| Ok(id? as u16)).collect::<Result<Vec<_>>>()?;
        let ring = self.write_ring(&ids)?;
        let service = position(&self.services, service)?;
        self.datapath.set_ring(service, ring)
    }

    /// Gives every stage of a flow a timeout; until then they are longer than any test.
    pub fn set_timeouts(&mut self, timeouts: Timeouts) -> Result<()> {
        self.timeouts = timeouts;
        self.datapath.set_timeouts(0, timeouts)
    }

    /// Has flows of this stage end after so many ticks of silence from their next packet on; the others
    /// last.
    pub fn set_timeout(&mut self, stage: Stage, ticks: u32) -> Result<()> {
        let number = match stage {
            Stage::Tcp(state) => Word::of_tcp(state as u8),
            Stage::Udp => Word::UDP,
            Stage::Free | Stage::Busy => anyhow::bail!("{stage:?} is no stage of a flow"),
        };
        self.timeouts[usize::from(number)] = ticks;
        self.datapath.set_timeouts(0, self.timeouts)
    }

    /// What the program makes of a frame.
    pub fn walk(&self, frame: &[u8]) -> Result<(Xdp, Vec<u8>)> {
        let (verdict, after) = self.datapath.try_frame(frame)?;
        Ok((verdict_of(verdict)?, after))
    }

    /// What it makes of one that comes by the interface of this index, which there must be in the
    /// network namespace of the thread.
    pub fn walk_by(&self, interface: u32, frame: &[u8]) -> Result<(Xdp, Vec<u8>)> {
        // Of the kernel's `struct xdp_md`: data, data_end, data_meta, ingress_ifindex, rx_queue_index.
        let context = [0, frame.len() as u32, 0, interface, 0].map(u32::to_ne_bytes);
        let mut after = vec![0; frame.len() + 256];
        let result = self.datapath.program(PROGRAM)?.test_run(TestRunOptions {
            data_in: Some(frame),
            data_out: Some(&mut after),
            ctx_in: Some(context.as_flattened()),
            ..TestRunOptions::default()
        });
        let result = result.with_context(|| format!("no frame can come by {interface}"))?;
        after.truncate(result.data_size_out as usize);
        Ok((verdict_of(result.return_value)?, after))
    }

    /// The value of every counter now.
    pub fn state(&self) -> Result<State> {
        let mut state = State::default();
        let mut counters = |who: String, counters: Counters| {
            state.note(format!("{who}.packets"), counters.packets);
            state.note(format!("{who}.bytes"), counters.bytes);
            state.note(format!("{who}.connections"), counters.connections);
            state.note(format!("{who}.packets_out"), counters.packets_out);
            state.note(format!("{who}.bytes_out"), counters.bytes_out);
        };
        for reason in Reason::ALL {
            counters(
                format!("reason.{}", reason.as_str()),
                self.stats.reason(*reason)?,
            );
        }
        for (id, name) in (0..).zip(&self.services) {
            counters(format!("service.{name}"), self.stats.service(id)?);
        }
        for (id, name) in (0..).zip(&self.backends) {
            counters(format!("backend.{name}"), self.stats.backend(id)?);
        }
        for (id, name) in (0..).zip(&self.backends) {
            let load = self.stats.load(id)?;
            state.note(format!("load.{name}.active"), load.active.into());
            state.note(format!("load.{name}.inactive"), load.inactive.into());
        }
        for event in FlowEvent::ALL {
            state.note(
                format!("event.{}", event.as_str()),
                self.stats.event(event)?,
            );
        }
        for notice in Notice::ALL {
            // Told or not, the packet counts alike.
            if notice != Notice::Withheld {
                let count = self.notices.count(notice)?;
                state.note(format!("notice.{}", notice.as_str()), count);
            }
        }
        Ok(state)
    }

    /// How many senders were not told, since the rate does not allow it.
    pub fn withheld(&self) -> Result<u64> {
        self.notices.count(Notice::Withheld)
    }

    /// The flows in the table.
    pub fn flows(&self) -> Vec<Flow> {
        self.flows.flows().collect()
    }

    /// Name of the backend of a flow.
    pub fn backend_of(&self, flow: &Flow) -> &str {
        &self.backends[usize::from(flow.word.backend())]
    }

    /// Names of the backends.
    pub fn backends(&self) -> impl Iterator<Item = &str> {
        self.backends.iter().skip(1).map(String::as_str)
    }

    /// Runs a table row by row, and ends the test with everything there is to see at the first row of
    /// which something else came than it says.
    pub fn run(&self, table: impl IntoIterator<Item = Case>) {
        for case in table {
            if let Err(error) = self.check(&case) {
                unreachable!("{}: {error:#}", case.description);
            }
        }
    }

    fn check(&self, case: &Case) -> Result<()> {
        let before = self.state()?;
        let (verdict, after) = self.walk(&case.frame)?;
        let state = self.state()?;
        let changes = state.since(&before);
        let mut wrong = Vec::new();
        if verdict != case.verdict {
            wrong.push(format!("verdict {verdict:?} instead of {:?}", case.verdict));
        }
        if after != case.after {
            wrong.push(format!("the frame: {}", compare(&case.after, &after)));
        }
        if changes != case.changes {
            wrong.push(format!(
                "counters: {changes:?} instead of {:?}",
                case.changes
            ));
        }
        anyhow::ensure!(
            wrong.is_empty(),
            "\n{}\nframe in and out: {}counters now:\n{state}flows now: {:#?}",
            wrong.join("\n"),
            compare(&case.frame, &after),
            self.flows()
        );
        Ok(())
    }
}

fn verdict_of(number: u32) -> Result<Xdp> {
    let verdict = Xdp::ALL.get(number as usize).copied();
    verdict.context("a verdict that does not exist")
}

fn position(names: &[String], name: &str) -> Result<u32> {
    let found = names.iter().position(|known| known == name);
    Ok(found.with_context(|| format!("nothing is called {name}"))? as u32)
}

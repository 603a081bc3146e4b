//! The loaded programs, and runs of them.

use std::{ops::Sub, path::Path, process};

use anyhow::{Context as _, Result};
use aya::{
    Ebpf, EbpfLoader, Pod, TestRun as _, TestRunOptions, include_bytes_aligned,
    maps::{Array, MapData, ProgramArray},
    programs::Xdp,
};
use lvs_common::{
    Family, Reason,
    flow::WAYS,
    map::{FlowEvent, name},
};
use lvs_ctl::datapath::{Datapath, Pins, StatsReader};

use super::{
    cases::Program,
    machine::ProgramFacts,
    setup::{self, BACKENDS, SERVICE},
    traffic::{FRAME4, FRAME6, Traffic},
};

/// The eBPF object of `lvs-ebpf/src/bench`.
static OBJECT: &[u8] = include_bytes_aligned!(env!("LVS_BENCH_OBJECT"));

/// Elements of an LRU map per flow: the kernel evicts before a map is full, since it hands out free
/// elements to the CPUs in portions.
pub(super) const LRU_ELEMENTS_PER_FLOW: u32 = 2;
/// The fewest elements of an LRU map: the portions are of 128.
const LEAST_LRU_ELEMENTS: u32 = 4096;

// SAFETY: C layout, integers that fill it without padding.
unsafe impl Pod for Traffic {}

/// So many packets of some traffic.
#[derive(Clone, Copy, Debug)]
pub(super) struct Batch {
    pub(super) traffic: Traffic,
    pub(super) packets: u32,
}

/// What the programs have counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    /// Packets sent to a backend.
    pub(super) sent: u64,
    /// Packets for no service.
    pub(super) no_service: u64,
    /// Packets that went neither way.
    pub(super) other: u64,
    /// Flows that were opened.
    pub(super) connections: u64,
    /// Live flows that the data plane evicted; nobody counts an LRU map's.
    pub(super) evicted: u64,
    /// Of these, proven ones.
    pub(super) evicted_proven: u64,
}

impl Sub for Counts {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self {
            sent: self.sent - before.sent,
            no_service: self.no_service - before.no_service,
            other: self.other - before.other,
            connections: self.connections - before.connections,
            evicted: self.evicted - before.evicted,
            evicted_proven: self.evicted_proven - before.evicted_proven,
        }
    }
}

/// What a run showed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Outcome {
    /// Nanoseconds per packet, the harness included, as the kernel measured them.
    pub(super) nanoseconds: u32,
    /// Verdict on the last packet.
    pub(super) verdict: u32,
    /// What was counted meanwhile.
    pub(super) counts: Counts,
}

/// Both objects, with empty flow tables to begin with.
pub(super) struct Rig {
    family: Family,
    datapath: Datapath,
    stats: StatsReader,
    ebpf: Ebpf,
    target: ProgramArray<MapData>,
    traffic: Array<MapData, Traffic>,
    lru_elements: u32,
}

impl Rig {
    /// Loads everything for this many flows.
    pub(super) fn new(family: Family, flows: u32) -> Result<Self> {
        let datapath = setup::datapath(family, flows)?;
        let stats = datapath.stats()?;
        let lru_elements = (flows * LRU_ELEMENTS_PER_FLOW).max(LEAST_LRU_ELEMENTS);
        let mut ebpf = load_beside(&datapath, family, lru_elements)?;
        for program in ["harness4", "harness6", "null_tx", "lru", "lru_percpu"] {
            let loaded = xdp_mut(&mut ebpf, program)?.load();
            loaded.with_context(|| format!("cannot load the program {program}"))?;
        }
        let mut take = |map: &str| {
            let taken = ebpf.take_map(map);
            taken.with_context(|| format!("the object has no map {map}"))
        };
        Ok(Self {
            family,
            stats,
            target: take("TARGET")?.try_into()?,
            traffic: take("TRAFFIC")?.try_into()?,
            datapath,
            ebpf,
            lru_elements,
        })
    }

    /// Runs a program on a batch of packets.
    pub(super) fn run(&mut self, program: Program, batch: &Batch) -> Result<Outcome> {
        let fd = match program {
            Program::Lvs => self.datapath.program("lvs")?.fd()?,
            other => xdp(&self.ebpf, other.name())?.fd()?,
        };
        self.target.set(0, fd, 0).context("TARGET")?;
        self.traffic.set(0, batch.traffic, 0).context("TRAFFIC")?;
        let (harness, frame) = match self.family {
            Family::Ipv4 => ("harness4", [0; FRAME4].as_slice()),
            Family::Ipv6 => ("harness6", [0; FRAME6].as_slice()),
        };
        let before = self.counts()?;
        let result = xdp(&self.ebpf, harness)?.test_run(TestRunOptions {
            data_in: Some(frame),
            repeat: batch.packets,
            ..TestRunOptions::default()
        });
        let result = result.with_context(|| format!("cannot run {}", program.name()))?;
        Ok(Outcome {
            nanoseconds: u32::try_from(result.duration.as_nanos()).unwrap_or(u32::MAX),
            verdict: result.return_value,
            counts: self.counts()? - before,
        })
    }

    fn counts(&self) -> Result<Counts> {
        let stats = &self.stats;
        let mut counts = Counts {
            connections: stats.service(SERVICE)?.connections,
            evicted_proven: stats.event(FlowEvent::EvictedProven)?,
            ..Counts::default()
        };
        for reason in Reason::ALL {
            let packets = stats.reason(*reason)?.packets;
            match reason {
                Reason::Sent => counts.sent += packets,
                Reason::NoService => counts.no_service += packets,
                _ => counts.other += packets,
            }
        }
        for event in [
            FlowEvent::EvictedClosing,
            FlowEvent::EvictedHalfOpen,
            FlowEvent::EvictedYoung,
            FlowEvent::EvictedProven,
        ] {
            counts.evicted += stats.event(event)?;
        }
        Ok(counts)
    }

    /// Live flows of the data plane: as its counts of active and inactive flows say, and as a sweep
    /// finds.
    pub(super) fn flows(&self) -> Result<(u64, u64)> {
        let mut counted = 0;
        for backend in 1..=BACKENDS {
            let load = self.stats.load(backend.into())?;
            counted += u64::from(load.active) + u64::from(load.inactive);
        }
        Ok((counted, self.datapath.sweep()?.live))
    }

    /// Pins the data plane, for `lvs-ctl` to read it while the pins live; they and their `--pin-dir`.
    pub(super) fn pin(&mut self) -> Result<(Pins, String)> {
        let root = pin_dir();
        let pins = Pins::take(Path::new(&root))?;
        self.datapath.pin(&pins)?;
        self.datapath.pin_programs(&pins)?;
        Ok((pins, root))
    }

    /// The data plane.
    pub(super) fn datapath(&self) -> &Datapath {
        &self.datapath
    }

    /// How many flows a program can hold, at most.
    pub(super) fn capacity(&self, program: Program) -> u32 {
        let sizes = self.datapath.sizes();
        match (program, self.family) {
            (Program::NullTx, _) => 0,
            (Program::Lvs, Family::Ipv4) => sizes.halves4 * WAYS as u32,
            (Program::Lvs, Family::Ipv6) => sizes.halves6 * WAYS as u32,
            (Program::Lru | Program::LruPerCpu, _) => self.lru_elements,
        }
    }

    /// The facts about the programs that are compared.
    pub(super) fn facts(&self) -> Result<Vec<ProgramFacts>> {
        Ok(vec![
            ProgramFacts::of(self.datapath.program("lvs")?)?,
            ProgramFacts::of(xdp(&self.ebpf, "lru")?)?,
        ])
    }
}

/// A directory for pins that no other process has.
fn pin_dir() -> String {
    format!("/sys/fs/bpf/lvs-bench-{}", process::id())
}

/// Loads the benchmark's object with the maps of the data plane for its own, by way of pins.
fn load_beside(datapath: &Datapath, family: Family, lru_elements: u32) -> Result<Ebpf> {
    let pins = Pins::take(Path::new(&pin_dir()))?;
    datapath.pin(&pins)?;
    let mut loader = EbpfLoader::new();
    for map in name::ALL {
        loader.map_pin_path(map, pins.path(map));
    }
    let (common, per_cpu) = match family {
        Family::Ipv4 => ("LRU4", "LRU4_PERCPU"),
        Family::Ipv6 => ("LRU6", "LRU6_PERCPU"),
    };
    loader.map_max_entries(common, lru_elements);
    // Its elements are divided among the CPUs, and one does all the work here.
    let cpus = aya::util::nr_cpus().map_or(1, |cpus| cpus as u32);
    loader.map_max_entries(per_cpu, lru_elements * cpus);
    loader
        .load(OBJECT)
        .context("cannot load the benchmark's eBPF object")
}

fn xdp<'a>(ebpf: &'a Ebpf, name: &str) -> Result<&'a Xdp> {
    let program = ebpf.program(name);
    Ok(program
        .with_context(|| format!("the object has no program {name}"))?
        .try_into()?)
}

fn xdp_mut<'a>(ebpf: &'a mut Ebpf, name: &str) -> Result<&'a mut Xdp> {
    let program = ebpf.program_mut(name);
    Ok(program
        .with_context(|| format!("the object has no program {name}"))?
        .try_into()?)
}

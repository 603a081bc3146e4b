//! The loaded programs, and runs of them.

use std::{ops::Sub, path::Path, process};

use anyhow::{Context as _, Result};
use aya::EbpfLoader;
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
};
use crate::harness::{Batch, Harness};

/// Elements of an LRU map per flow: the kernel evicts before a map is full, since it hands out free
/// elements to the CPUs in portions.
pub(super) const LRU_ELEMENTS_PER_FLOW: u32 = 2;
/// The fewest elements of an LRU map: the portions are of 128.
const LEAST_LRU_ELEMENTS: u32 = 4096;

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
    harness: Harness,
    lru_elements: u32,
}

impl Rig {
    /// Loads everything for this many flows.
    pub(super) fn new(family: Family, flows: u32) -> Result<Self> {
        let datapath = setup::datapath(family, flows)?;
        let stats = datapath.stats()?;
        let lru_elements = (flows * LRU_ELEMENTS_PER_FLOW).max(LEAST_LRU_ELEMENTS);
        let harness = load_beside(&datapath, family, lru_elements)?;
        Ok(Self {
            family,
            datapath,
            stats,
            harness,
            lru_elements,
        })
    }

    /// Runs a program on a batch of packets.
    pub(super) fn run(&mut self, program: Program, batch: &Batch) -> Result<Outcome> {
        let target = match program {
            Program::Lvs => self.datapath.program("lvs")?,
            other => self.harness.program(other.name())?,
        };
        let target = target.fd()?.try_clone()?;
        self.harness.aim(&target)?;
        let before = self.counts()?;
        let ran = self.harness.run(self.family, batch);
        let ran = ran.with_context(|| format!("cannot run {}", program.name()))?;
        Ok(Outcome {
            nanoseconds: ran.nanoseconds,
            verdict: ran.verdict,
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
            ProgramFacts::of(self.harness.program("lru")?)?,
        ])
    }
}

/// A directory for pins that no other process has.
fn pin_dir() -> String {
    format!("/sys/fs/bpf/lvs-bench-{}", process::id())
}

/// Loads the benchmark's object with the maps of the data plane for its own, by way of pins.
fn load_beside(datapath: &Datapath, family: Family, lru_elements: u32) -> Result<Harness> {
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
    Harness::load(&mut loader, &["null_tx", "lru", "lru_percpu"])
}

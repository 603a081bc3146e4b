//! The program that stresses pairs of entries, in the tables of some data plane.

use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use aya::{
    Ebpf, EbpfLoader, TestRun as _, TestRunOptions, include_bytes_aligned,
    maps::{MapData, PerCpuArray},
    programs::Xdp,
};
use lvs_common::map::name;
use lvs_ebpf::host::AnyTuple;

use super::{
    request::{MOST, Outcome, Request},
    rest::Known,
    tables::Tables,
};

/// The eBPF object of `lvs-ebpf/src/stress`.
static OBJECT: &[u8] = include_bytes_aligned!(env!("LVS_STRESS_OBJECT"));

/// Families of both sides of the pairs that a CPU opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sides {
    /// IPv4 both.
    V4,
    /// IPv6 both.
    V6,
    /// IPv6 clients, IPv4 backends.
    V6ToV4,
}

impl Sides {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::V4, Self::V6, Self::V6ToV4];

    const fn program(self) -> &'static str {
        match self {
            Self::V4 => "stress44",
            Self::V6 => "stress66",
            Self::V6ToV4 => "stress64",
        }
    }
}

/// The loaded program, and the tables that it is at work in.
pub(crate) struct Pairs {
    ebpf: Ebpf,
    outcomes: PerCpuArray<MapData, u64>,
    tables: Tables,
    known: Known,
    backends: u32,
}

impl Pairs {
    /// Loads it with the maps for its own that are pinned there, and flows for that many backends.
    pub(crate) fn open(pin: impl Fn(&str) -> PathBuf, backends: u32) -> Result<Self> {
        let mut loader = EbpfLoader::new();
        for map in name::ALL {
            loader.map_pin_path(map, pin(map));
        }
        let mut ebpf = loader
            .load(OBJECT)
            .context("cannot load the eBPF object that stresses the flow table")?;
        for sides in Sides::ALL {
            let name = sides.program();
            let program = ebpf.program_mut(name);
            let program: &mut Xdp = program
                .with_context(|| format!("the object has no program {name}"))?
                .try_into()?;
            program
                .load()
                .with_context(|| format!("cannot load the program {name}"))?;
        }
        let outcomes = ebpf.take_map("OUTCOMES").context("no map OUTCOMES")?;
        Ok(Self {
            outcomes: outcomes.try_into()?,
            ebpf,
            tables: Tables::open(pin)?,
            known: Known::new(),
            backends,
        })
    }

    /// Does random operations on this CPU, in tables of so many half buckets; how many.
    pub(crate) fn run(&self, sides: Sides, halves: u32, seed: u64) -> Result<u64> {
        self.ask(sides, MOST, halves, seed)?;
        Ok(MOST.into())
    }

    /// Asks the program; yields the clock.
    fn ask(&self, sides: Sides, operations: u32, halves: u32, seed: u64) -> Result<u32> {
        let words = [operations, halves - 1, self.backends, 0];
        let mut question = [0; size_of::<Request>()];
        question[..8].copy_from_slice(&seed.to_ne_bytes());
        for (place, word) in question[8..].chunks_exact_mut(4).zip(words) {
            place.copy_from_slice(&word.to_ne_bytes());
        }
        let mut answer = question;
        let program: &Xdp = self
            .ebpf
            .program(sides.program())
            .context("no such program")?
            .try_into()?;
        let result = program.test_run(TestRunOptions {
            data_in: Some(&question),
            data_out: Some(&mut answer),
            ..TestRunOptions::default()
        });
        let len = result
            .context("cannot run the stress program")?
            .data_size_out;
        ensure!(len as usize == answer.len(), "an answer of {len} bytes");
        let mut now = [0; 4];
        now.copy_from_slice(&answer[answer.len() - 4..]);
        Ok(u32::from_ne_bytes(now))
    }

    /// How often each outcome came, since it was loaded.
    pub(super) fn outcomes(&self) -> Result<[u64; Outcome::ALL.len()]> {
        let mut sums = [0; Outcome::ALL.len()];
        for (sum, outcome) in sums.iter_mut().zip(Outcome::ALL) {
            let of_cpus = self.outcomes.get(&(outcome as u32), 0);
            *sum = of_cpus.context("OUTCOMES")?.iter().sum();
        }
        Ok(sums)
    }

    /// Packets and operations that met a flow of somebody else, since it was loaded.
    pub(crate) fn mixed(&self) -> Result<u64> {
        Ok(self.outcomes()?[Outcome::Mixed as usize])
    }

    /// Makes the tables as if they were never used.
    pub(super) fn empty(&mut self) -> Result<()> {
        self.tables.empty()
    }

    /// Checks the tables at rest; how many live entries there are. Tuples that are none of this program's
    /// must be of packets.
    pub(crate) fn check(&self, is_packets: impl Fn(&AnyTuple) -> bool) -> Result<u64> {
        let now = self.ask(Sides::V4, 0, 1, 0)?;
        let scan = self.tables.scan(now)?;
        self.known.check(&scan, self.backends, &is_packets)?;
        Ok(scan.flows.len() as u64)
    }
}

//! Frames made in the kernel: a harness program writes the headers of the next frame and calls the
//! program under test, and `BPF_PROG_TEST_RUN` repeats that by the million.

use anyhow::{Context as _, Result};
use aya::{
    Ebpf, EbpfLoader, Pod, TestRun as _, TestRunOptions, include_bytes_aligned,
    maps::{Array, MapData, ProgramArray},
    programs::{ProgramFd, Xdp},
};
use lvs_common::Family;

#[path = "../../lvs-ebpf/src/bench/traffic.rs"]
pub(crate) mod traffic;

use traffic::{FRAME4, FRAME6, Traffic};

/// The eBPF object of `lvs-ebpf/src/bench`.
static OBJECT: &[u8] = include_bytes_aligned!(env!("LVS_BENCH_OBJECT"));

// SAFETY: C layout, integers that fill it without padding.
unsafe impl Pod for Traffic {}

/// So many packets of some traffic.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Batch {
    pub(crate) traffic: Traffic,
    pub(crate) packets: u32,
}

/// What a run showed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ran {
    /// Nanoseconds per packet, the harness included, as the kernel measured them.
    pub(crate) nanoseconds: u32,
    /// Verdict on the last packet.
    pub(crate) verdict: u32,
}

/// The loaded object.
pub(crate) struct Harness {
    ebpf: Ebpf,
    target: ProgramArray<MapData>,
    traffic: Array<MapData, Traffic>,
}

impl Harness {
    /// The programs that write frames, alone.
    pub(crate) fn new() -> Result<Self> {
        Self::load(&mut EbpfLoader::new(), &[])
    }

    /// Loads the object as `loader` says, and of its programs these beside those that write frames.
    pub(crate) fn load(loader: &mut EbpfLoader<'_>, programs: &[&str]) -> Result<Self> {
        let loaded = loader.load(OBJECT);
        let mut ebpf = loaded.context("cannot load the benchmark's eBPF object")?;
        for program in ["harness4", "harness6"].iter().chain(programs) {
            let loaded = xdp_mut(&mut ebpf, program)?.load();
            loaded.with_context(|| format!("cannot load the program {program}"))?;
        }
        let mut take = |map: &str| {
            let taken = ebpf.take_map(map);
            taken.with_context(|| format!("the object has no map {map}"))
        };
        Ok(Self {
            target: take("TARGET")?.try_into()?,
            traffic: take("TRAFFIC")?.try_into()?,
            ebpf,
        })
    }

    /// A program of the object by its name.
    pub(crate) fn program(&self, name: &str) -> Result<&Xdp> {
        let program = self.ebpf.program(name);
        Ok(program
            .with_context(|| format!("the object has no program {name}"))?
            .try_into()?)
    }

    /// Puts this program under test. The kernel rewrites the harness for it, which takes milliseconds.
    pub(crate) fn aim(&mut self, target: &ProgramFd) -> Result<()> {
        self.target.set(0, target, 0).context("TARGET")
    }

    /// Runs a batch of packets of this family.
    pub(crate) fn run(&mut self, family: Family, batch: &Batch) -> Result<Ran> {
        self.traffic.set(0, batch.traffic, 0).context("TRAFFIC")?;
        let (harness, frame) = match family {
            Family::Ipv4 => ("harness4", [0; FRAME4].as_slice()),
            Family::Ipv6 => ("harness6", [0; FRAME6].as_slice()),
        };
        let result = self.program(harness)?.test_run(TestRunOptions {
            data_in: Some(frame),
            repeat: batch.packets,
            ..TestRunOptions::default()
        });
        let result = result.context("cannot run the harness")?;
        Ok(Ran {
            nanoseconds: u32::try_from(result.duration.as_nanos()).unwrap_or(u32::MAX),
            verdict: result.return_value,
        })
    }
}

fn xdp_mut<'a>(ebpf: &'a mut Ebpf, name: &str) -> Result<&'a mut Xdp> {
    let program = ebpf.program_mut(name);
    Ok(program
        .with_context(|| format!("the object has no program {name}"))?
        .try_into()?)
}

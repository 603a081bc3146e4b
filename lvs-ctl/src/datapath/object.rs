//! The eBPF object: its programs and maps by their names.

use anyhow::{Context as _, Result, anyhow, bail};
use aya::{
    Ebpf, EbpfLoader, include_bytes_aligned,
    maps::{Map, MapData, ProgramArray},
    programs::{ProgramError, Xdp},
};

/// The bytes, built from the crate lvs-ebpf.
static BYTES: &[u8] = include_bytes_aligned!(concat!(env!("OUT_DIR"), "/lvs"));

/// The object, with all of its maps and some of its programs in the kernel.
pub(super) struct Object {
    /// What aya knows of it.
    pub(super) ebpf: Ebpf,
}

impl Object {
    /// Loads `programs` of the object, and its maps: `entries` says how many entries those have that the
    /// object does not size itself. With `trace` the data plane logs every packet.
    ///
    /// # Errors
    /// If the kernel refuses; the message says why.
    pub(super) fn load(entries: &[(&str, u32)], trace: bool, programs: &[&str]) -> Result<Self> {
        let log_level = u8::from(trace) * 5;
        let mut loader = EbpfLoader::new();
        loader.override_global("AYA_LOG_LEVEL", &log_level, true);
        let is_traced = u8::from(trace);
        loader.override_global("TRACE", &is_traced, true);
        for (map, entries) in entries {
            loader.map_max_entries(map, *entries);
        }
        let ebpf = loader.load(BYTES).context("cannot load the eBPF object")?;
        let mut object = Self { ebpf };
        for program in programs {
            object
                .program_mut(program)?
                .load()
                .map_err(|error| refused(program, error))?;
        }
        Ok(object)
    }

    /// Puts a loaded program into a map of programs, for others to go on with.
    pub(super) fn chain(&mut self, map: &'static str, index: u32, program: &str) -> Result<()> {
        let fd = self.program(program)?.fd()?.try_clone()?;
        let programs = self.ebpf.map_mut(map).context(map)?;
        ProgramArray::try_from(programs)?
            .set(index, &fd, 0)
            .context(map)
    }

    /// A program.
    pub(super) fn program(&self, name: &str) -> Result<&Xdp> {
        let program = self.ebpf.program(name);
        Ok(program.with_context(|| no_program(name))?.try_into()?)
    }

    /// The same, to change it.
    pub(super) fn program_mut(&mut self, name: &str) -> Result<&mut Xdp> {
        let program = self.ebpf.program_mut(name);
        Ok(program.with_context(|| no_program(name))?.try_into()?)
    }

    /// A map.
    pub(super) fn map(&self, name: &str) -> Result<&Map> {
        self.ebpf
            .map(name)
            .with_context(|| format!("the object has no map {name}"))
    }

    /// Another handle of a map.
    pub(super) fn open(&self, name: &str) -> Result<Map> {
        let (Map::Array(data) | Map::HashMap(data) | Map::PerCpuArray(data) | Map::LpmTrie(data)) =
            self.map(name)?
        else {
            bail!("the map {name} is of a kind that is not expected");
        };
        let again = MapData::from_id(data.info()?.id()).and_then(Map::from_map_data);
        again.with_context(|| format!("cannot open the map {name}"))
    }
}

fn no_program(name: &str) -> String {
    format!("the object has no program {name}")
}

/// Why the kernel refused a program, with the end of the verifier's log.
fn refused(program: &str, error: ProgramError) -> anyhow::Error {
    match error {
        ProgramError::LoadError {
            io_error,
            verifier_log,
        } => {
            let log = verifier_log.to_string();
            let tail: Vec<&str> = log.lines().rev().take(20).collect();
            let tail: Vec<&str> = tail.into_iter().rev().collect();
            anyhow!(
                "the kernel refuses the program {program}: {io_error}\n{}\nLinux 6.1 or newer is \
                 needed; see the log above for what this kernel does not accept",
                tail.join("\n")
            )
        }
        error => anyhow::Error::new(error).context(format!("cannot load the program {program}")),
    }
}

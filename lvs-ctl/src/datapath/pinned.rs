//! The maps of a running director, for another process to read.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, Result};
use aya::{
    maps::{Array, Map, MapData},
    programs::Xdp,
};
use aya_obj::programs::XdpAttachType;
use lvs_common::{
    flow::Word,
    map::{Backend, Service, Settings, name},
};

use super::{
    counters::StatsReader,
    entry::Entry,
    flows::{Flow, FlowReader},
    flusher,
    mapped::Mapped,
    pins,
    sweeper::{self, Clock, Swept},
};

/// The pinned maps, opened for reading.
pub struct Pinned {
    directory: PathBuf,
    services: Mapped<Service>,
    backends: Mapped<Backend>,
    /// What was counted.
    pub stats: StatsReader,
}

impl Pinned {
    /// Opens the maps that a director has pinned below `root`.
    ///
    /// # Errors
    /// If there are none, or they cannot be read; the message says what to do.
    pub fn open(root: &Path) -> Result<Self> {
        let directory = pins::find(root)?;
        let take = |map: &str| open(&directory, map);
        Ok(Self {
            services: Mapped::new(&take(name::SERVICE)?, false).context(name::SERVICE)?,
            backends: Mapped::new(&take(name::BACKEND)?, false).context(name::BACKEND)?,
            stats: StatsReader::new(take)?,
            directory,
        })
    }

    /// Every service with its id, in the order of ids.
    pub fn services(&self) -> impl Iterator<Item = (u32, Service)> + '_ {
        let all =
            (0..self.services.len() as u32).filter_map(|id| Some((id, self.services.get(id)?)));
        all.filter(|(_, service)| service.key.family != 0)
    }

    /// Every backend with its id, in the order of ids.
    pub fn backends(&self) -> impl Iterator<Item = (u32, Backend)> + '_ {
        let all =
            (0..self.backends.len() as u32).filter_map(|id| Some((id, self.backends.get(id)?)));
        all.filter(|(_, backend)| backend.mode != 0)
    }

    /// Frees the expired flows, as the director does every second, so that what is read next is of
    /// this moment.
    ///
    /// # Errors
    /// If the kernel does not run the sweep program.
    pub fn sweep(&self) -> Result<Swept> {
        let Settings { mask4, mask6, .. } = self.settings()?;
        sweeper::sweep(&self.program(name::SWEEP)?, mask4 + 1, mask6 + 1)
    }

    /// Ends these flows, which were read from its table; how many were still there.
    ///
    /// # Errors
    /// If the kernel does not run the flush program.
    pub fn flush(&self, flows: impl Iterator<Item = Flow>) -> Result<u64> {
        flusher::flush(&self.program(name::FLUSH)?, flows)
    }

    /// The flow table, and what tells how long its flows still have.
    ///
    /// # Errors
    /// If a map cannot be opened, or the kernel does not run the sweep program, which tells the time.
    pub fn flows(&self) -> Result<Flows> {
        let settings = self.settings()?;
        Ok(Flows {
            clock: Clock::written(settings.hz)?,
            now: sweeper::now(&self.program(name::SWEEP)?)?,
            reader: FlowReader::new(|map| open(&self.directory, map))?,
        })
    }

    fn settings(&self) -> Result<Settings> {
        let settings: Array<MapData, Entry<Settings>> =
            open(&self.directory, name::SETTINGS)?.try_into()?;
        Ok(settings.get(&0, 0).context(name::SETTINGS)?.0)
    }

    fn program(&self, name: &str) -> Result<Xdp> {
        let path = self.directory.join(name);
        let program = Xdp::from_pin(&path, XdpAttachType::Interface);
        program.with_context(|| format!("cannot open the pinned program {}", path.display()))
    }
}

fn open(directory: &Path, map: &str) -> Result<Map> {
    let path = directory.join(map);
    MapData::from_pin(&path)
        .and_then(Map::from_map_data)
        .with_context(|| format!("cannot open the pinned map {}", path.display()))
}

/// The flow table at a moment.
pub struct Flows {
    reader: FlowReader,
    clock: Clock,
    now: u32,
}

impl Flows {
    /// Every live flow that has not expired and whose word is `wanted`, with the time of silence after
    /// which it does expire.
    pub fn iter<'a>(
        &'a self,
        wanted: impl Fn(Word) -> bool + Copy + 'a,
    ) -> impl Iterator<Item = (Flow, Duration)> + 'a {
        let flows = self.reader.flows_with(wanted);
        flows.filter_map(|flow| Some((flow, self.clock.time(self.left(flow.word)?))))
    }

    /// Ticks until the flow with this word expires; none if it has.
    fn left(&self, word: Word) -> Option<u32> {
        u32::try_from(word.left(self.now)).ok()
    }
}

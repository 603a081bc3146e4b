//! The maps of a running director, for another process to read.

use std::path::Path;

use anyhow::{Context as _, Result};
use aya::maps::{Map, MapData};
use lvs_common::map::{Backend, Service, name};

use super::{counters::StatsReader, mapped::Mapped, pins};

/// The pinned maps, opened for reading.
pub struct Pinned {
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
        let maps = pins::find(root)?;
        let take = |map: &str| -> Result<Map> {
            let path = maps.join(map);
            MapData::from_pin(&path)
                .and_then(Map::from_map_data)
                .with_context(|| format!("cannot open the pinned map {}", path.display()))
        };
        Ok(Self {
            services: Mapped::new(&take(name::SERVICE)?, false).context(name::SERVICE)?,
            backends: Mapped::new(&take(name::BACKEND)?, false).context(name::BACKEND)?,
            stats: StatsReader::new(take)?,
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
}

//! How often the program told a sender what became of its packet.

use anyhow::{Context as _, Result};
use aya::maps::{Map, MapData, MapInfo, PerCpuArray};
use lvs_common::map::{Notice, name};
use lvs_ctl::datapath::Datapath;

/// Name of the program that tells them.
const PROGRAM: &str = "slow";

/// The counters, over all CPUs.
pub(super) struct Notices(PerCpuArray<MapData, u64>);

impl Notices {
    /// Finds them among the maps of the loaded program.
    pub(super) fn open(datapath: &Datapath) -> Result<Self> {
        let info = datapath.program(PROGRAM)?.info()?;
        let ids = info.map_ids()?.context("the kernel names no maps")?;
        for id in ids {
            let map = MapInfo::from_id(id)?;
            if map.name() == name::NOTICES.as_bytes() {
                let map = Map::PerCpuArray(MapData::from_id(id)?);
                return Ok(Self(map.try_into()?));
            }
        }
        anyhow::bail!("{PROGRAM} counts nothing in {}", name::NOTICES)
    }

    /// How many there were.
    pub(super) fn count(&self, notice: Notice) -> Result<u64> {
        let counts = self.0.get(&(notice as u32), 0);
        let counts = counts.with_context(|| format!("count of {}", notice.as_str()))?;
        Ok(counts.iter().sum())
    }
}

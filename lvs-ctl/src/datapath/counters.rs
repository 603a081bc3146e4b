//! Reading what the data plane has counted.

use anyhow::{Context as _, Result};
use aya::maps::{Map, MapData, PerCpuArray};
use lvs_common::{
    Reason,
    map::{Counters, FlowEvent, Line, Notice, name},
};

use super::{entry::Entry, mapped::Mapped};

/// A backend's flows at a moment, as IPVS counts them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FlowCounts {
    /// Flows in an active state.
    pub active: u32,
    /// All others.
    pub inactive: u32,
}

/// Reads the counters and the load.
pub struct StatsReader {
    services: PerCpuArray<MapData, Entry<Counters>>,
    backends: PerCpuArray<MapData, Entry<Counters>>,
    reasons: PerCpuArray<MapData, Entry<Counters>>,
    events: PerCpuArray<MapData, u64>,
    notices: PerCpuArray<MapData, u64>,
    load: Mapped<Line>,
}

impl StatsReader {
    /// Opens the maps that `take` gives by their names.
    pub(super) fn new(mut take: impl FnMut(&str) -> Result<Map>) -> Result<Self> {
        Ok(Self {
            services: take(name::SERVICE_STATS)?.try_into()?,
            backends: take(name::BACKEND_STATS)?.try_into()?,
            reasons: take(name::REASON_STATS)?.try_into()?,
            events: take(name::FLOW_EVENTS)?.try_into()?,
            notices: take(name::NOTICES)?.try_into()?,
            load: Mapped::new(&take(name::LOAD)?, false).context(name::LOAD)?,
        })
    }

    /// What a service was sent, over all CPUs.
    ///
    /// # Errors
    /// If the kernel has no counters for it.
    pub fn service(&self, id: u32) -> Result<Counters> {
        sum(&self.services, id).with_context(|| format!("counters of service {id}"))
    }

    /// What a backend was sent, over all CPUs.
    ///
    /// # Errors
    /// If the kernel has no counters for it.
    pub fn backend(&self, id: u32) -> Result<Counters> {
        sum(&self.backends, id).with_context(|| format!("counters of backend {id}"))
    }

    /// Packets that left for this reason, over all CPUs.
    ///
    /// # Errors
    /// If the kernel has no counters for it.
    pub fn reason(&self, reason: Reason) -> Result<Counters> {
        sum(&self.reasons, reason as u32)
            .with_context(|| format!("counters of {}", reason.as_str()))
    }

    /// How often something happened in the flow table, over all CPUs.
    ///
    /// # Errors
    /// If the kernel has no count of it.
    pub fn event(&self, event: FlowEvent) -> Result<u64> {
        count(&self.events, event as u32).with_context(|| format!("count of {}", event.as_str()))
    }

    /// How many such messages the data plane itself has sent, or withheld, over all CPUs.
    ///
    /// # Errors
    /// If the kernel has no count of them.
    pub fn notice(&self, notice: Notice) -> Result<u64> {
        let found = count(&self.notices, notice as u32);
        found.with_context(|| format!("count of notices {}", notice.as_str()))
    }

    /// A backend's flows now.
    ///
    /// # Errors
    /// If there is no such backend.
    pub fn load(&self, backend: u32) -> Result<FlowCounts> {
        let line = self
            .load
            .get(backend)
            .with_context(|| format!("load of backend {backend}"))?;
        Ok(FlowCounts {
            active: (line[0] >> 32) as u32,
            inactive: line[0] as u32,
        })
    }
}

fn count(map: &PerCpuArray<MapData, u64>, id: u32) -> Result<u64> {
    Ok(map.get(&id, 0)?.iter().sum())
}

fn sum(map: &PerCpuArray<MapData, Entry<Counters>>, id: u32) -> Result<Counters> {
    let counters = map.get(&id, 0)?;
    Ok(counters
        .iter()
        .fold(Counters::ZERO, |sum, cpu| sum.plus(cpu.0)))
}

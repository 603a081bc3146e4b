//! `lvs-ctl stats`.

mod table;

use std::{collections::BTreeMap, io::Write, path::Path, process::ExitCode};

use anyhow::{Context as _, Result};
use lvs_common::{
    ForwardingMode, Protocol, Reason, Scheduler,
    map::{Counters, FlowEvent, Notice},
};
use serde::Serialize;

use super::{Output, names};
use crate::datapath::{FlowCounts, Pinned};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// How to print them
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
}

/// What `stats -o json` prints. Fields are only ever added within a version.
#[derive(Debug, Serialize)]
struct Stats {
    version: u32,
    services: Vec<ServiceStats>,
    reasons: Vec<ReasonStats>,
    flow_events: BTreeMap<&'static str, u64>,
    notices: BTreeMap<&'static str, u64>,
}

#[derive(Debug, Serialize)]
struct ServiceStats {
    name: String,
    protocol: &'static str,
    address: String,
    scheduler: &'static str,
    #[serde(flatten)]
    counts: Counts,
    backends: Vec<BackendStats>,
}

#[derive(Debug, Serialize)]
struct BackendStats {
    address: String,
    mode: &'static str,
    weight: u16,
    state: &'static str,
    #[serde(flatten)]
    counts: Counts,
}

#[derive(Clone, Copy, Debug, Serialize)]
struct Counts {
    active: u64,
    inactive: u64,
    connections: u64,
    packets: u64,
    bytes: u64,
    packets_out: u64,
    bytes_out: u64,
}

#[derive(Debug, Serialize)]
struct ReasonStats {
    name: &'static str,
    verdict: &'static str,
    packets: u64,
    bytes: u64,
}

impl Counts {
    fn new(counters: Counters, flows: FlowCounts) -> Self {
        Self {
            active: flows.active.into(),
            inactive: flows.inactive.into(),
            connections: counters.connections,
            packets: counters.packets,
            bytes: counters.bytes,
            packets_out: counters.packets_out,
            bytes_out: counters.bytes_out,
        }
    }
}

pub(super) fn run(args: &Args, pin_dir: &Path, out: &mut impl Write) -> Result<ExitCode> {
    let pinned = Pinned::open(pin_dir)?;
    pinned.sweep()?;
    let stats = read(&pinned)?;
    match args.output {
        Output::Json => writeln!(out, "{}", serde_json::to_string_pretty(&stats)?)?,
        Output::Table => write!(out, "{}", table::render(&stats))?,
    }
    Ok(ExitCode::SUCCESS)
}

fn read(pinned: &Pinned) -> Result<Stats> {
    let mut backends: BTreeMap<u32, Vec<BackendStats>> = BTreeMap::new();
    for (id, backend) in pinned.backends() {
        let mode = ForwardingMode::from_number(backend.mode).context("an unknown mode")?;
        backends
            .entry(backend.service)
            .or_default()
            .push(BackendStats {
                address: names::socket_address(backend.address, backend.family, backend.port)?
                    .to_string(),
                mode: mode.as_str(),
                weight: backend.weight,
                state: if backend.next_hop == 0 {
                    "unreachable"
                } else {
                    "up"
                },
                counts: Counts::new(pinned.stats.backend(id)?, pinned.stats.load(id)?),
            });
    }
    let mut services = Vec::new();
    for (id, service) in pinned.services() {
        let backends = backends.remove(&id).unwrap_or_default();
        let scheduler = Scheduler::from_number(service.scheduler).context("unknown scheduler")?;
        let protocol = Protocol::from_number(service.key.protocol).context("unknown protocol")?;
        let mut counts = Counts::new(pinned.stats.service(id)?, FlowCounts::default());
        counts.active = backends.iter().map(|backend| backend.counts.active).sum();
        counts.inactive = backends.iter().map(|backend| backend.counts.inactive).sum();
        services.push(ServiceStats {
            name: names::service(&service),
            protocol: protocol.as_str(),
            address: names::socket_address(
                service.key.address,
                service.key.family,
                service.key.port,
            )?
            .to_string(),
            scheduler: scheduler.as_str(),
            counts,
            backends,
        });
    }
    let mut reasons = Vec::new();
    for reason in Reason::ALL {
        let counters = pinned.stats.reason(*reason)?;
        reasons.push(ReasonStats {
            name: reason.as_str(),
            verdict: reason.verdict().as_str(),
            packets: counters.packets,
            bytes: counters.bytes,
        });
    }
    let mut flow_events = BTreeMap::new();
    for event in FlowEvent::ALL {
        flow_events.insert(event.as_str(), pinned.stats.event(event)?);
    }
    let mut notices = BTreeMap::new();
    for notice in Notice::ALL {
        notices.insert(notice.as_str(), pinned.stats.notice(notice)?);
    }
    Ok(Stats {
        version: 1,
        services,
        reasons,
        flow_events,
        notices,
    })
}

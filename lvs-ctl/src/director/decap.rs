//! Taking packets out of tunnels on a machine that does not balance: a backend whose kernel has no tunnel
//! device.

use std::net::IpAddr;

use anyhow::{Context as _, Result};
use lvs_common::{Reason, Verdict};
use tokio::runtime::Builder;

use super::{endpoint, interfaces, offloads::Purpose, privileges, stop::Stop};
use crate::{
    config::{Prefix, XdpMode},
    datapath::{Decap, StatsReader},
};

/// Which tunnels end where.
#[derive(Clone, Debug)]
pub struct Options {
    /// The interfaces that they come by; at least one, each once.
    pub interfaces: Vec<String>,
    /// The addresses that they end at; at least one, each once.
    pub endpoints: Vec<IpAddr>,
    /// Where they may come from; at least one, each once.
    pub from: Vec<Prefix>,
    /// How the program is attached.
    pub xdp: XdpMode,
}

/// What became of tunnels, over the life of the program.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Packets that were taken out of one.
    pub taken_out: u64,
    /// Packets that were dropped, by the reasons that occurred.
    pub refused: Vec<(Reason, u64)>,
}

/// Takes packets out of tunnels until the process is told to stop; then nothing of it is left.
///
/// # Errors
/// If it cannot start, with nothing attached.
pub fn run(options: &Options) -> Result<Outcome> {
    privileges::check()?;
    let runtime = Builder::new_current_thread().enable_all().build();
    runtime
        .context("cannot start the event loop")?
        .block_on(take_out(options))
}

async fn take_out(options: &Options) -> Result<Outcome> {
    let mut stop = Stop::new()?;
    let found = interfaces::find(&options.interfaces, options.xdp).await?;
    let from: Vec<_> = options
        .from
        .iter()
        .map(|prefix| (prefix.address(), prefix.bits()))
        .collect();
    let mut decap = Decap::load(&options.endpoints, &from)?;
    endpoint::warn_of_missing(&options.endpoints).await?;
    endpoint::warn_of_host(&options.interfaces, &options.endpoints).await?;
    interfaces::attach(
        &mut decap.attacher(),
        &found,
        options.xdp,
        Purpose::TakesOut,
    )?;
    let endpoints: Vec<_> = options.endpoints.iter().map(ToString::to_string).collect();
    log::info!(
        "taking packets out of tunnels to {} on {}",
        endpoints.join(", "),
        interfaces::names(&found)
    );
    stop.told().await;
    outcome(&decap.stats()?)
}

fn outcome(stats: &StatsReader) -> Result<Outcome> {
    let mut refused = Vec::new();
    for reason in Reason::ALL {
        let packets = stats.reason(*reason)?.packets;
        if reason.verdict() == Verdict::Drop && packets > 0 {
            refused.push((*reason, packets));
        }
    }
    Ok(Outcome {
        taken_out: stats.reason(Reason::Decapsulated)?.packets,
        refused,
    })
}

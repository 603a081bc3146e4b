//! The director: the only writer of the configuration maps.
//!
//! It owns the loaded data plane for as long as it runs, follows the kernel's routes and neighbours,
//! and sweeps the flow table.

pub mod decap;
mod endpoint;
mod fleet;
mod interfaces;
mod links;
mod offloads;
mod pressure;
mod privileges;
mod reach;
mod refusal;
mod room;
mod routing;
mod settings;
mod sockets;
mod stop;

use std::{path::PathBuf, time::Duration};

use anyhow::{Context as _, Result};
use tokio::{
    runtime::Builder,
    time::{MissedTickBehavior, interval},
};

use crate::{
    config::Config,
    datapath::{Datapath, PacketLog, Pins},
    net::Resolver,
};
use fleet::Fleet;
use offloads::Purpose;
use pressure::Pressure;
use stop::Stop;

/// How long backends and routers may take to answer before the director starts without them.
const SETTLE: Duration = Duration::from_secs(1);

/// How often expired flows are freed: each has left within a second of its time.
const SWEEP: Duration = Duration::from_millis(900);

/// How a director is to run.
#[derive(Clone, Debug)]
pub struct Options {
    /// The directory of its pins.
    pub pin_dir: PathBuf,
    /// Whether the data plane logs every packet.
    pub trace: bool,
}

/// Runs a configuration until the process is told to stop; then nothing of it is left.
///
/// # Errors
/// If it cannot start, with nothing attached; or if the kernel stops answering.
pub fn run(config: &Config, options: &Options) -> Result<()> {
    privileges::check()?;
    let runtime = Builder::new_current_thread().enable_all().build();
    runtime
        .context("cannot start the event loop")?
        .block_on(direct(config, options))
}

async fn direct(config: &Config, options: &Options) -> Result<()> {
    let mut stop = Stop::new()?;
    let interfaces = interfaces::find(&config.interfaces, config.xdp).await?;
    let pins = Pins::take(&options.pin_dir)?;
    let mut fleet = Fleet::new(config)?;
    let mut datapath = Datapath::load(fleet.sizes(), options.trace)?;
    log::info!("{}", settings::table(config.flows, fleet.sizes()));
    settings::write(&mut datapath, config, fleet.timeouts())?;
    fleet.write(&mut datapath)?;
    sockets::warn(config);
    routing::tell_of_forwarding(config);
    if let Some(decap) = &config.decap {
        endpoint::warn_of_missing(&decap.endpoints).await?;
    }
    let mut resolver = Resolver::new(fleet.targets()).await?;
    resolver.keep_routers(interfaces::indices(&interfaces))?;
    let outcome = async {
        // Told to stop while it waits for backends: nothing is attached yet.
        let found = tokio::select! {
            found = resolver.settle(SETTLE) => found?,
            () = stop.told() => return Ok(()),
        };
        for change in found {
            fleet.resolve(&mut datapath, &change)?;
        }
        datapath.pin(&pins)?;
        datapath.pin_programs(&pins)?;
        interfaces::attach(
            &mut datapath.attacher(),
            &interfaces,
            config.xdp,
            Purpose::of(config),
        )?;
        log::info!(
            "forwarding {} on {}",
            fleet.summary(),
            interfaces::names(&interfaces)
        );
        serve(
            &mut datapath,
            &mut fleet,
            &mut resolver,
            &mut stop,
            options.trace,
        )
        .await
    }
    .await;
    drop(datapath);
    let released = resolver
        .release()
        .await
        .context("cannot restore the neighbour table");
    outcome.and(released)
}

/// Follows the network and sweeps, until told to stop.
async fn serve(
    datapath: &mut Datapath,
    fleet: &mut Fleet,
    resolver: &mut Resolver,
    stop: &mut Stop,
    trace: bool,
) -> Result<()> {
    let mut sweep = interval(SWEEP);
    sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let stats = datapath.stats()?;
    let mut pressure = Pressure::default();
    let mut log = if trace {
        Some(datapath.packet_log()?)
    } else {
        None
    };
    loop {
        tokio::select! {
            () = stop.told() => return Ok(()),
            changes = resolver.changed() => {
                for change in changes? {
                    fleet.resolve(datapath, &change)?;
                }
            }
            _ = sweep.tick() => {
                let swept = datapath.sweep()?;
                log::trace!("swept {} flows, {} are left", swept.retired, swept.live);
                pressure.watch(&stats, swept)?;
            }
            passed_on = pass_on(&mut log) => passed_on?,
        }
    }
}

/// Passes on what the data plane has logged, once there is something.
async fn pass_on(log: &mut Option<PacketLog>) -> Result<()> {
    match log {
        Some(log) => log.pass_on().await,
        None => std::future::pending().await,
    }
}

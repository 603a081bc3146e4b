//! The director: the only writer of the configuration maps.
//!
//! It owns the loaded data plane for as long as it runs, follows the kernel's routes and neighbours,
//! and sweeps the flow table.

mod fleet;
mod interfaces;
mod privileges;
mod settings;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, Result};
use tokio::{
    io::unix::AsyncFd,
    signal::unix::{SignalKind, signal},
    time::{MissedTickBehavior, interval},
};

use crate::{
    config::Config,
    datapath::{Datapath, Pins},
    net::Resolver,
};
use fleet::Fleet;

/// How long backends may take to answer before the director starts without them.
const SETTLE: Duration = Duration::from_secs(1);

/// How often expired flows are freed.
const SWEEP: Duration = Duration::from_secs(1);

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
#[tokio::main(flavor = "current_thread")]
pub async fn run(config: &Config, options: &Options) -> Result<()> {
    privileges::check()?;
    let mut stop = Stop::new()?;
    let interfaces = interfaces::find(&config.interfaces).await?;
    let pins = Pins::take(&options.pin_dir)?;
    let mut fleet = Fleet::new(config)?;
    let mut datapath = Datapath::load(fleet.sizes(), options.trace)?;
    datapath.set_settings(settings::of(config, &datapath)?)?;
    fleet.write(&mut datapath)?;
    let mut resolver = Resolver::new(fleet.addresses()).await?;
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
        interfaces::attach(&mut datapath, &interfaces, config.xdp)?;
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
    let mut logger = if trace {
        Some(AsyncFd::new(datapath.logger()?)?)
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
            }
            ready = readable(&mut logger) => ready?,
        }
    }
}

/// Passes on what the data plane has logged, once there is something.
async fn readable<L: std::os::fd::AsRawFd + Flush>(logger: &mut Option<AsyncFd<L>>) -> Result<()> {
    match logger {
        None => std::future::pending().await,
        Some(logger) => {
            let mut ready = logger.readable_mut().await?;
            ready.get_inner_mut().flush();
            ready.clear_ready();
            Ok(())
        }
    }
}

/// A source of log records that are passed on by calling it.
trait Flush {
    fn flush(&mut self);
}

impl<T: log::Log> Flush for aya_log::EbpfLogger<T> {
    fn flush(&mut self) {
        Self::flush(self);
    }
}

/// The signals that end a director: Ctrl-C, `kill`, and the terminal's end.
struct Stop {
    signals: [tokio::signal::unix::Signal; 3],
}

impl Stop {
    fn new() -> Result<Self> {
        let listen = |kind| signal(kind).context("cannot listen for signals");
        Ok(Self {
            signals: [
                listen(SignalKind::interrupt())?,
                listen(SignalKind::terminate())?,
                listen(SignalKind::hangup())?,
            ],
        })
    }

    /// Waits for one of them.
    async fn told(&mut self) {
        let [interrupt, terminate, hangup] = &mut self.signals;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    }
}

/// The directory of pins, as a path.
impl Options {
    /// Options of a director with pins in this directory.
    pub fn new(pin_dir: &Path) -> Self {
        Self {
            pin_dir: pin_dir.to_path_buf(),
            trace: false,
        }
    }
}

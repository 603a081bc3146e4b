//! The real `lvs-ctl decap`: the end of tunnels on a backend.

use std::net::IpAddr;

use anyhow::{Result, ensure};
use nix::sys::signal::Signal;

use super::bpffs::PinDir;
use super::daemon::{Daemon, PATIENCE, lvs_ctl};
use super::host::Host;

/// A running `lvs-ctl decap`; dropping it kills it and removes its pins.
///
/// Start it on a thread that outlives it: it is told to end when that thread does.
#[derive(Debug)]
pub struct Decapsulator {
    daemon: Daemon,
    _pins: PinDir,
}

impl Decapsulator {
    /// Runs it on a machine, which then takes packets for its own addresses out of tunnels from these.
    pub fn start(host: &Host, from: &[IpAddr]) -> Result<Self> {
        let from: Vec<String> = from.iter().map(ToString::to_string).collect();
        Self::of(host, &[host.ipv4.into(), host.ipv6.into()], &from)
    }

    /// The same for any endpoints, from any addresses or prefixes.
    pub fn of(host: &Host, endpoints: &[IpAddr], from: &[String]) -> Result<Self> {
        let pins = PinDir::new()?;
        let mut command = host
            .namespace
            .command_dying_by(&lvs_ctl()?, Signal::SIGTERM);
        command.args(["decap", "--interface", host.device]);
        for endpoint in endpoints {
            command.args(["--endpoint", &endpoint.to_string()]);
        }
        for source in from {
            command.args(["--from", source]);
        }
        command.arg("--pin-dir").arg(pins.path());
        let mut daemon = Daemon::start(&mut command)?;
        daemon.wait_until("lvs-ctl to attach", PATIENCE, |_| host.has_xdp(host.device))?;
        Ok(Self {
            daemon,
            _pins: pins,
        })
    }

    /// Everything it has said so far.
    pub fn said(&self) -> String {
        self.daemon.said()
    }

    /// Ends it as Ctrl-C does; yields everything it has said.
    pub fn stop(mut self) -> Result<String> {
        self.daemon.signal(Signal::SIGINT)?;
        let status = self.daemon.wait()?;
        ensure!(status.success(), "lvs-ctl decap ended with {status}");
        Ok(self.said())
    }
}

//! The real `lvs-ctl`, run on the balancer of a lab.

use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use nix::sys::signal::Signal;
use nix::unistd::Pid;
use tempfile::TempDir;

use super::bpffs::PinDir;
use super::command::{self, Outcome};
use super::daemon::{Daemon, PATIENCE, lvs_ctl};
use super::leftovers;
use super::namespace::Namespace;
use super::stats::Stats;

/// A running `lvs-ctl run`; dropping it kills it and removes its pins.
///
/// Start it on a thread that outlives it: it is told to end when that thread does.
#[derive(Debug)]
pub struct Director {
    daemon: Daemon,
    namespace: Namespace,
    program: String,
    pins: PinDir,
    _files: TempDir,
}

impl Director {
    /// Runs `lvs-ctl run` with this configuration and waits until it forwards.
    pub fn start(namespace: &Namespace, yaml: &str) -> Result<Self> {
        let mut director = Self::launch(namespace, yaml)?;
        director.wait_until_forwarding(|| false)?;
        Ok(director)
    }

    /// The same, with the data plane logging every packet.
    pub fn start_tracing(namespace: &Namespace, yaml: &str) -> Result<Self> {
        let mut director = Self::launch_with(namespace, yaml, &["--trace"])?;
        director.wait_until_forwarding(|| false)?;
        Ok(director)
    }

    /// Runs `lvs-ctl run` with this configuration and doesn't wait.
    pub fn launch(namespace: &Namespace, yaml: &str) -> Result<Self> {
        Self::launch_with(namespace, yaml, &[])
    }

    fn launch_with(namespace: &Namespace, yaml: &str, options: &[&str]) -> Result<Self> {
        let program = lvs_ctl()?;
        let pins = PinDir::new()?;
        let (files, config) = config_file(yaml)?;
        // SIGTERM and not SIGKILL: the director can still remove its pins when the lab is killed.
        let mut command = namespace.command_dying_by(&program, Signal::SIGTERM);
        command
            .args(["run", "-c"])
            .arg(&config)
            .arg("--pin-dir")
            .arg(pins.path())
            .args(options);
        Ok(Self {
            daemon: Daemon::start(&mut command)?,
            namespace: namespace.clone(),
            program,
            pins,
            _files: files,
        })
    }

    /// Runs `lvs-ctl run` with a configuration that it has to refuse, and returns how it ended.
    ///
    /// An error if it is still running after a while, or if it left pins.
    pub fn refusal(namespace: &Namespace, yaml: &str) -> Result<Outcome> {
        let pins = PinDir::new()?;
        let (_files, config) = config_file(yaml)?;
        let mut command = namespace.command_dying_by(&lvs_ctl()?, Signal::SIGTERM);
        command
            .args(["run", "-c"])
            .arg(&config)
            .arg("--pin-dir")
            .arg(pins.path());
        let outcome = command::outcome(&mut command, PATIENCE)?;
        ensure!(
            !pins.path().exists(),
            "lvs-ctl left its pins in {}; it said: {}",
            pins.path().display(),
            outcome.stderr
        );
        Ok(outcome)
    }

    /// Waits until it says that it forwards, or `stop` holds; an error if it ends instead.
    pub fn wait_until_forwarding(&mut self, stop: impl Fn() -> bool) -> Result<()> {
        self.daemon
            .wait_until("lvs-ctl to forward", PATIENCE, |said| {
                Ok(stop() || said.contain("forwarding"))
            })
    }

    /// Waits until a line of its output contains `words`.
    pub fn wait_for(&mut self, words: &str, deadline: Duration) -> Result<()> {
        self.daemon
            .wait_until(&format!("lvs-ctl to say \"{words}\""), deadline, |said| {
                Ok(said.contain(words))
            })
    }

    /// Everything it has said so far, on either output.
    pub fn said(&self) -> String {
        self.daemon.said()
    }

    /// Its process.
    pub fn pid(&self) -> Pid {
        self.daemon.pid()
    }

    /// Where its maps and its link are pinned.
    pub fn pin_dir(&self) -> &Path {
        self.pins.path()
    }

    /// `lvs-ctl` with these arguments and this director's `--pin-dir`, on the same machine.
    pub fn ctl(&self, arguments: &[&str]) -> Command {
        let mut command = self.namespace.command(&self.program);
        command.args(arguments).arg("--pin-dir").arg(self.pin_dir());
        command
    }

    /// The counters, read by another process.
    pub fn stats(&self) -> Result<Stats> {
        Stats::parse(&command::output(&mut self.ctl(&["stats", "-o", "json"]))?)
    }

    /// The table that a person sees.
    pub fn stats_table(&self) -> Result<String> {
        command::output(&mut self.ctl(&["stats"]))
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        self.daemon.signal(signal)
    }

    /// Waits until it has ended; then all of its output has been read.
    pub fn wait(&mut self) -> Result<ExitStatus> {
        self.daemon.wait()
    }

    /// Ctrl-C, then waits for the end.
    pub fn stop(&mut self) -> Result<ExitStatus> {
        self.signal(Signal::SIGINT)?;
        self.wait()
    }
}

/// Writes a configuration where any user can read it.
fn config_file(yaml: &str) -> Result<(TempDir, PathBuf)> {
    leftovers::sweep(&env::temp_dir())?;
    let files = TempDir::with_prefix(leftovers::prefix())
        .context("could not make a temporary directory")?;
    let config = files.path().join("lvs.yaml");
    fs::set_permissions(files.path(), fs::Permissions::from_mode(0o755))
        .and_then(|()| fs::write(&config, yaml))
        .with_context(|| format!("could not write {}", config.display()))?;
    Ok((files, config))
}

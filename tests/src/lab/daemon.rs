//! `lvs-ctl` as a process that runs until it is told to end, and what it says meanwhile.

use std::env;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::command;
use super::lines::Lines;
use super::wait;

/// How long a daemon may take to be at work, and to end.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

/// A running `lvs-ctl`; dropping it kills it.
#[derive(Debug)]
pub(super) struct Daemon {
    child: Child,
    status: Option<ExitStatus>,
    said: Lines,
    readers: Vec<JoinHandle<()>>,
}

impl Daemon {
    /// Starts it and collects what it says.
    pub(super) fn start(command: &mut Command) -> Result<Self> {
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command
            .spawn()
            .with_context(|| format!("could not start `{}`", command::shown(command)))?;
        let said = Lines::default();
        let readers = [
            child.stdout.take().map(|pipe| said.read_from(pipe)),
            child.stderr.take().map(|pipe| said.read_from(pipe)),
        ]
        .into_iter()
        .flatten()
        .collect();
        Ok(Self {
            child,
            status: None,
            said,
            readers,
        })
    }

    /// Waits until `condition` holds, which sees what was said so far; an error if the daemon ends before.
    pub(super) fn wait_until(
        &mut self,
        what: &str,
        deadline: Duration,
        mut condition: impl FnMut(&Lines) -> Result<bool>,
    ) -> Result<()> {
        wait::until(what, deadline, || {
            // First: when it has ended, all that it said has been read.
            let ended = self.try_wait()?;
            if condition(&self.said)? {
                return Ok(true);
            }
            match ended {
                Some(status) => bail!("waited for {what}, but lvs-ctl ended with {status}"),
                None => Ok(false),
            }
        })
        .map_err(|error| self.with_its_words(&error))
    }

    /// Everything it has said so far, on either output.
    pub(super) fn said(&self) -> String {
        self.said.text()
    }

    /// An error about this daemon, and all that it said itself.
    fn with_its_words(&self, error: &anyhow::Error) -> anyhow::Error {
        match self.said().trim_end() {
            "" => anyhow!("{error:#}; lvs-ctl said nothing"),
            said => anyhow!("{error:#}; lvs-ctl said:\n{said}"),
        }
    }

    /// Its process.
    pub(super) fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().cast_signed())
    }

    /// Sends it a signal.
    pub(super) fn signal(&self, signal: Signal) -> Result<()> {
        kill(self.pid(), signal).with_context(|| format!("could not send {signal} to lvs-ctl"))
    }

    /// Waits until it has ended; then all of its output has been read.
    pub(super) fn wait(&mut self) -> Result<ExitStatus> {
        let mut ended = None;
        wait::until("lvs-ctl to end", PATIENCE, || {
            ended = self.try_wait()?;
            Ok(ended.is_some())
        })
        .map_err(|error| self.with_its_words(&error))?;
        ended.context("lvs-ctl has no exit status")
    }

    /// How it ended, if it has; then all of its output has been read.
    fn try_wait(&mut self) -> Result<Option<ExitStatus>> {
        if self.status.is_none() {
            self.status = self
                .child
                .try_wait()
                .context("could not wait for lvs-ctl")?;
        }
        if self.status.is_some() {
            for reader in self.readers.drain(..) {
                reader
                    .join()
                    .ok()
                    .context("the reader of lvs-ctl's output panicked")?;
            }
        }
        Ok(self.status)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // Only a child that hasn't been waited for still owns its process id.
        if self.status.is_none()
            && let Err(error) = self.child.kill().and_then(|()| self.child.wait())
        {
            eprintln!("lab: could not kill lvs-ctl: {error}");
        }
    }
}

/// The `lvs-ctl` to test: `$LVS_CTL`, or the one built beside this executable.
pub fn lvs_ctl() -> Result<String> {
    let path = if let Some(path) = env::var_os("LVS_CTL") {
        PathBuf::from(path)
    } else {
        let this = env::current_exe().context("could not find out where this executable is")?;
        // Tests are one level deeper, in deps.
        let beside = this
            .ancestors()
            .skip(1)
            .take(2)
            .map(|dir| dir.join("lvs-ctl"));
        beside.into_iter().find(|path| path.is_file()).with_context(|| {
            format!(
                "no lvs-ctl beside {}: build it (cargo build -p lvs-ctl) or set LVS_CTL to its path",
                this.display()
            )
        })?
    };
    path.into_os_string()
        .into_string()
        .ok()
        .context("the path of lvs-ctl is not UTF-8")
}

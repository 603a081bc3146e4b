//! The real `lvs-ctl`, run on the balancer of a lab.

use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use super::bpffs::PinDir;
use super::command::{self, Outcome};
use super::leftovers;
use super::lines::Lines;
use super::namespace::Namespace;
use super::stats::Stats;
use super::wait;

/// How long a director may take to attach, and to leave.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running `lvs-ctl run`; dropping it kills it and removes its pins.
///
/// Start it on a thread that outlives it: it is told to end when that thread does.
#[derive(Debug)]
pub struct Director {
    child: Child,
    status: Option<ExitStatus>,
    said: Lines,
    readers: Vec<JoinHandle<()>>,
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
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command
            .spawn()
            .with_context(|| format!("could not start `{}`", command::shown(&command)))?;
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
        wait::until("the director to forward", PATIENCE, || {
            if stop() || self.said.contain("forwarding") {
                return Ok(true);
            }
            match self.try_wait()? {
                Some(status) => bail!("lvs-ctl ended with {status} before it forwarded"),
                None => Ok(false),
            }
        })
        .map_err(|error| self.with_its_words(&error))
    }

    /// Waits until a line of its output contains `words`.
    pub fn wait_for(&mut self, words: &str, deadline: Duration) -> Result<()> {
        wait::until(
            &format!("the director to say \"{words}\""),
            deadline,
            || Ok(self.said.contain(words)),
        )
        .map_err(|error| self.with_its_words(&error))
    }

    /// Everything it has said so far, on either output.
    pub fn said(&self) -> String {
        self.said.text()
    }

    /// An error about this director, and all that it said itself.
    fn with_its_words(&self, error: &anyhow::Error) -> anyhow::Error {
        match self.said().trim_end() {
            "" => anyhow!("{error:#}; lvs-ctl said nothing"),
            said => anyhow!("{error:#}; lvs-ctl said:\n{said}"),
        }
    }

    /// Its process.
    pub fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().cast_signed())
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
        kill(self.pid(), signal).with_context(|| format!("could not send {signal} to lvs-ctl"))
    }

    /// Waits until it has ended; then all of its output has been read.
    pub fn wait(&mut self) -> Result<ExitStatus> {
        let mut ended = None;
        wait::until("the director to end", PATIENCE, || {
            ended = self.try_wait()?;
            Ok(ended.is_some())
        })
        .map_err(|error| self.with_its_words(&error))?;
        ended.context("the director has no exit status")
    }

    /// Ctrl-C, then waits for the end.
    pub fn stop(&mut self) -> Result<ExitStatus> {
        self.signal(Signal::SIGINT)?;
        self.wait()
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
                    .context("the reader of the director's output panicked")?;
            }
        }
        Ok(self.status)
    }
}

impl Drop for Director {
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

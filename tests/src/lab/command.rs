//! Running a program to its end, with what it said in the error if it failed.

use std::ffi::OsStr;
use std::io::ErrorKind;
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use super::lines::Lines;
use super::wait;

/// How a program ended and what it wrote.
#[derive(Debug)]
pub struct Outcome {
    /// The exit status.
    pub status: ExitStatus,
    /// Everything it wrote to its standard output.
    pub stdout: String,
    /// Everything it wrote to its standard error.
    pub stderr: String,
}

/// Runs a program that has to succeed within half a minute and returns its standard output.
pub fn output(command: &mut Command) -> Result<String> {
    let ended = outcome(command, Duration::from_secs(30))?;
    if !ended.status.success() {
        bail!(
            "`{}` failed with {}: {}",
            shown(command),
            ended.status,
            ended.stderr.trim()
        );
    }
    Ok(ended.stdout)
}

/// Runs a program that has to end, well or badly, before the deadline; after that it is killed, an error.
pub fn outcome(command: &mut Command, deadline: Duration) -> Result<Outcome> {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| match error.kind() {
        ErrorKind::NotFound => anyhow::Error::new(error).context(missing(command)),
        _ => anyhow::Error::new(error).context(format!("could not start `{}`", shown(command))),
    })?;
    let (stdout, stderr) = (Lines::default(), Lines::default());
    let readers = [
        child.stdout.take().map(|pipe| stdout.read_from(pipe)),
        child.stderr.take().map(|pipe| stderr.read_from(pipe)),
    ];
    let mut status = None;
    let ended = wait::until("its end", deadline, || {
        status = child.try_wait().context("could not wait for a child")?;
        Ok(status.is_some())
    });
    if ended.is_err() {
        child
            .kill()
            .and_then(|()| child.wait())
            .with_context(|| format!("could not kill `{}`", shown(command)))?;
    }
    for reader in readers.into_iter().flatten() {
        reader
            .join()
            .ok()
            .context("the reader of a child's output panicked")?;
    }
    let Some(status) = status else {
        let said = stderr.text();
        return ended
            .map(|()| unreachable!())
            .with_context(|| format!("`{}` was killed; it said: {}", shown(command), said.trim()));
    };
    Ok(Outcome {
        status,
        stdout: stdout.text(),
        stderr: stderr.text(),
    })
}

/// The command as one would type it.
pub(super) fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words
        .map(OsStr::to_string_lossy)
        .collect::<Vec<_>>()
        .join(" ")
}

/// What to do about a program that isn't there.
fn missing(command: &Command) -> String {
    let program = command.get_program().to_string_lossy().into_owned();
    match &*program {
        "ip" | "bridge" => format!("`{program}` is not installed: apt-get install iproute2"),
        "ethtool" => "`ethtool` is not installed: apt-get install ethtool".to_owned(),
        _ => format!("there is no program `{program}`"),
    }
}

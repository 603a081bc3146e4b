//! A network namespace without a name: it lives as long as somebody holds it, and no longer.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::process::CommandExt as _;
use std::panic;
use std::process::Command;
use std::sync::Arc;
use std::thread;

use anyhow::{Context as _, Result, bail};
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::{SigSet, SigmaskHow, Signal, sigprocmask};
use nix::unistd::{Uid, getpid, getppid};

use super::command::output;

/// A network namespace held by a file descriptor; the kernel removes it after the last clone, and the last
/// process and socket inside, are gone.
#[derive(Clone, Debug)]
pub struct Namespace {
    handle: Arc<File>,
}

impl Namespace {
    /// Makes an empty namespace whose loopback is up.
    pub fn new() -> Result<Self> {
        if !Uid::effective().is_root() {
            bail!(
                "the lab makes network namespaces, which needs root: run this with sudo or as root"
            );
        }
        // unshare moves the calling thread, so a thread of its own makes the namespace and leaves.
        let maker = thread::spawn(|| -> io::Result<File> {
            unshare(CloneFlags::CLONE_NEWNET)?;
            File::open("/proc/thread-self/ns/net")
        });
        let handle = match maker.join() {
            Ok(file) => file.context(
                "could not make a network namespace (unshare CLONE_NEWNET); in a container, run it privileged",
            )?,
            Err(panic) => panic::resume_unwind(panic),
        };
        let namespace = Self {
            handle: Arc::new(handle),
        };
        output(namespace.command("ip").args(["link", "set", "lo", "up"]))?;
        Ok(namespace)
    }

    /// Runs `work` on a thread inside the namespace; threads that it starts are inside too, and a socket made
    /// there stays in the namespace whichever thread uses it later.
    pub fn run<R: Send>(&self, work: impl FnOnce() -> Result<R> + Send) -> Result<R> {
        thread::scope(|scope| {
            let inside = scope.spawn(|| {
                setns(&*self.handle, CloneFlags::CLONE_NEWNET)
                    .context("could not enter a network namespace of the lab")?;
                work()
            });
            match inside.join() {
                Ok(result) => result,
                Err(panic) => panic::resume_unwind(panic),
            }
        })
    }

    /// A command that will run inside the namespace and be killed when the thread that starts it ends.
    ///
    /// Unlike under `ip netns exec`, /sys and the bpffs in it stay visible.
    pub fn command(&self, program: &str) -> Command {
        self.command_dying_by(program, Signal::SIGKILL)
    }

    /// As [`command`](Self::command), for a program that tidies up by itself when it receives `signal`.
    pub fn command_dying_by(&self, program: &str, signal: Signal) -> Command {
        let handle = Arc::clone(&self.handle);
        let lab = getpid();
        let enter = move || {
            setns(&*handle, CloneFlags::CLONE_NEWNET)?;
            // A lab may block the signals it waits for; its children must not inherit that.
            sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None)?;
            set_pdeathsig(signal)?;
            // The lab may have died before the line above: then no signal will ever come.
            if getppid() == lab {
                Ok(())
            } else {
                Err(io::ErrorKind::BrokenPipe.into())
            }
        };
        let mut command = Command::new(program);
        // A process group of its own: Ctrl-C reaches the lab alone, which then takes things down in order.
        command.process_group(0);
        // SAFETY: between fork and exec the closure makes system calls only; it neither allocates nor locks.
        unsafe { command.pre_exec(enter) };
        command
    }

    /// A path to the namespace, good for as long as this process holds it.
    pub fn path(&self) -> String {
        format!("/proc/{}/fd/{}", getpid(), self.handle.as_raw_fd())
    }

    /// What a person types before a command to run it inside.
    pub fn enter_hint(&self) -> String {
        format!("nsenter --net={}", self.path())
    }
}

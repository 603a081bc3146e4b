//! Threads on CPUs of their own.

use anyhow::{Context as _, Result};
use nix::{
    sched::{CpuSet, sched_getaffinity, sched_setaffinity},
    unistd::Pid,
};

/// The first two CPUs that this process may run on.
pub fn two() -> Result<[usize; 2]> {
    let allowed = sched_getaffinity(Pid::from_raw(0)).context("the CPUs of this process")?;
    let mut cpus = (0..CpuSet::count()).filter(|cpu| allowed.is_set(*cpu).unwrap_or(false));
    let two = cpus.next().zip(cpus.next());
    let (first, second) = two.context("it takes two CPUs: races are what is tested here")?;
    Ok([first, second])
}

/// Keeps this thread on a CPU.
pub fn pin_to(cpu: usize) -> Result<()> {
    let mut set = CpuSet::new();
    set.set(cpu).context("no such CPU")?;
    sched_setaffinity(Pid::from_raw(0), &set).context("cannot keep a thread on one CPU")
}

//! What was measured on, and what was loaded.

use std::fs;

use anyhow::{Context as _, Result};
use aya::programs::Xdp;
use nix::{
    errno::Errno,
    sched::{CpuSet, sched_getaffinity, sched_setaffinity},
    sys::utsname::uname,
    unistd::Pid,
};
use serde::Serialize;

/// The machine and its state.
#[derive(Clone, Debug, Serialize)]
pub struct Machine {
    /// Release of the kernel.
    pub kernel: String,
    /// Architecture of the machine.
    pub architecture: String,
    /// Model name of the CPU.
    pub cpu: String,
    /// Family, model and stepping of the CPU: a virtual machine may not tell a name.
    pub cpu_signature: String,
    /// CPUs that are online.
    pub cpus: usize,
    /// Number of the CPU that everything ran on.
    pub ran_on: usize,
    /// Mean number of runnable tasks over the minute before.
    pub load_average: String,
    /// What falsifies the figures.
    pub complaints: Vec<String>,
}

impl Machine {
    /// This one, with the calling thread on one CPU from now on, at real-time priority.
    pub(super) fn prepare() -> Result<Self> {
        let name = uname()?;
        let ran_on = bind()?;
        let text = |s: &std::ffi::OsStr| s.to_string_lossy().into_owned();
        let signature = ["cpu family", "model", "stepping"].map(cpu_info);
        Ok(Self {
            kernel: text(name.release()),
            architecture: text(name.machine()),
            cpu: cpu_info("model name"),
            cpu_signature: signature.join("/"),
            cpus: aya::util::nr_cpus().map_or(0, |cpus| cpus),
            ran_on,
            load_average: load_average(),
            complaints: complaints(),
        })
    }
}

/// Binds this thread to the last CPU that it may use, before everything else that wants to run
/// there; its number.
fn bind() -> Result<usize> {
    let own = Pid::from_raw(0);
    let allowed = sched_getaffinity(own)?;
    let last = (0..CpuSet::count())
        .rev()
        .find(|cpu| allowed.is_set(*cpu).unwrap_or(false))
        .context("no CPU to run on")?;
    let mut only = CpuSet::new();
    only.set(last)?;
    sched_setaffinity(own, &only).context("cannot stay on one CPU")?;
    let priority = libc::sched_param { sched_priority: 1 };
    // SAFETY: the parameter outlives the call, which changes nothing but the scheduling of this thread.
    let changed = unsafe { libc::sched_setscheduler(0, libc::SCHED_FIFO, &raw const priority) };
    Errno::result(changed).context("cannot run with real-time priority")?;
    Ok(last)
}

fn load_average() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().unwrap_or_default().to_string()
}

/// The first CPU's entry of this name.
fn cpu_info(key: &str) -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let entry = text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        (name.trim() == key).then(|| value.trim().to_string())
    });
    entry.unwrap_or_else(|| "unknown".to_string())
}

fn complaints() -> Vec<String> {
    let sysctl = |name: &str| fs::read_to_string(format!("/proc/sys/{name}")).unwrap_or_default();
    let mut complaints = Vec::new();
    if sysctl("kernel/bpf_stats_enabled").trim() != "0" {
        complaints.push(
            "kernel.bpf_stats_enabled is on, which adds some 50 ns to every run; \
             type: sysctl kernel.bpf_stats_enabled=0"
                .to_string(),
        );
    }
    if sysctl("net/core/bpf_jit_enable").trim() == "0" {
        complaints.push(
            "net.core.bpf_jit_enable is 0: programs are interpreted; \
             type: sysctl net.core.bpf_jit_enable=1"
                .to_string(),
        );
    }
    complaints
}

/// How large a program is.
#[derive(Clone, Debug, Serialize)]
pub struct ProgramFacts {
    /// Its name.
    pub name: String,
    /// Instructions that the verifier followed.
    pub verified_instructions: u32,
    /// Instructions that it has.
    pub instructions: u32,
    /// Bytes of machine code.
    pub jited_bytes: u32,
}

impl ProgramFacts {
    /// Of a loaded program.
    pub(super) fn of(program: &Xdp) -> Result<Self> {
        let info = program.info()?;
        Ok(Self {
            name: info.name_as_str().unwrap_or_default().to_string(),
            verified_instructions: info.verified_instruction_count().unwrap_or(0),
            instructions: info.size_translated().unwrap_or(0) / 8,
            jited_bytes: info.size_jitted(),
        })
    }
}

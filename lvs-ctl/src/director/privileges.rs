//! What the process must be allowed to do.

use anyhow::{Context as _, Result, bail};

/// Capabilities that a director needs, by their numbers (`include/uapi/linux/capability.h`).
const NEEDED: [(u32, &str); 3] = [(12, "CAP_NET_ADMIN"), (38, "CAP_PERFMON"), (39, "CAP_BPF")];

/// The capability that stands for the last two.
const SYS_ADMIN: u32 = 21;

/// Checks that programs may be loaded and attached.
///
/// # Errors
/// With what is missing and how to get it.
pub(super) fn check() -> Result<()> {
    let status = std::fs::read_to_string("/proc/self/status");
    let status = status.context("cannot read this process's capabilities")?;
    let missing = missing(effective(&status).context("no capabilities in /proc/self/status")?);
    if missing.is_empty() {
        return Ok(());
    }
    bail!(
        "loading XDP programs needs root, or {}; run it with sudo, or give a service these \
         capabilities",
        missing.join(" and ")
    );
}

/// The effective capabilities in a `/proc/PID/status`.
fn effective(status: &str) -> Option<u64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("CapEff:"))?;
    u64::from_str_radix(line.trim(), 16).ok()
}

/// Names of the needed capabilities that are not in the set.
fn missing(effective: u64) -> Vec<&'static str> {
    let has = |number: u32| effective >> number & 1 != 0;
    let lacks =
        |&&(number, _): &&(u32, &str)| !has(number) && (number == NEEDED[0].0 || !has(SYS_ADMIN));
    NEEDED.iter().filter(lacks).map(|&(_, name)| name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_what_is_missing() {
        let root = "Name:\tx\nCapPrm:\t0\nCapEff:\t000001ffffffffff\n";
        assert!(missing(effective(root).unwrap()).is_empty());
        assert_eq!(missing(0), ["CAP_NET_ADMIN", "CAP_PERFMON", "CAP_BPF"]);
        assert_eq!(missing(1 << 12 | 1 << 39), ["CAP_PERFMON"]);
        assert_eq!(missing(1 << 21), ["CAP_NET_ADMIN"]);
        assert!(missing(1 << 12 | 1 << 21).is_empty());
        assert_eq!(effective("Name:\tx\n"), None);
    }
}

//! What this process may do, from its entry in /proc.

use std::{env, fs};

use anyhow::{Result, bail};

/// A capability: its name and its bit (capabilities(7)).
type Capability = (&'static str, u32);

const NET_ADMIN: Capability = ("CAP_NET_ADMIN", 12);
const SYS_ADMIN: Capability = ("CAP_SYS_ADMIN", 21);
const PERFMON: Capability = ("CAP_PERFMON", 38);
const BPF: Capability = ("CAP_BPF", 39);

/// What a task does that the kernel does not allow everybody.
#[derive(Clone, Copy)]
pub(crate) enum Purpose {
    /// Load the data plane and attach it to interfaces.
    Attach,
    /// The same in a laboratory of network namespaces, which has to be built.
    Lab,
}

impl Purpose {
    /// The capabilities that it takes. `CAP_PERFMON` lets the verifier accept pointer arithmetic
    /// that packet parsing does.
    fn capabilities(self) -> &'static [Capability] {
        match self {
            Self::Attach => &[BPF, PERFMON, NET_ADMIN],
            Self::Lab => &[BPF, PERFMON, NET_ADMIN, SYS_ADMIN],
        }
    }
}

/// Fails if this process lacks a capability that `purpose` takes, and says what to type instead.
pub(crate) fn require(purpose: Purpose) -> Result<()> {
    let Some(held) = effective_capabilities(&status()) else {
        bail!("/proc/self/status does not tell this process's capabilities: is /proc mounted?");
    };
    let missing = missing(held, purpose.capabilities());
    if missing.is_empty() {
        return Ok(());
    }
    let args: Vec<String> = env::args().skip(1).collect();
    bail!(
        "this needs root, or at least the capabilities {}; type:\n    \
         sudo -E env \"PATH=$PATH\" cargo xtask {}",
        missing.join(", "),
        args.join(" ")
    )
}

/// Whether this process runs as root.
pub(crate) fn is_root() -> bool {
    effective_user(&status()) == Some(0)
}

/// What the kernel says about this process.
fn status() -> String {
    fs::read_to_string("/proc/self/status").unwrap_or_default()
}

/// The names of the `wanted` capabilities that are not in the mask `held`. `CAP_SYS_ADMIN` stands
/// for the two that were split from it.
fn missing(held: u64, wanted: &[Capability]) -> Vec<&'static str> {
    let has = |(_, bit): Capability| held >> bit & 1 == 1;
    let covered = |capability| has(SYS_ADMIN) && (capability == BPF || capability == PERFMON);
    let lacks = |capability: &&Capability| !has(**capability) && !covered(**capability);
    wanted.iter().filter(lacks).map(|(name, _)| *name).collect()
}

/// The mask of effective capabilities in the text of a status file.
fn effective_capabilities(status: &str) -> Option<u64> {
    u64::from_str_radix(field(status, "CapEff")?.trim(), 16).ok()
}

/// The effective user id in the text of a status file: the second of four.
fn effective_user(status: &str) -> Option<u32> {
    field(status, "Uid")?
        .split_whitespace()
        .nth(1)?
        .parse()
        .ok()
}

/// The value of a field in the text of a status file.
fn field<'a>(status: &'a str, name: &str) -> Option<&'a str> {
    status
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(key, _)| *key == name)
        .map(|f| f.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATUS: &str = "Name:\tcat\nUid:\t1000\t0\t1000\t1000\nCapPrm:\t0000000000000000\n\
                          CapEff:\t000001c000001000\n";

    #[test]
    fn fields_of_a_status_file_are_read() {
        assert_eq!(effective_capabilities(STATUS), Some(0x01c0_0000_1000));
        assert_eq!(effective_user(STATUS), Some(0));
        assert_eq!(effective_capabilities("CapEff:\tnonsense"), None);
        assert_eq!(effective_user(""), None);
    }

    #[test]
    fn root_lacks_nothing() {
        assert!(missing(0x01ff_ffff_ffff, Purpose::Lab.capabilities()).is_empty());
    }

    #[test]
    fn an_ordinary_user_lacks_all() {
        let missing = missing(0, Purpose::Attach.capabilities());
        assert_eq!(missing, ["CAP_BPF", "CAP_PERFMON", "CAP_NET_ADMIN"]);
    }

    #[test]
    fn a_service_with_the_three_may_attach_but_not_build_a_lab() {
        let held = effective_capabilities(STATUS).unwrap();
        assert!(missing(held, Purpose::Attach.capabilities()).is_empty());
        assert_eq!(
            missing(held, Purpose::Lab.capabilities()),
            ["CAP_SYS_ADMIN"]
        );
    }

    #[test]
    fn the_old_capability_stands_for_the_new_ones() {
        let held = 1 << SYS_ADMIN.1 | 1 << NET_ADMIN.1;
        assert!(missing(held, Purpose::Lab.capabilities()).is_empty());
    }
}

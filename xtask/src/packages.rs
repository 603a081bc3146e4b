//! The system's packages: whether Debian's apt can install them here, and doing it.

use std::{
    fs,
    process::{Command, Stdio},
};

use anyhow::{Result, anyhow, bail};

use crate::{
    command::{exec, find_program},
    privileges,
};

/// Why packages can't be installed here, as a clause, or `None` if they can.
pub(crate) fn obstacle() -> Option<&'static str> {
    let os = fs::read_to_string("/etc/os-release").unwrap_or_default();
    if !is_debian_like(&os) {
        Some("this system is not Debian or one of its kin")
    } else if find_program("apt-get").is_none() {
        Some("apt-get is not in PATH")
    } else if !privileges::is_root() {
        Some("only root can install packages")
    } else {
        None
    }
}

/// Installs packages, and says so; where that isn't possible, fails with what `advice` tells to type.
pub(crate) fn install(task: &str, packages: &[&str], advice: &str) -> Result<()> {
    let names = packages.join(" ");
    if let Some(obstacle) = obstacle() {
        bail!("cannot install {names}: {obstacle}\n{advice}");
    }
    eprintln!("[{task}] installing the packages {names}");
    // A list of packages that can't be refreshed may still do: the installation decides.
    if let Err(error) = exec(&mut apt_get(&["update"])) {
        eprintln!("[{task}] going on with the list of packages as it is: {error:#}");
    }
    // --no-remove: rather fail than take away what the machine's owner chose to have.
    let options = ["install", "-y", "--no-install-recommends", "--no-remove"];
    let mut command = apt_get(&options);
    exec(command.args(packages)).map_err(|error| anyhow!("{error:#}\n{advice}"))
}

/// What to type to install packages on Debian.
pub(crate) fn instructions(packages: &[&str]) -> String {
    let names = packages.join(" ");
    let sudo = if privileges::is_root() { "" } else { "sudo " };
    format!(
        "on Debian, type:\n    {sudo}apt-get update\n    {sudo}apt-get install -y --no-install-recommends {names}"
    )
}

/// An `apt-get` that asks nothing, waits for another one to finish, and draws no progress bars.
fn apt_get(args: &[&str]) -> Command {
    let mut command = Command::new("apt-get");
    command
        .args([
            "-q",
            "-o",
            "DPkg::Lock::Timeout=300",
            "-o",
            "Dpkg::Use-Pty=0",
        ])
        .args(args);
    command
        .env("DEBIAN_FRONTEND", "noninteractive")
        .stdin(Stdio::null());
    command
}

/// Whether the text of an os-release file is Debian's or a descendant's.
fn is_debian_like(os_release: &str) -> bool {
    let fields = os_release
        .lines()
        .filter_map(|line| line.trim().split_once('='));
    fields
        .filter(|(key, _)| matches!(*key, "ID" | "ID_LIKE"))
        .any(|(_, value)| {
            let value = value.trim_matches(['"', '\'']);
            value
                .split_whitespace()
                .any(|id| matches!(id, "debian" | "ubuntu"))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debian_and_its_kin_are_recognised() {
        for os in [
            "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nID=debian\n",
            "ID=\"debian\"",
            "NAME=Mint\nID=linuxmint\nID_LIKE=\"ubuntu debian\"\n",
            "ID=pop\nID_LIKE='ubuntu'",
        ] {
            assert!(is_debian_like(os), "{os}");
        }
    }

    #[test]
    fn other_systems_are_not_debian() {
        for os in [
            "",
            "ID=fedora\nID_LIKE=\"rhel\"",
            "NAME=debian\nID=arch",
            "ID=notdebian",
            "VARIANT_ID=debian\nID=alpine",
            "# ID=debian",
        ] {
            assert!(!is_debian_like(os), "{os}");
        }
    }
}

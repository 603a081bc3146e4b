//! `cargo xtask lint`: formatting, lints on both sides, and the house rules.

use std::{path::Path, process::Command};

use anyhow::{Context as _, Result, bail};

use crate::{
    command::{cargo, exec, succeeds, target_dir, workspace_root},
    ebpf_tools::{BPF_TARGET, Core, Toolchain, find_linker},
    packages, setup, tidy,
};

/// Debian's clippy for the compiler of `rustc-web`.
const CLIPPY_PACKAGE: &str = "rust-web-clippy";

/// A check: its name and how it is done.
type Check = (&'static str, fn() -> Result<()>);

/// The task: all checks, even when one has failed.
pub(crate) fn run() -> Result<()> {
    let checks: [Check; 4] = [
        ("house rules", || tidy::run(&workspace_root())),
        ("formatting", formatting),
        ("host side", host),
        ("eBPF side", ebpf),
    ];
    let mut failed = Vec::new();
    for (name, check) in checks {
        eprintln!("[lint] {name}");
        if let Err(error) = check() {
            eprintln!("[lint] {name}: {error:#}");
            failed.push(name);
        }
    }
    if !failed.is_empty() {
        bail!("these checks failed: {}", failed.join(", "));
    }
    Ok(())
}

/// What rustfmt would change.
fn formatting() -> Result<()> {
    component("fmt", "rustfmt")?;
    exec(&mut cargo(["fmt", "--all", "--check"]))
}

/// Everything as it is compiled for this machine.
fn host() -> Result<()> {
    component("clippy", "clippy")?;
    // lvs-ctl embeds the eBPF object, so even checking it builds that.
    setup::for_building()?;
    exec(&mut cargo([
        "clippy",
        "--workspace",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ]))
}

/// Fails with what to type if a component of the Rust toolchain is not installed.
fn component(subcommand: &str, name: &str) -> Result<()> {
    if !succeeds(&mut cargo([subcommand, "--version"])) {
        bail!("cargo {subcommand} is not installed; type:\n    rustup component add {name}");
    }
    Ok(())
}

/// Lints the data plane as what it really is, a program for the BPF target: with clippy where the
/// toolchain for that target has one, else by the compiler's own lints.
fn ebpf() -> Result<()> {
    setup::for_building()?;
    let toolchain = Toolchain::find().context("no Rust toolchain for eBPF")?;
    let linker = find_linker().context("no bpf-linker")?;
    let prebuilt = toolchain.core == Core::Prebuilt;
    if prebuilt && !has_clippy(&toolchain) && packages::obstacle().is_none() {
        packages::install(
            "lint",
            &[CLIPPY_PACKAGE],
            &packages::instructions(&[CLIPPY_PACKAGE]),
        )?;
    }
    let clippy = has_clippy(&toolchain);
    let mut command = if clippy {
        clippy_of(&toolchain)
    } else {
        cargo_of(&toolchain, "check")
    };
    command.args([
        "--release",
        "-p",
        "lvs-ebpf",
        "--lib",
        "--bins",
        "--target",
        BPF_TARGET,
    ]);
    // With what the build of the object compiled for the host, so only the rest is compiled here.
    command
        .arg("--target-dir")
        .arg(target_dir().join("ebpf/target/lvs-ebpf"));
    if !prebuilt {
        command.args(["-Z", "build-std=core"]);
    }
    command.envs(toolchain.environment(&linker));
    let arch = std::env::consts::ARCH;
    command.env(
        "RUSTFLAGS",
        format!("-Dwarnings --cfg=bpf_target_arch=\"{arch}\""),
    );
    exec(&mut command)?;
    if !clippy {
        let advice = if prebuilt {
            packages::instructions(&[CLIPPY_PACKAGE])
        } else {
            format!(
                "    rustup component add clippy --toolchain {}",
                toolchain.name
            )
        };
        eprintln!(
            "[lint] the eBPF side was compiled but not linted: the toolchain {} has no clippy\n\
             {advice}",
            toolchain.name
        );
    }
    Ok(())
}

/// Whether a toolchain has clippy.
fn has_clippy(toolchain: &Toolchain) -> bool {
    succeeds(clippy_of(toolchain).arg("--version"))
}

/// `cargo clippy` with a toolchain's compiler.
fn clippy_of(toolchain: &Toolchain) -> Command {
    match toolchain.core {
        // It belongs to that compiler's very version, unlike the one beside the running cargo.
        Core::Prebuilt => {
            let mut command = Command::new(Path::new(&toolchain.name).join("bin/cargo-clippy"));
            command.arg("clippy");
            command
        }
        Core::Source => cargo_of(toolchain, "clippy"),
    }
}

/// Cargo, to be used with a toolchain's compiler.
fn cargo_of(toolchain: &Toolchain, subcommand: &str) -> Command {
    match toolchain.core {
        Core::Prebuilt => cargo([subcommand]),
        Core::Source => {
            let mut command = Command::new("rustup");
            command.args(["run", &toolchain.name, "cargo", subcommand]);
            command
        }
    }
}

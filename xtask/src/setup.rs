//! `cargo xtask setup`: finds or installs what building and running needs.
//!
//! Silent and quick when everything is there, because every task that builds comes by here.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use anyhow::{Result, anyhow, bail};

use crate::{
    command::{cargo, exec, find_program},
    ebpf_tools::{LINKER_VERSION, Toolchain, dotted, find_linker, linker_root},
    packages,
};

/// Debian's packages with a recent rustc and `core` for the BPF targets.
const TOOLCHAIN_PACKAGES: [&str; 2] = ["rustc-web", "libstd-rust-web-dev-bpf"];

/// Debian's package with the LLVM that `bpf-linker` is built against: the one of that rustc.
const LLVM_PACKAGE: &str = "llvm-22-dev";

/// Where distributions put that LLVM: Debian, Fedora, Alpine.
const LLVM_PREFIXES: [&str; 3] = ["/usr/lib/llvm-22", "/usr/lib64/llvm22", "/usr/lib/llvm22"];

/// The programs that running needs, and the packages that have them.
const PROGRAMS: [(&str, &str); 2] = [("ip", "iproute2"), ("ethtool", "ethtool")];

/// The task: everything, and a summary of what will be used.
pub(crate) fn run() -> Result<()> {
    for_building()?;
    if let (Some(toolchain), Some(linker)) = (Toolchain::find(), find_linker()) {
        eprintln!("[setup] Rust toolchain for eBPF: {}", toolchain.name);
        eprintln!("[setup] linker for eBPF: {}", linker.display());
    }
    for_running()?;
    for (program, _) in PROGRAMS {
        if let Some(path) = find_program(program) {
            eprintln!("[setup] {program}: {}", path.display());
        }
    }
    Ok(())
}

/// Finds or installs what building the eBPF object needs.
pub(crate) fn for_building() -> Result<()> {
    let toolchain = Toolchain::find();
    let linker = find_linker();
    if toolchain.is_some() && linker.is_some() {
        return Ok(());
    }
    let mut missing = Vec::new();
    if toolchain.is_none() {
        eprintln!(
            "[setup] no Rust toolchain for eBPF: neither a rustup nightly with rust-src, nor \
             {} under /usr",
            TOOLCHAIN_PACKAGES.join(" and ")
        );
        missing.extend(TOOLCHAIN_PACKAGES);
    }
    if linker.is_none() {
        eprintln!(
            "[setup] no usable bpf-linker {} or newer",
            dotted(LINKER_VERSION)
        );
        if llvm_prefix().is_none() {
            missing.push(LLVM_PACKAGE);
        }
    }
    if !missing.is_empty() {
        packages::install("setup", &missing, &by_hand())?;
    }
    match Toolchain::find() {
        None => bail!("there is still no Rust toolchain for eBPF\n{}", by_hand()),
        Some(toolchain) => {
            if let Some(complaint) = toolchain.complaint() {
                bail!("{complaint}\n{}", by_hand());
            }
        }
    }
    if find_linker().is_none() {
        build_linker()?;
    }
    Ok(())
}

/// Finds or installs the programs that running the balancer and its laboratory needs.
pub(crate) fn for_running() -> Result<()> {
    let absent = || {
        PROGRAMS
            .into_iter()
            .filter(|(program, _)| find_program(program).is_none())
    };
    let missing: Vec<&str> = absent().map(|(_, package)| package).collect();
    if missing.is_empty() {
        return Ok(());
    }
    packages::install("setup", &missing, &packages::instructions(&missing))?;
    if let Some((program, package)) = absent().next() {
        bail!("{package} is installed, but {program} is not in PATH: add /usr/sbin to it");
    }
    Ok(())
}

/// Builds `bpf-linker` into its cached place.
fn build_linker() -> Result<()> {
    let Some(root) = linker_root() else {
        bail!("bpf-linker has no place to be built in: set HOME or XDG_CACHE_HOME");
    };
    let Some(llvm) = llvm_prefix() else {
        bail!(
            "there are no development files of LLVM 22 to build bpf-linker with\n{}",
            by_hand()
        );
    };
    let version = dotted(LINKER_VERSION);
    eprintln!(
        "[setup] building bpf-linker {version} into {}: once, for one to three minutes",
        root.display()
    );
    // Its own build directory: an interrupted build is taken up where it stopped.
    let scratch = root.with_file_name(format!("bpf-linker-{version}.build"));
    let mut command = cargo([
        "install",
        "bpf-linker",
        "--locked",
        "--force",
        "--version",
        &version,
    ]);
    command
        .args(["--no-default-features", "--features", "llvm-22", "--root"])
        .arg(&root);
    // The first is bpf-linker's, the second llvm-sys's: with one of them missing, the two may
    // disagree about the LLVM to link.
    command
        .env("LLVM_PREFIX", &llvm)
        .env("LLVM_SYS_221_PREFIX", &llvm);
    command.env("CARGO_TARGET_DIR", &scratch);
    exec(&mut command).map_err(|error| anyhow!("{error:#}\n{}", by_hand()))?;
    // What is left over costs room, nothing else.
    let _ = fs::remove_dir_all(&scratch);
    if find_linker().is_none() {
        bail!(
            "the bpf-linker just built under {} does not run",
            root.display()
        );
    }
    Ok(())
}

/// The place of the LLVM that `bpf-linker` is built against.
fn llvm_prefix() -> Option<PathBuf> {
    let chosen = env::var_os("LLVM_SYS_221_PREFIX").map(PathBuf::from);
    let known = LLVM_PREFIXES.into_iter().map(PathBuf::from);
    chosen
        .into_iter()
        .chain(known)
        .find(|prefix| has_llvm_config(prefix))
}

/// Whether the development files of an LLVM are installed under `prefix`.
fn has_llvm_config(prefix: &Path) -> bool {
    prefix.join("bin/llvm-config").is_file() && prefix.join("include/llvm-c/Core.h").is_file()
}

/// What to type where this program can't do it.
fn by_hand() -> String {
    let version = dotted(LINKER_VERSION);
    let debian = [TOOLCHAIN_PACKAGES.as_slice(), &[LLVM_PACKAGE]].concat();
    format!(
        "{}\n\
         elsewhere, with rustup and the development files of LLVM 22, type:\n    \
         rustup toolchain install nightly --profile minimal --component rust-src\n    \
         export LLVM_PREFIX=/usr/lib/llvm-22 LLVM_SYS_221_PREFIX=/usr/lib/llvm-22\n    \
         cargo install bpf-linker --locked --version {version} --no-default-features --features llvm-22\n\
         (a bpf-linker from https://github.com/aya-rs/bpf-linker/releases in PATH will do as well)\n\
         then type again: cargo xtask setup",
        packages::instructions(&debian)
    )
}

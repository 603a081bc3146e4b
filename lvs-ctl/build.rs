//! Compiles the eBPF programs, so that lvs-ctl can carry them inside: the data plane ends as `lvs`
//! in `OUT_DIR`. The programs of benchmarks and tests end beside it; dependent packages learn the
//! places from cargo, as `DEP_LVS_EBPF_BENCH_OBJECT` and `DEP_LVS_EBPF_STRESS_OBJECT`.

#[path = "../xtask/src/ebpf_tools.rs"]
mod ebpf_tools;

use std::{
    env, fs,
    io::ErrorKind,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context as _, Result, bail, ensure};
use aya_build::{Package, Toolchain};

/// The binaries of the package `lvs-ebpf`: the data plane, the programs to measure with, and those
/// that stress its flow table.
const OBJECTS: [&str; 3] = ["lvs", "lvs-bench", "lvs-stress"];

/// What the objects are made from, and what tells which tools make them, from the workspace's root.
/// aya-build adds lvs-ebpf itself.
const SOURCES: [&str; 3] = ["lvs-common", "Cargo.toml", "Cargo.lock"];
const VARIABLES: [&str; 5] = [
    "LVS_EBPF_TOOLCHAIN",
    "RUSTUP_HOME",
    "XDG_CACHE_HOME",
    "HOME",
    "RUSTC_BOOTSTRAP",
];

fn main() -> ExitCode {
    match build() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Builds the objects and tells cargo about them.
fn build() -> Result<()> {
    let root = workspace_root()?;
    for source in SOURCES {
        println!("cargo::rerun-if-changed={}", root.join(source).display());
    }
    for variable in VARIABLES {
        println!("cargo::rerun-if-env-changed={variable}");
    }
    let Some(toolchain) = ebpf_tools::Toolchain::find() else {
        bail!(
            "no Rust toolchain can compile for {}: neither rustup's nightly with the component \
             rust-src, nor core for that target under /usr; type: cargo xtask setup",
            ebpf_tools::BPF_TARGET
        );
    };
    if let Some(complaint) = toolchain.complaint() {
        bail!("{complaint}; type: cargo xtask setup");
    }
    let Some(linker) = ebpf_tools::find_linker() else {
        let version = ebpf_tools::dotted(ebpf_tools::LINKER_VERSION);
        let place = ebpf_tools::linker_root().unwrap_or_default();
        bail!(
            "no bpf-linker {version} or newer, neither in PATH nor under {}; type: cargo xtask setup",
            place.display()
        );
    };
    let mut environment = toolchain.environment(&linker);
    // Cargo's progress would come out as warnings, again in every later build.
    environment.push(("CARGO_TERM_QUIET".into(), "true".into()));
    for (key, value) in environment {
        // SAFETY: this process has started no thread, so nobody reads the environment meanwhile.
        unsafe { env::set_var(key, value) };
    }
    let out_dir = PathBuf::from(env::var_os("OUT_DIR").context("OUT_DIR is not set")?);
    share_build_directory(&out_dir)?;

    let ebpf = root.join("lvs-ebpf");
    let root_dir = ebpf
        .to_str()
        .context("the path of the workspace is not UTF-8")?;
    // A compiler named by the environment needs some cargo: the one that runs this.
    let cargo = match toolchain.prebuilt_rustc() {
        Some(_) => env::var("RUSTUP_TOOLCHAIN").unwrap_or_else(|_| toolchain.name.clone()),
        None => toolchain.name.clone(),
    };
    let package = Package {
        name: "lvs-ebpf",
        root_dir,
        ..Package::default()
    };
    aya_build::build_ebpf([package], Toolchain::Custom(&cargo)).with_context(|| {
        format!(
            "cannot build lvs-ebpf with the toolchain {}",
            toolchain.name
        )
    })?;

    for object in OBJECTS {
        let built = out_dir.join(object).is_file();
        ensure!(
            built,
            "lvs-ebpf has built no object {object}: is it declared in its Cargo.toml?"
        );
    }
    for (key, object) in ["bench_object", "stress_object"].iter().zip(&OBJECTS[1..]) {
        println!("cargo::metadata={key}={}", out_dir.join(object).display());
    }
    Ok(())
}

/// The directory above this package.
fn workspace_root() -> Result<PathBuf> {
    let package = env::var_os("CARGO_MANIFEST_DIR").context("CARGO_MANIFEST_DIR is not set")?;
    let root = Path::new(&package)
        .parent()
        .context("lvs-ctl is not in a workspace")?;
    Ok(root.to_path_buf())
}

/// Makes all profiles compile lvs-ebpf in one place, `target/ebpf`: the object is the same in all of
/// them, and so tests run the very bytes that a release ships.
fn share_build_directory(out_dir: &Path) -> Result<()> {
    // OUT_DIR is target/PROFILE/build/PACKAGE/out. Were it not, the place would be another one.
    let shared = out_dir
        .ancestors()
        .nth(4)
        .context("OUT_DIR is too short a path")?
        .join("ebpf");
    fs::create_dir_all(&shared).with_context(|| format!("cannot create {}", shared.display()))?;
    let link = out_dir.join("aya-build");
    match symlink(&shared, &link) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => {
            Err(error).with_context(|| format!("cannot create {}", link.display()))
        }
        _ => Ok(()),
    }
}

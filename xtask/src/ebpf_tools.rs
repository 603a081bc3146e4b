//! Finds what compiling for the eBPF virtual machine needs: a Rust toolchain with `core` for the
//! BPF target, and `bpf-linker`.
//!
//! `lvs-ctl/build.rs` includes this file, so that `cargo xtask setup` and a plain `cargo build`
//! never disagree about what is there. It only looks; `setup` installs.

use std::{
    env,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// The target triple of the eBPF object: the BPF machine in the byte order of this one.
pub(crate) const BPF_TARGET: &str = if cfg!(target_endian = "little") {
    "bpfel-unknown-none"
} else {
    "bpfeb-unknown-none"
};

/// The release of `bpf-linker` that `setup` builds, and the oldest one taken from `PATH`.
pub(crate) const LINKER_VERSION: [u32; 3] = [0, 13, 0];

/// The oldest rustc that compiles this workspace (`rust-version` in the root `Cargo.toml`).
const RUSTC_VERSION: [u32; 3] = [1, 95, 0];

/// The crates that may use unstable features when a stable toolchain compiles for BPF: inline
/// assembly of an experimental architecture is one.
///
/// A list rather than `1`: with that, aya-build would compile `core` from sources that a
/// toolchain with a prebuilt `core` does not have.
const UNSTABLE_CRATES: &str = "aya_ebpf,lvs_ebpf,lvs,lvs_bench,lvs_stress";

/// Where a toolchain gets `core` for the BPF target from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Core {
    /// A compiled library that lies beside the toolchain's other targets.
    Prebuilt,
    /// The component `rust-src`, by cargo's unstable `build-std`.
    Source,
}

/// A Rust toolchain that can compile for the BPF target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Toolchain {
    /// What `rustup run` takes: a toolchain's name, or the path that it is installed under.
    pub(crate) name: String,
    /// Where it has `core` from.
    pub(crate) core: Core,
}

impl Toolchain {
    /// The toolchain that `LVS_EBPF_TOOLCHAIN` names, else rustup's nightly if it has `rust-src`,
    /// else one under `/usr` with a prebuilt `core` (Debian's `rustc-web`).
    pub(crate) fn find() -> Option<Self> {
        if let Some(name) = env::var("LVS_EBPF_TOOLCHAIN")
            .ok()
            .filter(|name| !name.is_empty())
        {
            let prebuilt = Path::new(&name).is_absolute() && has_prebuilt_core(Path::new(&name));
            let core = if prebuilt {
                Core::Prebuilt
            } else {
                Core::Source
            };
            return Some(Self { name, core });
        }
        if rustup_nightly().is_some_and(|nightly| has_core_source(&nightly)) {
            return Some(Self {
                name: "nightly".into(),
                core: Core::Source,
            });
        }
        has_prebuilt_core(Path::new("/usr")).then(|| Self {
            name: "/usr".into(),
            core: Core::Prebuilt,
        })
    }

    /// What makes this toolchain useless although it is there, as a sentence; `None` if it is fine.
    ///
    /// This runs the compiler, so it belongs where something is about to be built anyway.
    pub(crate) fn complaint(&self) -> Option<String> {
        let rustc = self.prebuilt_rustc()?;
        let Some(found) = version_of(&rustc) else {
            return Some(format!("{} does not run", rustc.display()));
        };
        (found < RUSTC_VERSION).then(|| {
            format!(
                "{} is version {}, and {} or newer is needed",
                rustc.display(),
                dotted(found),
                dotted(RUSTC_VERSION)
            )
        })
    }

    /// The environment in which cargo compiles for BPF with this toolchain and that linker.
    pub(crate) fn environment(&self, linker: &Path) -> Vec<(String, OsString)> {
        let linker_key = format!(
            "CARGO_TARGET_{}_LINKER",
            BPF_TARGET.to_uppercase().replace('-', "_")
        );
        // Full LTO drops the unused bulk of `core` before the linker sees it: linking takes 2 s
        // instead of 8. Cargo can't set it for one package, hence the environment.
        let mut variables = vec![
            (linker_key, linker.into()),
            ("CARGO_PROFILE_RELEASE_LTO".into(), "true".into()),
            ("CARGO_PROFILE_RELEASE_CODEGEN_UNITS".into(), "1".into()),
            ("CARGO_PROFILE_RELEASE_PANIC".into(), "abort".into()),
        ];
        if let Some(rustc) = self.prebuilt_rustc() {
            variables.push(("CARGO_BUILD_RUSTC".into(), rustc.into()));
            variables.push(("RUSTC_BOOTSTRAP".into(), UNSTABLE_CRATES.into()));
        }
        variables
    }

    /// The compiler with the prebuilt `core`. It comes without a cargo, so the cargo that is
    /// running has to be told of it.
    pub(crate) fn prebuilt_rustc(&self) -> Option<PathBuf> {
        (self.core == Core::Prebuilt).then(|| Path::new(&self.name).join("bin/rustc"))
    }
}

/// The directory under which `setup` installs its own `bpf-linker`; `None` without a home.
pub(crate) fn linker_root() -> Option<PathBuf> {
    let cache = match env::var_os("XDG_CACHE_HOME").map(PathBuf::from) {
        Some(dir) if dir.is_absolute() => dir,
        _ => env::home_dir()?.join(".cache"),
    };
    Some(
        cache
            .join("lvs")
            .join(format!("bpf-linker-{}", dotted(LINKER_VERSION))),
    )
}

/// A `bpf-linker` that runs: the one `setup` built, else one in `PATH` that is not too old.
pub(crate) fn find_linker() -> Option<PathBuf> {
    let built = linker_root().map(|root| root.join("bin/bpf-linker"));
    let in_path = env::var_os("PATH").map(|path| {
        env::split_paths(&path)
            .map(|dir| dir.join("bpf-linker"))
            .collect::<Vec<_>>()
    });
    built
        .into_iter()
        .chain(in_path.into_iter().flatten())
        .find(|candidate| {
            candidate.is_file()
                && version_of(candidate).is_some_and(|found| found >= LINKER_VERSION)
        })
}

/// A version as people write it.
pub(crate) fn dotted([major, minor, patch]: [u32; 3]) -> String {
    format!("{major}.{minor}.{patch}")
}

/// The directory of rustup's nightly: not one of the dated ones, which a name must ask for.
fn rustup_nightly() -> Option<PathBuf> {
    let rustup = match env::var_os("RUSTUP_HOME") {
        Some(dir) => PathBuf::from(dir),
        None => env::home_dir()?.join(".rustup"),
    };
    let mut toolchains = fs::read_dir(rustup.join("toolchains")).ok()?.flatten();
    toolchains
        .find(|entry| is_nightly(&entry.file_name().to_string_lossy()))
        .map(|e| e.path())
}

/// Whether rustup calls the toolchain in a directory of this name just `nightly`.
fn is_nightly(directory: &str) -> bool {
    match directory.strip_prefix("nightly") {
        Some("") => true,
        Some(rest) => rest
            .strip_prefix('-')
            .is_some_and(|host| !host.starts_with(char::is_numeric)),
        None => false,
    }
}

/// Whether the toolchain under `sysroot` has the sources of `core`.
fn has_core_source(sysroot: &Path) -> bool {
    sysroot
        .join("lib/rustlib/src/rust/library/core/src/lib.rs")
        .is_file()
}

/// Whether the toolchain under `sysroot` has a rustc, and `core` compiled for the BPF target.
fn has_prebuilt_core(sysroot: &Path) -> bool {
    let Ok(libraries) = fs::read_dir(sysroot.join("lib/rustlib").join(BPF_TARGET).join("lib"))
    else {
        return false;
    };
    sysroot.join("bin/rustc").is_file()
        && libraries.flatten().any(|entry| {
            let name = entry.file_name();
            name.to_string_lossy().starts_with("libcore-")
        })
}

/// What `program --version` says; `None` if it doesn't run or says something else.
fn version_of(program: &Path) -> Option<[u32; 3]> {
    let output = Command::new(program)
        .arg("--version")
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output();
    let output = output.ok().filter(|output| output.status.success())?;
    parse_version(&String::from_utf8_lossy(&output.stdout))
}

/// The version in the second word of a line such as `rustc 1.97.0-nightly (e50aa6fba 2026-05-19)`.
fn parse_version(line: &str) -> Option<[u32; 3]> {
    let release = line.split_whitespace().nth(1)?.split(['-', '+']).next()?;
    let mut numbers = release.split('.').map(str::parse);
    let mut next = || numbers.next()?.ok();
    Some([next()?, next()?, next()?])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_and_compared_as_numbers() {
        let parsed = |line| parse_version(line).unwrap();
        assert_eq!(parsed("bpf-linker 0.13.0\n"), [0, 13, 0]);
        assert_eq!(
            parsed("rustc 1.97.0-nightly (e50aa6fba 2026-05-19)"),
            [1, 97, 0]
        );
        assert!(parsed("bpf-linker 0.9.15") < LINKER_VERSION);
        assert!(parsed("bpf-linker 0.13.1") > LINKER_VERSION);
    }

    #[test]
    fn what_is_no_version_is_refused() {
        for line in [
            "",
            "bpf-linker",
            "bpf-linker 0.13",
            "bpf-linker one.two.three",
            "0.13.0",
        ] {
            assert_eq!(parse_version(line), None, "{line:?}");
        }
    }

    #[test]
    fn dated_nightlies_are_not_the_nightly() {
        for name in ["nightly", "nightly-x86_64-unknown-linux-gnu"] {
            assert!(is_nightly(name), "{name}");
        }
        for name in [
            "stable-x86_64-unknown-linux-gnu",
            "nightly-2026-05-19-x86_64",
            "nightlyish",
        ] {
            assert!(!is_nightly(name), "{name}");
        }
    }

    #[test]
    fn only_a_prebuilt_core_needs_unstable_features_allowed() {
        let variables = |core| {
            let toolchain = Toolchain {
                name: "x".into(),
                core,
            };
            toolchain.environment(Path::new("/opt/bpf-linker"))
        };
        let bootstrap = |(key, _): &(String, OsString)| key == "RUSTC_BOOTSTRAP";
        assert!(variables(Core::Prebuilt).iter().any(bootstrap));
        assert!(!variables(Core::Source).iter().any(bootstrap));
    }
}

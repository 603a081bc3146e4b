//! The file system in which maps are pinned.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use nix::{
    mount::{MsFlags, mount},
    sys::statfs::{BPF_FS_MAGIC, statfs},
};

/// Where the BPF file system is mounted by custom.
const ROOT: &str = "/sys/fs/bpf";

/// Makes sure that `dir` lies on a BPF file system; mounts it at its usual place if need be, as
/// `ip` and `bpftool` do.
///
/// # Errors
/// If it is somewhere else, or cannot be mounted.
pub(super) fn ensure(dir: &Path) -> Result<()> {
    let existing = nearest_existing(dir);
    if is_bpffs(&existing) {
        return Ok(());
    }
    if !dir.starts_with(ROOT) {
        bail!(
            "{} is not on a BPF file system; choose a directory below {ROOT}",
            dir.display()
        );
    }
    mount(
        Some("bpf"),
        ROOT,
        Some("bpf"),
        MsFlags::empty(),
        Some("mode=0700"),
    )
    .with_context(|| format!("cannot mount the BPF file system; type: mount -t bpf bpf {ROOT}"))
}

fn is_bpffs(path: &Path) -> bool {
    statfs(path).is_ok_and(|found| found.filesystem_type() == BPF_FS_MAGIC)
}

fn nearest_existing(dir: &Path) -> PathBuf {
    let found = dir.ancestors().find(|path| path.exists());
    found.unwrap_or(Path::new("/")).to_path_buf()
}

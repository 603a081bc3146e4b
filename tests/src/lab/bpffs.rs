//! Pins: directories in the BPF file system, one per director of the lab.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context as _, Result};
use nix::mount::{MsFlags, mount};
use nix::sys::statfs::{BPF_FS_MAGIC, statfs};

use super::leftovers;

const MOUNT_POINT: &str = "/sys/fs/bpf";

/// A directory for pins that is removed with this value.
#[derive(Debug)]
pub(super) struct PinDir {
    path: PathBuf,
}

impl PinDir {
    /// Chooses a directory that no other lab uses; whoever pins makes it.
    pub(super) fn new() -> Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        mount_once()?;
        leftovers::sweep(Path::new(MOUNT_POINT))?;
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = Path::new(MOUNT_POINT).join(format!("{}{number}", leftovers::prefix()));
        // Of a killed lab that had our process id.
        leftovers::remove(&path)?;
        Ok(Self { path })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for PinDir {
    fn drop(&mut self) {
        if let Err(error) = leftovers::remove(&self.path) {
            eprintln!("lab: {error:#}");
        }
    }
}

/// Mounts the BPF file system where it isn't; under a lock, since a second mount would hide the pins in the first.
fn mount_once() -> Result<()> {
    let place = File::open(MOUNT_POINT)
        .with_context(|| format!("no {MOUNT_POINT}: is this kernel built with BPF?"))?;
    place
        .lock()
        .with_context(|| format!("could not lock {MOUNT_POINT}"))?;
    if statfs(MOUNT_POINT)
        .with_context(|| format!("could not look at {MOUNT_POINT}"))?
        .filesystem_type()
        != BPF_FS_MAGIC
    {
        mount(
            Some("bpf"),
            MOUNT_POINT,
            Some("bpf"),
            MsFlags::empty(),
            None::<&str>,
        )
        .with_context(|| format!("could not mount the BPF file system on {MOUNT_POINT}"))?;
    }
    Ok(())
}

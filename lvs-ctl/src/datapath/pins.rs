//! Where the maps are pinned, and whose they are.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};
use lvs_common::map::LAYOUT_VERSION;
use nix::fcntl::{Flock, FlockArg};

use super::bpffs;

/// The directory of pins of a director that is not told another.
pub const DEFAULT_PIN_DIR: &str = "/sys/fs/bpf/lvs";

/// Name of the directory of this version's maps.
fn version_name() -> String {
    format!("v{LAYOUT_VERSION}")
}

/// A director's directory of pins, held by a lock for as long as the value lives; dropping it removes
/// the pins.
///
/// The maps are in a directory named after the version of their layout, so that a program of another
/// version never takes them for its own.
#[derive(Debug)]
pub struct Pins {
    root: PathBuf,
    maps: PathBuf,
    lock: Option<Flock<File>>,
}

impl Pins {
    /// Takes `root` for this director: creates it, locks it, and removes what a director that died
    /// has left in it.
    ///
    /// # Errors
    /// If another director holds it, or it cannot be made.
    pub fn take(root: &Path) -> Result<Self> {
        bpffs::ensure(root)?;
        let cannot = || format!("cannot make the directory of pins {}", root.display());
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(root)
            .with_context(cannot)?;
        let dir = File::open(root).with_context(cannot)?;
        let lock = match Flock::lock(dir, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => lock,
            Err((_, nix::Error::EWOULDBLOCK)) => bail!(
                "another director holds {}; stop it, or choose another directory with --pin-dir",
                root.display()
            ),
            Err((_, error)) => return Err(error).with_context(cannot),
        };
        let maps = root.join(version_name());
        let pins = Self {
            root: root.to_path_buf(),
            maps,
            lock: Some(lock),
        };
        pins.clear()
            .with_context(|| format!("cannot clear {}", root.display()))?;
        fs::DirBuilder::new()
            .mode(0o700)
            .create(&pins.maps)
            .with_context(cannot)?;
        Ok(pins)
    }

    /// Where a map of this name is pinned.
    pub fn path(&self, map: &str) -> PathBuf {
        self.maps.join(map)
    }

    /// Removes every version's maps; the lock says that nobody uses them.
    fn clear(&self) -> io::Result<()> {
        for entry in fs::read_dir(&self.root)? {
            let path = entry?.path();
            if path.is_dir() {
                fs::remove_dir_all(path)?;
            } else {
                fs::remove_file(path)?;
            }
        }
        Ok(())
    }
}

impl Drop for Pins {
    fn drop(&mut self) {
        let removed = self.clear().and_then(|()| fs::remove_dir(&self.root));
        if let Err(error) = removed {
            log::warn!("cannot remove the pins in {}: {error}", self.root.display());
        }
        drop(self.lock.take());
    }
}

/// The directory of the pinned maps that this version can read.
///
/// # Errors
/// If there are none, in words that say which of the likely causes it is.
pub(super) fn find(root: &Path) -> Result<PathBuf> {
    let maps = root.join(version_name());
    match fs::metadata(&maps) {
        Ok(_) => return Ok(maps),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            bail!(
                "cannot look into {}: {error}; type it as root",
                root.display()
            )
        }
        Err(_) => {}
    }
    let others: Vec<String> = fs::read_dir(root)
        .map(|entries| {
            entries
                .flatten()
                .map(|e| e.file_name().to_string_lossy().into())
                .collect()
        })
        .unwrap_or_default();
    if others.is_empty() {
        bail!(
            "no director is running: no maps are pinned in {}; start one with: lvs-ctl run -c FILE",
            root.display()
        );
    }
    bail!(
        "the maps in {} are of another version ({}), this program reads {}; use the lvs-ctl that \
         belongs to the running director",
        root.display(),
        others.join(", "),
        version_name()
    )
}

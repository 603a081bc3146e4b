//! Directories for pins.

use std::{
    fs,
    path::{Path, PathBuf},
    process,
    sync::atomic::{AtomicU32, Ordering},
};

use lvs_tests::packet::require_root;

/// A directory that no other test has, gone when the test is, however it ends.
pub(crate) struct Dir(PathBuf);

impl Dir {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        require_root();
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("/sys/fs/bpf/lvs-test-{}-{number}", process::id());
        Self(name.into())
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        if self.0.exists() && fs::remove_dir_all(&self.0).is_err() {
            eprintln!("{} is left over", self.0.display());
        }
    }
}

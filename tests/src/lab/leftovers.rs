//! What a killed lab leaves in file systems, removed by the next one.
//!
//! Everything a lab makes there is called `lvs-lab-`, its process id, and something more.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::process;

use anyhow::{Context as _, Result};

const PREFIX: &str = "lvs-lab-";

/// How the names begin that this process gives.
pub(super) fn prefix() -> String {
    format!("{PREFIX}{}-", process::id())
}

/// Removes from a directory what belongs to processes that are no more.
pub(super) fn sweep(directory: &Path) -> Result<()> {
    let unreadable = || format!("could not list {}", directory.display());
    for entry in fs::read_dir(directory).with_context(unreadable)? {
        let entry = entry.with_context(unreadable)?;
        let name = entry.file_name();
        let rest = name.to_str().and_then(|name| name.strip_prefix(PREFIX));
        let owner = rest.and_then(|rest| rest.split_once('-')?.0.parse::<u32>().ok());
        if owner.is_some_and(|pid| !Path::new("/proc").join(pid.to_string()).exists()) {
            remove(&entry.path())?;
        }
    }
    Ok(())
}

/// Removes a directory that may be gone already.
pub(super) fn remove(path: &Path) -> Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("could not remove {}", path.display()))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_belongs_to_nobody_is_swept() {
        let directory = tempfile::tempdir().expect("a directory");
        // Process ids end at 4194304.
        let dead = "lvs-lab-4194305-0";
        let ours = format!("{}0", prefix());
        let others = ["lvs-lab-x-0", "lvs-4194305-0", "lvs-lab-4194305"];
        for name in others.into_iter().chain([dead, &ours]) {
            fs::create_dir_all(directory.path().join(name).join("within")).expect("a directory");
        }
        sweep(directory.path()).expect("sweeps");
        assert!(!directory.path().join(dead).exists());
        for name in others.into_iter().chain([&*ours]) {
            assert!(directory.path().join(name).exists(), "{name}");
        }
    }
}

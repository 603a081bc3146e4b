//! `cargo xtask build`: lvs-ctl, ready to be installed.

use anyhow::Result;

use crate::{
    command::{cargo, exec},
    setup,
};

/// The task.
pub(crate) fn run() -> Result<()> {
    setup::for_building()?;
    exec(&mut cargo(["build", "--release", "-p", "lvs-ctl"]))
}

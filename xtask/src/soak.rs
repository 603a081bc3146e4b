//! `cargo xtask soak`: long runs that show a figure.

use anyhow::Result;

use crate::{
    command::{cargo, replace},
    setup,
};

/// The command line of the task.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Which ones; all of them unless named
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// For how long, each
    #[arg(long, value_name = "N", default_value_t = 60)]
    seconds: u64,
}

/// The task. A soak that takes rights asks for them itself.
pub(crate) fn run(args: &Args) -> Result<()> {
    setup::for_building()?;
    let mut soak = cargo([
        "run",
        "--release",
        "-p",
        "lvs-tests",
        "--bin",
        "lvs-soak",
        "--",
    ]);
    soak.args(["--seconds", &args.seconds.to_string()]);
    replace(soak.args(&args.names))
}

//! `cargo xtask bench`: measures the data plane.

use anyhow::Result;

use crate::{
    command::{cargo, replace},
    privileges::{self, Purpose},
    setup,
};

/// The command line of the task.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Arguments of the benchmark program
    #[arg(allow_hyphen_values = true, trailing_var_arg = true)]
    args: Vec<String>,
}

/// The task.
pub(crate) fn run(args: &Args) -> Result<()> {
    privileges::require(Purpose::Attach)?;
    setup::for_building()?;
    setup::for_running()?;
    let mut bench = cargo([
        "run",
        "--release",
        "-p",
        "lvs-tests",
        "--bin",
        "lvs-bench",
        "--",
    ]);
    replace(bench.args(&args.args))
}

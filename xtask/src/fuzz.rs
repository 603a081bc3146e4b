//! `cargo xtask fuzz`: the packet walk on random and mutated packets.

use anyhow::Result;

use crate::{
    command::{cargo, replace},
    setup,
};

/// The command line of the task.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// For how long
    #[arg(long, value_name = "N", default_value_t = 120)]
    seconds: u64,
}

/// The task. The walk runs on the host here, so it takes no rights.
pub(crate) fn run(args: &Args) -> Result<()> {
    setup::for_building()?;
    let mut fuzzer = cargo([
        "run",
        "--release",
        "-p",
        "lvs-tests",
        "--bin",
        "lvs-fuzz",
        "--",
    ]);
    replace(fuzzer.args(["--seconds", &args.seconds.to_string()]))
}

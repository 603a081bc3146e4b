//! `cargo xtask test`: every test there is.

use anyhow::Result;

use crate::{
    command::{cargo, exec, replace},
    privileges::{self, Purpose},
    setup,
};

/// The command line of the task.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only tests whose names contain one of these; after `--`, options of the test harness
    #[arg(
        value_name = "FILTER",
        allow_hyphen_values = true,
        trailing_var_arg = true
    )]
    filters: Vec<String>,
}

/// The task. Without the rights that some tests take it fails: a skipped test proves nothing.
pub(crate) fn run(args: &Args) -> Result<()> {
    privileges::require(Purpose::Lab)?;
    setup::for_building()?;
    setup::for_running()?;
    // `cargo test` alone leaves out the programs that the scenarios start. Building them together
    // with the tests keeps the features of the dependencies, and so what is compiled, the same.
    exec(&mut cargo(["build", "--workspace", "--bins", "--tests"]))?;
    let mut tests = cargo(["test", "--workspace", "--no-fail-fast", "--"]);
    replace(tests.args(&args.filters))
}

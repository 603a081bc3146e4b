//! `lvs-ctl run`.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Result;

use super::{INVALID, check};
use crate::director::{self, Options};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The configuration file
    #[arg(short, long, value_name = "FILE")]
    config: PathBuf,
    /// Log every packet that the data plane sees: slow, for looking closely
    #[arg(long)]
    trace: bool,
}

pub(super) fn run(args: &Args, pin_dir: &Path) -> Result<ExitCode> {
    let Some(config) = check::load(&args.config) else {
        return Ok(ExitCode::from(INVALID));
    };
    let options = Options {
        pin_dir: pin_dir.to_path_buf(),
        trace: args.trace,
    };
    director::run(&config, &options)?;
    Ok(ExitCode::SUCCESS)
}

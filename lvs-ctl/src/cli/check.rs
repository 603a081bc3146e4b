//! `lvs-ctl check`.

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Result;
use serde::Serialize;

use super::{INVALID, Output, color_on_stderr};
use crate::config::{self, Config, Diagnostic, Loaded};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The configuration file
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// How to print what was found
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
}

/// What `check -o json` prints.
#[derive(Debug, Serialize)]
struct Report<'a> {
    version: u32,
    valid: bool,
    diagnostics: Vec<&'a Diagnostic>,
}

pub(super) fn run(args: &Args, out: &mut impl Write) -> Result<ExitCode> {
    let checked = config::load(&args.file);
    match args.output {
        Output::Json => {
            let (valid, diagnostics) = match &checked {
                Ok(loaded) => (true, loaded.warnings.iter().collect()),
                Err(errors) => (false, errors.iter().collect()),
            };
            let report = Report {
                version: 1,
                valid,
                diagnostics,
            };
            writeln!(out, "{}", serde_json::to_string_pretty(&report)?)?;
        }
        Output::Table => {
            if let Some(config) = report(&checked) {
                let services = config.services.len();
                let backends: usize = config.services.iter().map(|s| s.backends.len()).sum();
                let file = args.file.display();
                writeln!(
                    out,
                    "{file} is valid: services {services}, backends {backends}"
                )?;
            }
        }
    }
    Ok(if checked.is_ok() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(INVALID)
    })
}

/// The configuration in a file, if it is valid; what is wrong with it goes to stderr.
pub(super) fn load(file: &Path) -> Option<Config> {
    report(&config::load(file)).cloned()
}

fn report(checked: &Result<Loaded, config::Diagnostics>) -> Option<&Config> {
    let color = color_on_stderr();
    match checked {
        Ok(loaded) => {
            for warning in &loaded.warnings {
                eprintln!("{}", warning.render(color).trim_end());
            }
            Some(&loaded.config)
        }
        Err(errors) => {
            eprintln!("{}", errors.render(color).trim_end());
            None
        }
    }
}

//! `lvs-soak`: long runs that show a figure, each with a rule that it must not break.

use std::{process::ExitCode, time::Duration};

use clap::{Parser, builder::PossibleValuesParser};
use lvs_tests::soak::{SOAKS, Soak};

/// Runs long, prints what it measured, and fails if a rule is broken.
#[derive(Parser)]
#[command(name = "lvs-soak")]
struct Args {
    /// Which ones; all of them unless named
    #[arg(value_name = "NAME", value_parser = PossibleValuesParser::new(names()))]
    names: Vec<String>,
    /// For how long, each; one that takes longer to show anything takes longer
    #[arg(long, value_name = "N", default_value_t = 60)]
    seconds: u64,
}

fn names() -> impl Iterator<Item = &'static str> {
    SOAKS.iter().map(|soak| soak.name)
}

fn main() -> ExitCode {
    let args = Args::parse();
    let chosen = |soak: &&Soak| args.names.is_empty() || args.names.iter().any(|n| n == soak.name);
    let mut outcome = ExitCode::SUCCESS;
    for soak in SOAKS.iter().filter(chosen) {
        if let Err(error) = soak.run(Duration::from_secs(args.seconds)) {
            eprintln!("error: {error:#}");
            outcome = ExitCode::FAILURE;
        }
    }
    outcome
}

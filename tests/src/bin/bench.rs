//! `lvs-bench`: measures the data plane.

use std::{
    io::{Write as _, stdout},
    process::ExitCode,
};

use anyhow::{Result, ensure};
use clap::{Parser, Subcommand, ValueEnum};
use lvs_tests::bench::{Plan, run};

/// Measures what a packet costs in the data plane, and in one that keeps its flows in the kernel's
/// LRU maps.
///
/// Packets are made in the kernel; no interface takes part. Figures are of one CPU, and only those
/// of one run can be compared.
#[derive(Parser)]
#[command(name = "lvs-bench", version, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    kind: Option<Kind>,
    #[command(flatten)]
    micro: Micro,
}

#[derive(Subcommand)]
enum Kind {
    /// The programs alone, one packet after the other (the default)
    Micro(Micro),
}

#[derive(clap::Args)]
struct Micro {
    /// Numbers of flows: 1, 10k, 1M
    #[arg(long, value_delimiter = ',', default_value = "1,10k,1M", value_parser = flows)]
    flows: Vec<u32>,
    /// Only see that everything works: few packets, and figures that mean nothing
    #[arg(long)]
    quick: bool,
    /// How to print the figures
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
}

#[derive(Clone, Copy, Default, ValueEnum)]
enum Output {
    /// For reading.
    #[default]
    Table,
    /// For programs.
    Json,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let micro = match cli.kind {
        Some(Kind::Micro(micro)) => micro,
        None => cli.micro,
    };
    match measure(micro) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => {
            eprintln!("error: some figures are invalid, see above");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Measures and prints; whether the figures are valid.
fn measure(micro: Micro) -> Result<bool> {
    let plan = Plan {
        flows: micro.flows,
        quick: micro.quick,
    };
    let report = run(&plan, |step| eprintln!("{step}"))?;
    let mut out = stdout().lock();
    match micro.output {
        Output::Table => write!(out, "{report}")?,
        Output::Json => writeln!(out, "{}", serde_json::to_string_pretty(&report)?)?,
    }
    Ok(report.is_valid())
}

/// A number of flows, with `k` for thousands and `M` for millions.
fn flows(text: &str) -> Result<u32> {
    const MOST: u32 = 10_000_000;
    let (digits, unit) = match text.strip_suffix(['k', 'M']) {
        Some(digits) if text.ends_with('k') => (digits, 1_000),
        Some(digits) => (digits, 1_000_000),
        None => (text, 1),
    };
    let flows = digits.parse::<u32>()?.saturating_mul(unit);
    ensure!(
        (1..=MOST).contains(&flows),
        "between 1 and {} million",
        MOST / 1_000_000
    );
    Ok(flows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units() {
        assert_eq!(flows("1").unwrap(), 1);
        assert_eq!(flows("10k").unwrap(), 10_000);
        assert_eq!(flows("1M").unwrap(), 1_000_000);
        for bad in ["", "0", "k", "11M", "99999M", "-1", "1m"] {
            assert!(flows(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn arguments() {
        for words in [
            &["lvs-bench", "--quick"][..],
            &["lvs-bench", "micro", "--quick"],
        ] {
            let cli = Cli::try_parse_from(words).unwrap();
            let micro = cli.kind.map_or(cli.micro, |Kind::Micro(micro)| micro);
            assert!(micro.quick);
            assert_eq!(micro.flows, [1, 10_000, 1_000_000]);
        }
    }
}

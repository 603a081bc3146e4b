//! `lvs-ctl connections flush`.

use std::{io::Write, path::Path, process::ExitCode};

use anyhow::{Result, ensure};

use super::{super::Output, filter::Filter};
use crate::datapath::Pinned;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    filter: Filter,
    /// All connections, instead of a filter
    #[arg(long)]
    all: bool,
    /// How to print the number of connections
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
}

/// Ends the connections that the filters let through.
pub(super) fn run(args: &Args, pin_dir: &Path, out: &mut impl Write) -> Result<ExitCode> {
    let Args {
        filter,
        all,
        output,
    } = args;
    ensure!(
        *all || !filter.is_empty(),
        "this would end every connection: give a filter such as --client 10.0.0.100, or say --all"
    );
    ensure!(
        !*all || filter.is_empty(),
        "--all and a filter contradict each other: give one of them"
    );
    let pinned = Pinned::open(pin_dir)?;
    let chosen = filter.choose(&pinned, |_, _, _| Ok(()))?;
    let flows = pinned.flows()?;
    let flows = flows.iter(|word| chosen.has(word)).map(|(flow, _)| flow);
    let ended = pinned.flush(flows.filter(|flow| chosen.has_client(flow.source)))?;
    match output {
        Output::Json => writeln!(out, "{{\"version\":1,\"flushed\":{ended}}}")?,
        Output::Table if ended == 1 => writeln!(out, "flushed 1 connection")?,
        Output::Table => writeln!(out, "flushed {ended} connections")?,
    }
    Ok(ExitCode::SUCCESS)
}

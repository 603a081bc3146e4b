//! `lvs-ctl connections`: lists them, or ends them.

mod digits;
mod filter;
mod flush;
mod rows;

use std::{io::Write, path::Path, process::ExitCode};

use anyhow::{Result, ensure};

use super::{Output, color_on_stderr};
use crate::datapath::Pinned;
use filter::Filter;
use rows::{Known, Rows};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    filter: Filter,
    /// How to print them
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Forget the connections that a filter lets through
    ///
    /// Nobody is told: the next TCP segment of one is of an unknown connection, which the host answers
    /// with RST unless `mid_stream` says otherwise, and the next datagram of UDP is scheduled anew.
    Flush(flush::Args),
}

pub(super) fn run(args: &Args, pin_dir: &Path, out: &mut impl Write) -> Result<ExitCode> {
    match &args.action {
        None => list(args, pin_dir, out),
        Some(Action::Flush(flush)) => {
            ensure!(
                args.filter.is_empty(),
                "a filter before `flush` would not hold for it: write it behind"
            );
            flush::run(flush, pin_dir, out)
        }
    }
}

/// Prints the connections as it reads them: what the flow word says decides first, and of a connection
/// that is not wanted nothing else is read.
fn list(args: &Args, pin_dir: &Path, out: &mut impl Write) -> Result<ExitCode> {
    let pinned = Pinned::open(pin_dir)?;
    let known = |address, destination, name| Known::new(args.output, address, destination, name);
    let chosen = args.filter.choose(&pinned, known)?;
    pinned.sweep()?;
    let flows = pinned.flows()?;
    let mut rows = Rows::new(args.output, out);
    let mut wanted = flows.iter(|word| chosen.has(word));
    wanted.try_for_each(|(flow, left)| match chosen.backend(flow.word) {
        Some(backend) if chosen.has_client(flow.source) => rows.write(&flow, left, backend),
        _ => Ok(()),
    })?;
    if rows.finish()? == 0 && matches!(args.output, Output::Table) && color_on_stderr() {
        log::info!("no connections");
    }
    Ok(ExitCode::SUCCESS)
}

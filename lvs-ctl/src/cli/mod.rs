//! The command line.

mod check;
mod connections;
mod decap;
mod names;
mod run;
mod stats;

use std::{
    io::{self, IsTerminal as _, Write as _},
    path::PathBuf,
    process::ExitCode,
};

use anyhow::Result;
use clap::{ArgAction, Parser, Subcommand, ValueEnum};

use crate::datapath::DEFAULT_PIN_DIR;

/// Linux Virtual Server at the NIC: a layer 4 load balancer in XDP.
#[derive(Debug, Parser)]
#[command(name = "lvs-ctl", version, about, max_term_width = 100)]
pub struct Cli {
    /// Directory on a BPF file system where the maps of the director are
    #[arg(long, global = true, value_name = "DIR", default_value = DEFAULT_PIN_DIR)]
    pin_dir: PathBuf,
    /// Say more: -v details, -vv every sweep; with `run --trace` every packet
    #[arg(short, long, global = true, action = ArgAction::Count)]
    verbose: u8,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Attach to the NIC and forward, until Ctrl-C
    Run(run::Args),
    /// Show connections, packets and bytes of each service and backend
    Stats(stats::Args),
    /// List connections: state, client, virtual address, backend; or flush them
    #[command(visible_alias = "conn")]
    Connections(connections::Args),
    /// Take packets out of tunnels, until Ctrl-C: for a backend without a tunnel device
    Decap(decap::Args),
    /// Check a configuration file; needs neither root nor a running director
    Check(check::Args),
}

/// How results are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Output {
    /// For people; may change from version to version
    #[default]
    Table,
    /// For programs; stable, see its field "version"
    Json,
}

/// Exit code of a configuration that is not valid.
const INVALID: u8 = 3;

/// Does what the command line says.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    start_log(cli.verbose);
    match cli.run(&mut io::stdout()) {
        Ok(code) => code,
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            log::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

impl Cli {
    /// Does what the command line says, and prints what was asked for to `out`: what [`main`] does, but
    /// for the log.
    ///
    /// # Errors
    /// If the command fails, in words that say what to do, or `out` does.
    pub fn run(&self, out: &mut impl io::Write) -> Result<ExitCode> {
        match &self.command {
            Command::Run(args) => run::run(args, &self.pin_dir),
            Command::Stats(args) => stats::run(args, &self.pin_dir, out),
            Command::Connections(args) => connections::run(args, &self.pin_dir, out),
            Command::Decap(args) => decap::run(args, out),
            Command::Check(args) => check::run(args, out),
        }
    }
}

/// Whether whoever read the output has had enough of it.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let io = error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<io::Error>());
    io.into_iter()
        .any(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

/// Has the log go to stderr, as lines that begin with what they are.
fn start_log(verbose: u8) {
    let level = match verbose {
        0 => log::LevelFilter::Info,
        1 => log::LevelFilter::Debug,
        _ => log::LevelFilter::Trace,
    };
    env_logger::Builder::new()
        .filter(Some("lvs_ctl"), level)
        .filter(Some("lvs"), log::LevelFilter::Trace)
        .filter_level(log::LevelFilter::Error)
        .format(|to, record| {
            let style = to.default_level_style(record.level());
            let level = match record.level() {
                log::Level::Error => "error: ",
                log::Level::Warn => "warning: ",
                log::Level::Info => "",
                log::Level::Debug => "debug: ",
                log::Level::Trace => "trace: ",
            };
            writeln!(to, "{style}{level}{style:#}{}", record.args())
        })
        .init();
}

/// Whether colour suits stderr: a terminal, and nobody said no (<https://no-color.org>).
fn color_on_stderr() -> bool {
    let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    io::stderr().is_terminal() && !refused && !dumb
}

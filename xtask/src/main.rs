//! The project's chores, as `cargo xtask VERB`: a file a task.

mod bench;
mod build;
mod command;
mod ebpf_tools;
mod fuzz;
mod lint;
mod packages;
mod privileges;
mod run;
mod setup;
mod soak;
mod test;
mod tidy;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Builds, runs and checks LVS at the NIC
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

/// What to do.
#[derive(Subcommand)]
enum Task {
    /// Find or install what building and running needs
    Setup,
    /// Build lvs-ctl, with the eBPF object inside, in release mode
    Build,
    /// Show the balancer at work in a laboratory network, or run it on the interfaces of a configuration
    Run(run::Args),
    /// Run every test there is
    Test(test::Args),
    /// Check formatting, lints and the house rules
    Lint,
    /// Run the packet walk on random and mutated packets
    Fuzz(fuzz::Args),
    /// Run long, to show figures and rules that a test is too short for
    Soak(soak::Args),
    /// Measure the data plane
    Bench(bench::Args),
}

fn main() -> ExitCode {
    let result = match Cli::parse().task {
        Task::Setup => setup::run(),
        Task::Build => build::run(),
        Task::Run(args) => run::run(&args),
        Task::Test(args) => test::run(&args),
        Task::Lint => lint::run(),
        Task::Fuzz(args) => fuzz::run(&args),
        Task::Soak(args) => soak::run(&args),
        Task::Bench(args) => bench::run(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}

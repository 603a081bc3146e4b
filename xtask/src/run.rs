//! `cargo xtask run`: the balancer at work.

use anyhow::Result;

use crate::{
    build,
    command::{cargo, exec, replace},
    privileges::{self, Purpose},
    setup,
};

/// The command line of the task.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Leave the laboratory up and print how to enter it
    #[arg(long, conflicts_with = "director")]
    keep: bool,
    /// How the laboratory forwards: dr, tun, nat or fullnat
    #[arg(long, conflicts_with = "director")]
    mode: Option<String>,
    /// Have the laboratory talk IPv6
    #[arg(long, conflicts_with = "director")]
    ipv6: bool,
    /// Arguments of `lvs-ctl run`, such as `-c FILE`: attach to real interfaces, no laboratory
    #[arg(last = true, value_name = "ARGS")]
    director: Vec<String>,
}

/// The task. Ends by becoming what it started, which so gets Ctrl-C and cleans up.
pub(crate) fn run(args: &Args) -> Result<()> {
    let lab = args.director.is_empty();
    privileges::require(if lab { Purpose::Lab } else { Purpose::Attach })?;
    setup::for_running()?;
    if lab {
        setup::for_building()?;
        exec(&mut cargo([
            "build",
            "--release",
            "-p",
            "lvs-ctl",
            "-p",
            "lvs-tests",
            "--bins",
        ]))?;
        let mut demo = cargo(["run", "--quiet", "--release", "-p", "lvs-tests"]);
        demo.args(["--bin", "lvs-lab", "--", "demo"]);
        demo.args(args.mode.iter().map(|mode| format!("--mode={mode}")));
        demo.args(args.ipv6.then_some("--ipv6"));
        replace(demo.args(args.keep.then_some("--keep")))
    } else {
        build::run()?;
        let mut director = cargo(["run", "--quiet", "--release", "-p", "lvs-ctl"]);
        replace(
            director
                .args(["--bin", "lvs-ctl", "--", "run"])
                .args(&args.director),
        )
    }
}

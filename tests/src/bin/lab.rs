//! `lvs-lab demo`: the balancer in a network of its own, with real requests and a table at the end.

use std::io::{IsTerminal as _, stderr};
use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Result;
use clap::{Parser, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use lvs_tests::lab::interrupt::{EXIT_STATUS, Interrupt};
use lvs_tests::lab::{Director, Farm, Mode, Segment, VIP4, VIP6, config, http, lvs_ctl, verdict};

/// What the three backends are worth.
const WEIGHTS: [u32; 3] = [3, 2, 1];

/// A laboratory for lvs-ctl: a client, a balancer and backends in network namespaces of this machine.
#[derive(Parser)]
#[command(name = "lvs-lab", version)]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Balances real HTTP requests over three backends with the weights 3:2:1 and shows what went where.
    Demo {
        /// Stay up afterwards, until Ctrl-C, and say how to enter the lab.
        #[arg(long)]
        keep: bool,
        /// The forwarding mode.
        #[arg(long, value_enum, default_value_t = Mode::Dr)]
        mode: Mode,
        /// Over IPv6 instead of IPv4.
        #[arg(long)]
        ipv6: bool,
        /// How many requests to send.
        #[arg(long, value_name = "N", default_value_t = 6000, value_parser = clap::value_parser!(u64).range(1..))]
        requests: u64,
    },
}

/// How the demo ended, if nothing failed.
enum End {
    Done,
    Interrupted,
}

fn main() -> ExitCode {
    let Cli { task } = Cli::parse();
    match Interrupt::watch().and_then(|interrupt| demo(&task, &interrupt)) {
        Ok(End::Done) => ExitCode::SUCCESS,
        Ok(End::Interrupted) => {
            eprintln!("interrupted; the lab is gone");
            ExitCode::from(EXIT_STATUS)
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Everything the demo starts is held by variables here, so it is gone when this returns, whichever way.
fn demo(task: &Task, interrupt: &Interrupt) -> Result<End> {
    let Task::Demo {
        keep,
        mode,
        ipv6,
        requests,
    } = *task;
    let vip = if ipv6 { VIP6.into() } else { VIP4.into() };
    let web = mode.service(vip, Farm::HTTP);

    // Before anything is built: the likeliest thing to be missing.
    lvs_ctl()?;
    eprintln!("lab: a client, a balancer and three backends on one segment");
    let segment = Segment::builder().build()?;
    let _tunnels = mode.prepare(&segment)?;
    let farm = Farm::start(&segment.backends)?;
    if interrupt.is_asked() {
        return Ok(End::Interrupted);
    }

    let yaml = config::yaml(
        &[segment.balancer.device],
        &[mode.configure(
            Farm::web_at(&segment.backends, web, &WEIGHTS),
            Farm::HTTP,
            &segment.network,
        )],
    );
    let mut director = Director::launch(&segment.balancer.namespace, &yaml)?;
    director.wait_until_forwarding(|| interrupt.is_asked())?;
    if interrupt.is_asked() {
        return Ok(End::Interrupted);
    }
    eprint!("{}", director.said());

    eprintln!("client: {requests} requests to http://{web}/, each a connection of its own");
    let start = Instant::now();
    let tally = send(&segment, web, requests, interrupt)?;
    if interrupt.is_asked() {
        return Ok(End::Interrupted);
    }
    eprintln!(
        "client: {} answers in {:.1} s",
        tally.answered(),
        start.elapsed().as_secs_f32()
    );

    println!("{}", director.stats_table()?.trim_end());
    let stats = director.stats()?;
    let verdict = stats
        .service("web")
        .and_then(|counted| verdict::balanced(&segment.backends, &WEIGHTS, &tally, &farm, counted));
    if verdict.is_ok() {
        println!(
            "ok: {requests} requests, 0 failed; client, backends and balancer count the same \
             connections, in the ratio of the weights {}",
            WEIGHTS.map(|weight| weight.to_string()).join(":")
        );
    }

    if keep {
        if let Err(error) = &verdict {
            eprintln!("error: {error:#}");
        }
        show_the_way(&segment, &director, web);
        while !interrupt.wait(Duration::from_hours(1)) {}
        eprintln!("lab: going down");
    }
    director.stop()?;
    verdict.map(|()| End::Done)
}

/// Sends the requests, with a bar for people and a line now and then for files.
fn send(
    segment: &Segment,
    vip: SocketAddr,
    requests: u64,
    interrupt: &Interrupt,
) -> Result<http::Tally> {
    let people = stderr().is_terminal();
    let bar = if people {
        ProgressBar::new(requests)
    } else {
        ProgressBar::hidden()
    };
    bar.set_style(ProgressStyle::with_template(
        "{bar:40} {pos}/{len} requests, {per_sec}, {eta} left",
    )?);
    let tally = http::load(&segment.client.namespace, vip, requests, |ended| {
        bar.set_position(ended);
        if !people && ended % requests.div_ceil(4) == 0 {
            eprintln!("client: {ended} of {requests}");
        }
        if interrupt.is_asked() {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    });
    bar.finish_and_clear();
    tally
}

/// Tells a person how to go on by hand.
fn show_the_way(segment: &Segment, director: &Director, vip: SocketAddr) {
    println!("\nThe lab stays up until Ctrl-C. As root, from another terminal:");
    for host in [&segment.client, &segment.balancer]
        .into_iter()
        .chain(&segment.backends)
    {
        println!(
            "  {:<12} {:<11} {:<10} {}",
            host.name,
            host.ipv4,
            host.ipv6,
            host.namespace.enter_hint()
        );
    }
    println!("For example:");
    println!(
        "  {} curl -i http://{vip}/",
        segment.client.namespace.enter_hint()
    );
    println!("  {} ip -s link", segment.balancer.namespace.enter_hint());
    println!("  {}", shown(director));
}

/// The command that prints the table, as one would type it.
fn shown(director: &Director) -> String {
    let command = director.ctl(&["stats"]);
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words
        .map(|word| word.to_string_lossy())
        .collect::<Vec<_>>()
        .join(" ")
}

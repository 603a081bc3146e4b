//! `lvs-fuzz`: the packet walk on random and mutated packets, until time is up or a rule is broken.

use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use clap::Parser;
use lvs_tests::fuzz::{Fuzzer, report_faults};
use rand::{Rng as _, SeedableRng as _, rngs::SmallRng};

/// Walks random and mutated packets and checks what becomes of each.
#[derive(Parser)]
#[command(name = "lvs-fuzz")]
struct Args {
    /// For how long
    #[arg(long, value_name = "N", default_value_t = 120)]
    seconds: u64,
    /// Which run; another one each time unless given
    #[arg(long, value_name = "S")]
    seed: Option<u64>,
}

/// How often to tell how far it is.
const PROGRESS: Duration = Duration::from_secs(5);
/// Packets between two looks at the clock.
const BATCH: u32 = 1024;

fn main() -> Result<ExitCode> {
    let args = Args::parse();
    let seed = args
        .seed
        .unwrap_or_else(|| SmallRng::from_os_rng().random());
    report_faults().context("failed to watch for faults")?;
    let mut fuzzer = Fuzzer::new(seed).context("failed to map memory for frames")?;
    println!("fuzzing for {} s, seed {seed}", args.seconds);
    let start = Instant::now();
    let mut next = PROGRESS;
    let elapsed = loop {
        for _ in 0..BATCH {
            if let Err(failure) = fuzzer.step() {
                eprintln!("{failure}");
                return Ok(ExitCode::FAILURE);
            }
        }
        let elapsed = start.elapsed();
        if elapsed >= Duration::from_secs(args.seconds) {
            break elapsed;
        }
        if elapsed >= next {
            next += PROGRESS;
            let packets = fuzzer.report().packets();
            println!("{:>5} s {packets:>14} packets", elapsed.as_secs());
        }
    };
    let report = fuzzer.report();
    let rate = report.packets() * 1000 / (elapsed.as_millis() as u64).max(1);
    println!("{report}");
    println!("{:<24}{rate:>14}", "packets a second");
    println!("no rule was broken");
    Ok(ExitCode::SUCCESS)
}

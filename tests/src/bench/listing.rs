//! Timing `lvs-ctl connections`.

use std::time::Instant;

use anyhow::{Context as _, Result};
use clap::Parser as _;
use lvs_common::Family;
use lvs_ctl::cli::Cli;

use super::{
    cases::{Case, Program, one_ack_each},
    measure::{Plan, RARELY, family_name},
    report::Listing,
    rig::Rig,
    samples::Spread,
};

/// Connections that are listed.
const LISTED_FLOWS: u32 = 1_000_000;
const QUICK_FLOWS: u32 = 20_000;

/// Times the listing of a table that is full to a quarter, as JSON into memory: all that the command
/// does but start its process and write to a file.
pub(super) fn list(plan: &Plan, family: Family, complaints: &mut Vec<String>) -> Result<Listing> {
    let flows = if plan.quick {
        QUICK_FLOWS
    } else {
        LISTED_FLOWS
    };
    let mut rig = Rig::new(family, flows)?;
    rig.run(Program::Lvs, &Case::Insert.batch(flows, 0, flows))?;
    rig.run(Program::Lvs, &one_ack_each(flows))?;
    let (pins, root) = rig.pin()?;
    let command = ["lvs-ctl", "connections", "-o", "json", "--pin-dir", &root];
    let command = Cli::try_parse_from(command)?;
    let mut times = Vec::new();
    let mut out = Vec::new();
    // The first one finds no memory to write to.
    for sample in 0..if plan.quick { 2 } else { 10 } {
        out.clear();
        let start = Instant::now();
        command.run(&mut out)?;
        if sample > 0 {
            times.push(start.elapsed().as_micros() as u32);
        }
        let rows = out.split(|byte| *byte == b'\n');
        let listed = rows.filter(|row| row.starts_with(b"{\"protocol\"")).count() as u32;
        if listed > flows || u64::from(flows - listed) > u64::from(flows) / RARELY {
            complaints.push(format!(
                "of {flows} connections over {} {listed} are listed",
                family_name(family)
            ));
        }
    }
    drop(pins);
    Ok(Listing {
        family: family_name(family),
        flows,
        bytes: out.len() as u64,
        microseconds: Spread::of(&times).context("no listing was timed")?,
    })
}

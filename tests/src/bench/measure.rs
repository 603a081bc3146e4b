//! Going through families and numbers of flows, and timing the sweep.

use std::time::Instant;

use anyhow::{Result, ensure};
use lvs_common::Family;

use super::{
    cases::{Case, Program},
    listing::list,
    machine::Machine,
    report::{Report, Sweep},
    rig::Rig,
    rounds::Bench,
    samples::Spread,
};

/// How much is measured.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Numbers of flows.
    pub flows: Vec<u32>,
    /// Only see that everything runs: the figures mean nothing.
    pub quick: bool,
}

/// Flows of the table that is swept, which has 2^20 slots.
const SWEPT_FLOWS: u32 = 250_000;

/// Of so many packets or flows one may come off badly in the data plane, whose flow table may have all
/// places of a new flow taken: at a quarter of its slots less than one in a million does.
pub(super) const RARELY: u64 = 10_000;

/// Measures everything; `progress` is told what comes next.
pub fn run(plan: &Plan, mut progress: impl FnMut(&str)) -> Result<Report> {
    let machine = Machine::prepare()?;
    let mut report = Report::new(machine, plan.quick);
    for family in [Family::Ipv4, Family::Ipv6] {
        for flows in &plan.flows {
            let mut bench = Bench::new(plan, family, *flows);
            let rounds = bench.rounds();
            for round in 0..rounds {
                progress(&format!(
                    "{}: {flows} flows, round {} of {rounds}",
                    family_name(family),
                    round + 1
                ));
                let mut rig = Rig::new(family, *flows)?;
                if report.programs.is_empty() {
                    report.programs = rig.facts()?;
                }
                bench.round(&mut rig, round)?;
            }
            bench.finish(&mut report);
        }
    }
    progress("sweep");
    report.sweep = Some(sweep(plan, &mut report.complaints)?);
    for family in [Family::Ipv4, Family::Ipv6] {
        progress(&format!("{}: listing", family_name(family)));
        let listing = list(plan, family, &mut report.complaints)?;
        report.listings.push(listing);
    }
    Ok(report)
}

/// The family's name.
pub(super) const fn family_name(family: Family) -> &'static str {
    match family {
        Family::Ipv4 => "IPv4",
        Family::Ipv6 => "IPv6",
    }
}

/// Times a sweep of a table with 2^20 slots, a quarter of them taken.
fn sweep(plan: &Plan, complaints: &mut Vec<String>) -> Result<Sweep> {
    let mut rig = Rig::new(Family::Ipv4, SWEPT_FLOWS)?;
    rig.run(
        Program::Lvs,
        &Case::Insert.batch(SWEPT_FLOWS, 0, SWEPT_FLOWS),
    )?;
    let slots = rig.capacity(Program::Lvs);
    let mut times = Vec::new();
    let mut live = 0;
    for _ in 0..if plan.quick { 1 } else { 15 } {
        let start = Instant::now();
        let swept = rig.datapath().sweep()?;
        times.push(start.elapsed().as_micros() as u32);
        live = swept.live;
        if swept.retired != 0 || live < u64::from(SWEPT_FLOWS) - u64::from(SWEPT_FLOWS) / RARELY {
            complaints.push(format!(
                "a sweep of {SWEPT_FLOWS} flows frees {} and finds {live}",
                swept.retired
            ));
        }
    }
    let spread = Spread::of(&times);
    ensure!(spread.is_some(), "no sweep was timed");
    Ok(Sweep {
        slots,
        live,
        microseconds: spread,
    })
}

//! One address family and number of flows: rounds of all cases, each on empty tables.

use anyhow::Result;
use lvs_common::Family;

use super::{
    cases::{Case, Program, one_ack_each},
    measure::{Plan, RARELY, family_name},
    report::{Report, Row, Survivors},
    rig::{Outcome, Rig},
    samples::Spread,
};

/// Fewer flows than this are not worth inserting: a run is over before it is measured.
const LEAST_TO_INSERT: u32 = 1000;

/// Times of one row.
struct Series {
    case: Case,
    program: Program,
    times: Vec<u32>,
    complaints: Vec<String>,
}

/// One family and number of flows.
pub(super) struct Bench<'a> {
    plan: &'a Plan,
    family: Family,
    flows: u32,
    series: Vec<Series>,
    survivors: Vec<Survivors>,
    complaints: Vec<String>,
}

impl<'a> Bench<'a> {
    /// Nothing measured yet.
    pub(super) fn new(plan: &'a Plan, family: Family, flows: u32) -> Self {
        Self {
            plan,
            family,
            flows,
            series: Vec::new(),
            survivors: Vec::new(),
            complaints: Vec::new(),
        }
    }

    /// How often to load everything anew. Inserting few flows takes no time, and so is noisy.
    pub(super) fn rounds(&self) -> usize {
        match (self.plan.quick, self.flows) {
            (true, _) => 1,
            (false, 100_001..) => 3,
            (false, _) => 7,
        }
    }

    /// How often to measure a case in a round.
    fn samples(&self) -> usize {
        if self.plan.quick { 1 } else { 3 }
    }

    /// Packets of one measurement: every flow gets several, or at least one of a great many.
    fn packets(&self) -> u32 {
        if self.plan.quick {
            20_000
        } else {
            self.flows.clamp(300_000, 1_000_000)
        }
    }

    /// All cases once, on empty tables.
    pub(super) fn round(&mut self, rig: &mut Rig, round: usize) -> Result<()> {
        let inserts = self.flows >= LEAST_TO_INSERT;
        for program in turn(round) {
            let batch = Case::Insert.batch(self.flows, 0, self.flows);
            let outcome = rig.run(program, &batch)?;
            if inserts {
                self.note(Case::Insert, program, self.flows, &outcome);
            }
        }
        self.establish(rig)?;
        for case in [Case::Established, Case::SynAgain, Case::NoService] {
            for sample in 0..self.samples() {
                for program in turn(round + sample) {
                    // The other programs' tables have taken the place of its own in the caches.
                    rig.run(program, &case.batch(self.flows, 0, self.packets() / 5))?;
                    let batch = case.batch(self.flows, 0, self.packets());
                    let outcome = rig.run(program, &batch)?;
                    self.note(case, program, batch.packets, &outcome);
                }
            }
        }
        if inserts {
            self.flood(rig, round)?;
        }
        Ok(())
    }

    /// Completes the handshakes, and sees that all flows are there.
    fn establish(&mut self, rig: &mut Rig) -> Result<()> {
        let flows = u64::from(self.flows);
        for program in Program::ALL {
            // Three packets make a flow a proven one.
            for _ in 0..2 {
                let counts = rig.run(program, &one_ack_each(self.flows))?.counts;
                if program != Program::NullTx && counts.sent < flows - flows / RARELY {
                    self.complaints.push(format!(
                        "{} keeps {} of {flows} flows that it was given",
                        program.name(),
                        counts.sent
                    ));
                }
            }
        }
        let (counted, found) = rig.flows()?;
        if counted != found || found > flows || found < flows - flows / RARELY {
            self.complaints.push(format!(
                "lvs counts {counted} flows and has {found}, of {flows} that it was given"
            ));
        }
        Ok(())
    }

    /// Fills the tables, measures what one more flow costs, and looks who is left.
    fn flood(&mut self, rig: &mut Rig, round: usize) -> Result<()> {
        let mut next = [self.flows; Program::ALL.len()];
        let mut some = |program: Program, packets: u32| {
            let first = &mut next[program as usize];
            let batch = Case::Flood.batch(0, *first, packets);
            *first += packets;
            batch
        };
        for program in Program::ALL {
            let capacity = rig.capacity(program);
            rig.run(program, &some(program, capacity + capacity / 2 + 1))?;
        }
        for sample in 0..self.samples() {
            for program in turn(round + sample) {
                let batch = some(program, self.packets());
                let outcome = rig.run(program, &batch)?;
                self.note(Case::Flood, program, batch.packets, &outcome);
            }
        }
        for program in &Program::ALL[1..] {
            let flooded = next[*program as usize] - self.flows;
            let left = rig.run(*program, &one_ack_each(self.flows))?.counts.sent;
            self.survivors.push(Survivors {
                family: family_name(self.family),
                program: *program,
                flows: self.flows,
                flooded,
                left,
            });
        }
        let (counted, found) = rig.flows()?;
        if counted != found {
            self.complaints.push(format!(
                "after the flood lvs counts {counted} flows and has {found}"
            ));
        }
        Ok(())
    }

    /// Takes an outcome into its row.
    fn note(&mut self, case: Case, program: Program, packets: u32, outcome: &Outcome) {
        let is_its = |series: &Series| series.case == case && series.program == program;
        let place = self.series.iter().position(is_its).unwrap_or_else(|| {
            self.series.push(Series {
                case,
                program,
                times: Vec::new(),
                complaints: Vec::new(),
            });
            self.series.len() - 1
        });
        let series = &mut self.series[place];
        series.times.push(outcome.nanoseconds);
        series
            .complaints
            .extend(case.complaint(program, packets, outcome));
    }

    /// Adds what was found out to the report.
    pub(super) fn finish(self, report: &mut Report) {
        for case in Case::ALL {
            let of = |program: Program| {
                let mut all = self.series.iter();
                all.find(|series| series.case == case && series.program == program)
            };
            let median = |program| Spread::of(&of(program)?.times).map(|spread| spread.median);
            let own = |program| {
                let (all, null) = (median(program)?, median(Program::NullTx)?);
                Some(all.cast_signed() - null.cast_signed())
            };
            for program in Program::ALL {
                let Some(series) = of(program) else { continue };
                let Some(spread) = Spread::of(&series.times) else {
                    continue;
                };
                let cost = (program != Program::NullTx).then(|| own(program)).flatten();
                let to_lru = cost
                    .zip(own(Program::Lru))
                    .filter(|(cost, lru)| *cost > 0 && *lru > 0)
                    .map(|(cost, lru)| f64::from(cost) / f64::from(lru));
                report.rows.push(Row {
                    family: family_name(self.family),
                    case,
                    flows: self.flows,
                    program,
                    nanoseconds: spread,
                    samples: series.times.len(),
                    own_cost: cost,
                    own_cost_to_lru: to_lru,
                    valid: series.complaints.is_empty(),
                });
                report.complaints.extend(series.complaints.iter().cloned());
            }
        }
        report.survivors.extend(worst(self.survivors));
        report.complaints.extend(self.complaints);
    }
}

/// Of each program, the round in which fewest flows were left.
fn worst(all: Vec<Survivors>) -> Vec<Survivors> {
    let mut worst: Vec<Survivors> = Vec::new();
    for one in all {
        match worst.iter_mut().find(|other| other.program == one.program) {
            Some(other) if one.left < other.left => *other = one,
            Some(_) => {}
            None => worst.push(one),
        }
    }
    worst
}

/// The programs, with another one first each time.
fn turn(number: usize) -> impl Iterator<Item = Program> {
    let count = Program::ALL.len();
    (0..count).map(move |i| Program::ALL[(i + number) % count])
}

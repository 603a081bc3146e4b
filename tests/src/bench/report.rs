//! What was measured, as a table and as JSON.

use std::fmt::{self, Write as _};

use serde::Serialize;

use super::{
    cases::{Case, Program},
    machine::{Machine, ProgramFacts},
    rig::LRU_ELEMENTS_PER_FLOW,
    samples::Spread,
};

/// The outcome of a benchmark. Fields are only ever added within a version.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Version of this format.
    pub version: u32,
    /// Whether nothing but the rig was tried: the figures mean nothing.
    pub quick: bool,
    /// What was measured on.
    pub machine: Machine,
    /// Sizes of the programs.
    pub programs: Vec<ProgramFacts>,
    /// The figures.
    pub rows: Vec<Row>,
    /// Established flows after the flood.
    pub survivors: Vec<Survivors>,
    /// The sweep.
    pub sweep: Option<Sweep>,
    /// Listings of the connections.
    pub listings: Vec<Listing>,
    /// What makes figures invalid; nothing, if all is well.
    pub complaints: Vec<String>,
}

/// One program on one kind of traffic.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// Address family.
    pub family: &'static str,
    /// The traffic.
    pub case: Case,
    /// Flows in the traffic, and those the tables are sized for.
    pub flows: u32,
    /// The program.
    pub program: Program,
    /// Nanoseconds per packet, with the harness.
    pub nanoseconds: Spread,
    /// How often it was measured.
    pub samples: usize,
    /// Nanoseconds per packet above those of `null_tx`, of the medians.
    pub own_cost: Option<i32>,
    /// Own cost over that of `lru`.
    pub own_cost_to_lru: Option<f64>,
    /// Whether the packets did what the case says.
    pub valid: bool,
}

/// How many established flows a flood of new ones has left.
#[derive(Clone, Debug, Serialize)]
pub struct Survivors {
    /// Address family.
    pub family: &'static str,
    /// The program.
    pub program: Program,
    /// Established flows before.
    pub flows: u32,
    /// New flows since.
    pub flooded: u32,
    /// Established flows that are left.
    pub left: u64,
}

/// How long the director's sweep of a whole table takes.
#[derive(Clone, Debug, Serialize)]
pub struct Sweep {
    /// Slots of the table.
    pub slots: u32,
    /// Live flows in it.
    pub live: u64,
    /// Microseconds of a whole sweep, by the wall clock.
    pub microseconds: Option<Spread>,
}

/// How long `lvs-ctl connections -o json` takes, into memory.
#[derive(Clone, Debug, Serialize)]
pub struct Listing {
    /// Address family.
    pub family: &'static str,
    /// Connections.
    pub flows: u32,
    /// Bytes of JSON.
    pub bytes: u64,
    /// Microseconds, the sweep before it included, by the wall clock.
    pub microseconds: Spread,
}

impl Report {
    pub(super) fn new(machine: Machine, quick: bool) -> Self {
        Self {
            version: 1,
            quick,
            machine,
            programs: Vec::new(),
            rows: Vec::new(),
            survivors: Vec::new(),
            sweep: None,
            listings: Vec::new(),
            complaints: Vec::new(),
        }
    }

    /// Whether every figure is of what it says.
    pub fn is_valid(&self) -> bool {
        self.complaints.is_empty() && self.machine.complaints.is_empty()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let machine = &self.machine;
        writeln!(
            f,
            "Linux {} {}, {} ({}), {} CPUs, all on CPU {}, load before {}",
            machine.kernel,
            machine.architecture,
            machine.cpu,
            machine.cpu_signature,
            machine.cpus,
            machine.ran_on,
            machine.load_average
        )?;
        for program in &self.programs {
            writeln!(
                f,
                "{}: {} instructions, {} verified, {} bytes of machine code",
                program.name,
                program.instructions,
                program.verified_instructions,
                program.jited_bytes
            )?;
        }
        writeln!(
            f,
            "tables: lvs 4 slots a flow, up to a power of two; LRU maps {LRU_ELEMENTS_PER_FLOW} \
             elements a flow\n"
        )?;
        f.write_str(&table(&self.rows))?;
        if !self.survivors.is_empty() {
            writeln!(f, "\nestablished flows left after the flood:")?;
        }
        for one in &self.survivors {
            writeln!(
                f,
                "  {} {:<10} {:>8} of {} ({} new ones)",
                one.family,
                one.program.name(),
                one.left,
                one.flows,
                one.flooded
            )?;
        }
        if let Some((sweep, times)) = self.sweep.as_ref().zip(self.sweep_times()) {
            writeln!(
                f,
                "\nsweep of {} slots with {} flows: {}",
                sweep.slots,
                sweep.live,
                milliseconds(times)
            )?;
        }
        for listing in &self.listings {
            writeln!(
                f,
                "{} connections over {} as {} bytes of JSON: {}",
                listing.flows,
                listing.family,
                listing.bytes,
                milliseconds(listing.microseconds)
            )?;
        }
        for complaint in machine.complaints.iter().chain(&self.complaints) {
            writeln!(f, "INVALID: {complaint}")?;
        }
        if self.quick {
            writeln!(f, "\na quick run: these figures mean nothing")?;
        }
        Ok(())
    }
}

impl Report {
    fn sweep_times(&self) -> Option<Spread> {
        self.sweep.as_ref()?.microseconds
    }
}

fn milliseconds(microseconds: Spread) -> String {
    let Spread { median, min, max } = microseconds;
    let [median, min, max] = [median, min, max].map(|time| f64::from(time) / 1e3);
    format!("{median:.1} ms ({min:.1}-{max:.1})")
}

/// The rows in columns.
fn table(rows: &[Row]) -> String {
    let head = [
        "FAMILY",
        "CASE",
        "FLOWS",
        "PROGRAM",
        "NS/PACKET",
        "MIN-MAX",
        "OWN COST",
        "TO LRU",
        "",
    ];
    let mut lines = vec![head.map(str::to_string)];
    lines.extend(rows.iter().map(cells));
    let mut widths = [0; 9];
    for line in &lines {
        for (width, cell) in widths.iter_mut().zip(line) {
            *width = cell.len().max(*width);
        }
    }
    let mut out = String::new();
    for line in &lines {
        let mut text = String::new();
        for (i, (width, cell)) in widths.iter().zip(line).enumerate() {
            // Names to the left, figures to the right. Writing to a string does not fail.
            let _ = match i {
                0 | 1 | 3 | 8 => write!(text, "{cell:<width$}  "),
                _ => write!(text, "{cell:>width$}  "),
            };
        }
        out.push_str(text.trim_end());
        out.push('\n');
    }
    out
}

fn cells(row: &Row) -> [String; 9] {
    let Spread { median, min, max } = row.nanoseconds;
    [
        row.family.to_string(),
        row.case.name().to_string(),
        row.flows.to_string(),
        row.program.name().to_string(),
        median.to_string(),
        format!("{min}-{max}"),
        row.own_cost.map_or(String::new(), |cost| cost.to_string()),
        row.own_cost_to_lru
            .map_or(String::new(), |ratio| format!("{ratio:.2}")),
        if row.valid { "" } else { "INVALID" }.to_string(),
    ]
}

//! Directors and their tools are killed in the middle of a sweep while two CPUs are in the flow table:
//! the counts stay what a scan finds.
//!
//! Only BPF changes the table and LOAD, and the kernel lets a run of a BPF program end before it lets
//! its process die. Here the real `lvs-ctl run` is killed, once a life, as soon as it is seen to work,
//! which is when it sweeps; and `lvs-ctl stats`, which sweeps first of all, at any moment of its life.

use std::{
    fs,
    path::PathBuf,
    process::Stdio,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use aya::{
    Pod,
    maps::{Array, Map, MapData},
};
use lvs_common::map::{LAYOUT_VERSION, Settings, Timeouts, name};
use nix::sys::signal::Signal;
use rand::{Rng as _, SeedableRng as _, rngs::SmallRng};

use crate::{
    lab::{Director, Farm, Segment, VIP4, VIP6, config},
    stress::{Pairs, Sides, cpus},
};

/// Directors that are killed.
const LIVES: u64 = 100;
/// Weights of the backends of either service, one a family.
const WEIGHTS: [u32; 3] = [1, 1, 1];
/// Backends that the stress program opens flows for.
const BACKENDS: u32 = 2 * WEIGHTS.len() as u32;
/// Live flows that the table is made for, so that a sweep takes some milliseconds: in a table that the
/// stress program fills it would be over before anybody can be killed in it.
const FLOWS: u32 = 250_000;
/// Half buckets that the stress program is at work in, the first ones.
const HALVES: u32 = 16;
/// `lvs-ctl stats` that are started in a director's life, and how long they live at the most.
const TOOLS: u32 = 6;
const LONGEST: Duration = Duration::from_millis(12);
/// How long both CPUs go on after the director is dead.
const AFTER: Duration = Duration::from_millis(20);
/// A director sweeps once a second.
const PATIENCE: Duration = Duration::from_secs(10);

/// An entry of SETTINGS.
#[derive(Clone, Copy)]
#[repr(transparent)]
struct Entry(Settings);

// SAFETY: C layout without padding; any bytes are one.
unsafe impl Pod for Entry {}

/// What happened.
#[derive(Debug, Default)]
struct Figures {
    directors: u64,
    tools: u64,
    tools_too_late: u64,
    operations: u64,
    entries: u64,
}

/// The soak; it lasts as long as it takes to kill [`LIVES`] directors, and on to the end of its time.
pub(super) fn run(time: Duration) -> Result<()> {
    let segment = Segment::builder().build()?;
    // Names must differ; either family has a table only if it has a service.
    let services = [
        Farm::web(&segment.backends, VIP4.into(), &WEIGHTS),
        Farm::echo(&segment.backends, VIP6.into(), &WEIGHTS),
    ];
    let yaml = config::yaml(&["lb0"], &services);
    let yaml = format!("flows: {FLOWS}\n{yaml}");
    let mut figures = Figures::default();
    let start = Instant::now();
    while figures.directors < LIVES || start.elapsed() < time {
        let number = figures.directors;
        live(&segment, &yaml, number, &mut figures).with_context(|| format!("life {number}"))?;
    }
    println!(
        "  directors killed at work         {:>12}",
        figures.directors
    );
    println!("  tools killed                    {:>12}", figures.tools);
    println!(
        "  tools that ended before         {:>12}",
        figures.tools_too_late
    );
    println!(
        "  operations                      {:>12}",
        figures.operations
    );
    println!("  entries at rest                 {:>12}", figures.entries);
    println!("  time                            {:>12?}", start.elapsed());
    Ok(())
}

/// A director comes, is killed, and what it leaves is looked at.
fn live(segment: &Segment, yaml: &str, number: u64, figures: &mut Figures) -> Result<()> {
    let mut director = Director::start(&segment.balancer.namespace, yaml)?;
    let pins = director.pin_dir().join(format!("v{LAYOUT_VERSION}"));
    let pin = |map: &str| pins.join(map);
    confine(pin)?;
    let pairs = Pairs::open(pin, BACKENDS)?;
    let cpus = cpus::two()?;
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let workers = [0, 1].map(|n| {
            let (pairs, over) = (&pairs, &over);
            scope.spawn(move || -> Result<u64> {
                cpus::pin_to(cpus[n])?;
                let mut random = SmallRng::seed_from_u64(number << 1 | n as u64);
                let mut operations = 0;
                while !over.load(Ordering::Relaxed) {
                    let sides = Sides::ALL[random.random_range(0..Sides::ALL.len())];
                    operations += pairs.run(sides, HALVES, random.random())?;
                }
                Ok(operations)
            })
        });
        let killed = kill_all(&mut director, number, figures);
        if killed.is_ok() {
            thread::sleep(AFTER);
        }
        over.store(true, Ordering::Relaxed);
        for worker in workers {
            let done = worker.join().ok().context("a worker panicked")?;
            figures.operations += done?;
        }
        killed
    })?;
    figures.entries += pairs.check(|_| false)?;
    let mixed = pairs.mixed()?;
    ensure!(mixed == 0, "{mixed} packets met a flow of somebody else");
    figures.directors += 1;
    Ok(())
}

/// Has all flows in the first half buckets of the tables, and end soon.
fn confine(pin: impl Fn(&str) -> PathBuf) -> Result<()> {
    let open = |map: &str| -> Result<Map> {
        let data = MapData::from_pin(pin(map)).with_context(|| map.to_owned())?;
        Ok(Map::from_map_data(data)?)
    };
    let mut settings: Array<MapData, Entry> = open(name::SETTINGS)?.try_into()?;
    let Entry(mut entry) = settings.get(&0, 0).context(name::SETTINGS)?;
    (entry.mask4, entry.mask6) = (HALVES - 1, HALVES - 1);
    settings.set(0, Entry(entry), 0).context(name::SETTINGS)?;
    let mut timeouts: Array<MapData, Timeouts> = open(name::TIMEOUTS)?.try_into()?;
    timeouts.set(0, [1; 16], 0).context(name::TIMEOUTS)
}

/// Kills tools at any moment, then the director in its next sweep.
fn kill_all(director: &mut Director, number: u64, figures: &mut Figures) -> Result<()> {
    let mut random = SmallRng::seed_from_u64(number);
    for _ in 0..TOOLS {
        let mut tool = director.ctl(&["stats"]);
        let mut tool = tool.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        thread::sleep(random.random_range(Duration::ZERO..LONGEST));
        tool.kill()?;
        if tool.wait()?.success() {
            figures.tools_too_late += 1;
        } else {
            figures.tools += 1;
        }
    }
    let start = Instant::now();
    while !is_at_work(director)? {
        ensure!(start.elapsed() < PATIENCE, "the director does not sweep");
        thread::yield_now();
    }
    director.signal(Signal::SIGKILL)?;
    let status = director.wait()?;
    ensure!(!status.success(), "the director ended by itself: {status}");
    Ok(())
}

/// Whether a thread of the director runs, or would if it had a CPU. It has nothing else to do than to
/// sweep once a second.
fn is_at_work(director: &Director) -> Result<bool> {
    let tasks = format!("/proc/{}/task", director.pid());
    for task in fs::read_dir(&tasks).with_context(|| tasks.clone())? {
        let stat = fs::read_to_string(task?.path().join("stat")).unwrap_or_default();
        // The state follows the name, which is in brackets (proc_pid_stat(5)).
        if stat
            .rsplit(") ")
            .next()
            .is_some_and(|rest| rest.starts_with('R'))
        {
            return Ok(true);
        }
    }
    Ok(false)
}

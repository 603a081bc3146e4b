//! The sweep program, run by the director.

use std::{mem::size_of, time::Duration};

use anyhow::{Context as _, Result, ensure};
use aya::{TestRun as _, TestRunOptions, programs::Xdp};
use lvs_common::{
    Family,
    flow::{TICK_SHIFT, WAYS},
    map::{SWEEP_CHUNK, Sweep},
};
use zerocopy::{FromBytes as _, IntoBytes as _};

/// What a sweep did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Expired flows that it freed.
    pub retired: u64,
    /// Flows that are left.
    pub live: u64,
    /// Live flows in a hundred entries, in the fuller of the tables of both families.
    pub fullest: u64,
}

/// Sweeps a whole table of so many half buckets.
pub(super) fn sweep(program: &Xdp, halves4: u32, halves6: u32) -> Result<Swept> {
    let mut swept = Swept::default();
    for (family, halves) in [(Family::Ipv4, halves4), (Family::Ipv6, halves6)] {
        let mut live = 0;
        for first in (0..halves).step_by(SWEEP_CHUNK as usize) {
            let count = SWEEP_CHUNK.min(halves - first);
            let answer = run(program, Sweep::request(family as u32, first, count))?;
            swept.retired += u64::from(answer.retired);
            live += u64::from(answer.live);
        }
        swept.live += live;
        let entries = u64::from(halves) * WAYS as u64;
        swept.fullest = swept.fullest.max(live * 100 / entries.max(1));
    }
    Ok(swept)
}

/// How fast the kernel's jiffies run.
///
/// The kernel does not tell user space its `CONFIG_HZ` (`sysconf` gives `USER_HZ`, always 100), so
/// it is measured against the monotonic clock, both read by one program.
pub(super) fn calibrate(program: &Xdp) -> Result<Clock> {
    let start = run(program, Sweep::request(0, 0, 0))?;
    std::thread::sleep(Duration::from_millis(100));
    let end = run(program, Sweep::request(0, 0, 0))?;
    let jiffies = end.jiffies.wrapping_sub(start.jiffies);
    Clock::measured(
        jiffies,
        Duration::from_nanos(end.nanoseconds - start.nanoseconds),
    )
}

/// The data plane's clock at this moment, in ticks.
pub(super) fn now(program: &Xdp) -> Result<u32> {
    let answer = run(program, Sweep::request(0, 0, 0))?;
    Ok((answer.jiffies >> TICK_SHIFT) as u32)
}

fn run(program: &Xdp, request: Sweep) -> Result<Sweep> {
    let mut answer = [0; size_of::<Sweep>()];
    let result = program.test_run(TestRunOptions {
        data_in: Some(request.as_bytes()),
        data_out: Some(&mut answer),
        ..TestRunOptions::default()
    });
    let result = result.context("cannot run the sweep program")?;
    ensure!(
        result.data_size_out as usize == answer.len(),
        "the sweep program answered {} bytes instead of {}",
        result.data_size_out,
        answer.len()
    );
    Ok(Sweep::read_from_bytes(&answer).unwrap_or(request))
}

/// The rate of the data plane's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clock {
    hz: u32,
}

impl Clock {
    /// Rates that kernels are built with on the supported machines (`kernel/Kconfig.hz`).
    const RATES: [u32; 4] = [100, 250, 300, 1000];

    /// From jiffies that passed in a time of at least some tens of milliseconds: the rate of a
    /// kernel if one is within a tenth of what was measured, else that itself.
    ///
    /// # Errors
    /// If no time passed.
    pub fn measured(jiffies: u64, time: Duration) -> Result<Self> {
        ensure!(
            jiffies > 0 && !time.is_zero(),
            "the kernel's clock does not advance"
        );
        let hz = u128::from(jiffies) * 1_000_000_000 / time.as_nanos();
        let hz = u32::try_from(hz)
            .context("the kernel's clock runs wild")?
            .max(1);
        let nearest = Self::RATES.into_iter().min_by_key(|rate| rate.abs_diff(hz));
        let rate = nearest.filter(|rate| rate.abs_diff(hz) <= rate / 10);
        Ok(Self {
            hz: rate.unwrap_or(hz),
        })
    }

    /// Of the rate that the director has measured and written to SETTINGS.
    ///
    /// # Errors
    /// If it has written none.
    pub(super) fn written(hz: u32) -> Result<Self> {
        ensure!(hz > 0, "the director wrote no rate of the kernel's clock");
        Ok(Self { hz })
    }

    /// Jiffies in a second.
    pub fn hz(self) -> u32 {
        self.hz
    }

    /// The time that so many ticks take.
    pub fn time(self, ticks: u32) -> Duration {
        let nanoseconds = (u64::from(ticks) << TICK_SHIFT) * 1_000_000_000 / u64::from(self.hz);
        Duration::from_nanos(nanoseconds)
    }

    /// Whole ticks that take at least this long.
    pub fn ticks(self, time: Duration) -> u32 {
        let nanoseconds = time.as_nanos() * u128::from(self.hz);
        let ticks = nanoseconds.div_ceil(1_000_000_000 << TICK_SHIFT);
        u32::try_from(ticks).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn snaps_to_a_rate_that_kernels_have() {
        let clock = |jiffies, ms| {
            Clock::measured(jiffies, Duration::from_millis(ms))
                .unwrap()
                .hz()
        };
        assert_eq!(clock(25, 100), 250);
        assert_eq!(clock(26, 103), 250);
        assert_eq!(clock(24, 100), 250);
        assert_eq!(clock(30, 100), 300);
        assert_eq!(clock(10, 105), 100);
        assert_eq!(clock(101, 100), 1000);
        assert_eq!(clock(6, 100), 60);
        assert!(Clock::measured(0, Duration::from_millis(100)).is_err());
        assert_eq!(Clock::written(250).unwrap().hz(), 250);
        assert!(Clock::written(0).is_err());
    }

    #[test]
    fn ticks_are_never_too_few() {
        let clock = Clock { hz: 250 };
        assert_eq!(clock.ticks(Duration::from_secs(16)), 250);
        assert_eq!(clock.ticks(Duration::from_secs(1)), 16);
        assert_eq!(clock.ticks(Duration::from_nanos(1)), 1);
        assert_eq!(clock.time(250), Duration::from_secs(16));
        assert_eq!(clock.time(41_850_000), Duration::from_hours(31 * 24));
        assert_eq!(clock.ticks(Duration::from_hours(31 * 24)), 41_850_000);
    }
}

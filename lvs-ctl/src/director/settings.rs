//! The settings of the data plane that follow from a configuration.

use std::time::Duration;

use anyhow::Result;
use lvs_common::{
    bucket::{PARTS, Rate},
    flow::{Keys, TICK_SHIFT, Tuple as _, Tuple4, Tuple6, WAYS, Word},
    map::{Settings, Timeouts as Ticks, default_timeouts},
    tcp::State,
};
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};

use crate::{
    config::{Config, Notices, Timeouts, WithoutDf},
    datapath::{Clock, Datapath, Sizes},
};

/// Writes the settings of a data plane whose flow table is empty: its hash keys are drawn anew.
///
/// `timeouts` are the entries of TIMEOUTS.
///
/// # Errors
/// If the kernel's clock cannot be measured, or the kernel refuses.
pub(super) fn write(datapath: &mut Datapath, config: &Config, timeouts: &[Timeouts]) -> Result<()> {
    let clock = datapath.calibrate()?;
    log::debug!("the kernel counts {} jiffies a second", clock.hz());
    let mut random = StdRng::from_os_rng();
    for (number, configured) in (0..).zip(timeouts) {
        datapath.set_timeouts(number, ticks(configured, clock))?;
    }
    datapath.set_settings(Settings {
        keys: Keys::new(std::array::from_fn(|_| random.random())),
        mask4: datapath.sizes().halves4 - 1,
        mask6: datapath.sizes().halves6 - 1,
        hz: clock.hz(),
        endpoints: config.decap.is_some().into(),
        ..with_notices(config.notices, clock)
    })
}

/// Settings of notices alone.
fn with_notices(notices: Notices, clock: Clock) -> Settings {
    Settings {
        notices: rate(notices.rate, clock),
        notices_to_one: rate(notices.rate_per_address, clock),
        quiet_without_df: (notices.without_df == WithoutDf::Drop).into(),
        ..Settings::NONE
    }
}

/// So many a second, and as many at once; [`Notices::RATE`] says how many there can be.
fn rate(per_second: u32, clock: Clock) -> Rate {
    let burst = per_second * PARTS;
    Rate {
        per_tick: (burst << TICK_SHIFT) / clock.hz(),
        burst,
    }
}

/// What the flow table has room for, and what that costs.
pub(super) fn table(flows: u64, sizes: Sizes) -> String {
    let entries = |halves: u32| u64::from(halves) * WAYS as u64;
    let (v4, v6) = (entries(sizes.halves4), entries(sizes.halves6));
    let words = v4 * Tuple4::ENTRY_WORDS as u64 + v6 * Tuple6::ENTRY_WORDS as u64;
    let mib = (words * size_of::<u64>() as u64).div_ceil(1 << 20);
    format!("flow table: {flows} flows, {v4} entries for IPv4, {v6} for IPv6, {mib} MiB")
}

/// IPVS's table, and what `ipvsadm --set` can change of it.
fn ticks(configured: &Timeouts, clock: Clock) -> Ticks {
    let mut ticks = default_timeouts(|seconds| clock.ticks(Duration::from_secs(seconds.into())));
    ticks[usize::from(Word::of_tcp(State::Established as u8))] = clock.ticks(configured.tcp);
    ticks[usize::from(Word::of_tcp(State::FinWait as u8))] = clock.ticks(configured.tcp_fin);
    ticks[usize::from(Word::UDP)] = clock.ticks(configured.udp);
    ticks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_table_costs() {
        let sizes = Sizes {
            services: 1,
            timeouts: 1,
            locals: 1,
            endpoints: 1,
            tunnel_sources: 1,
            backends: 1,
            next_hops: 1,
            ring_chunks: 1,
            halves4: 1 << 20,
            halves6: 4,
        };
        assert_eq!(
            table(1_000_000, sizes),
            "flow table: 1000000 flows, 4194304 entries for IPv4, 16 for IPv6, 129 MiB"
        );
    }

    #[test]
    fn rates_of_notices() {
        let clock = |hz: u64| Clock::measured(hz, Duration::from_secs(1)).unwrap();
        let with = |rate, without_df| Notices {
            rate,
            without_df,
            ..Notices::default()
        };
        let settings = with_notices(with(500, WithoutDf::Answer), clock(250));
        // A tick is 16 jiffies: 32 of 500 a second.
        let expected = Rate {
            per_tick: 32 * PARTS,
            burst: 500 * PARTS,
        };
        assert_eq!(settings.notices, expected);
        assert_eq!(settings.notices_to_one.burst, 10 * PARTS);
        assert_eq!(settings.quiet_without_df, 0);

        let quiet = with_notices(with(0, WithoutDf::Drop), clock(250));
        assert_eq!(quiet.notices, Rate::NONE);
        assert_eq!(quiet.quiet_without_df, 1);

        // The slowest is not rounded to none, the fastest does not overflow.
        assert_eq!(rate(1, clock(1_000)).per_tick, 4);
        let most = rate(*Notices::RATE.end(), clock(100));
        assert_eq!(most.per_tick, 160_000 * PARTS);
    }

    #[test]
    fn the_three_settable_ones_and_the_kernels() {
        let clock = Clock::measured(100, Duration::from_secs(1)).unwrap();
        let configured = Timeouts {
            tcp: Duration::from_secs(8),
            tcp_fin: Duration::from_secs(16),
            udp: Duration::from_secs(4),
        };
        let ticks = ticks(&configured, clock);
        let of = |state: State| ticks[usize::from(Word::of_tcp(state as u8))];
        assert_eq!(of(State::Established), 50);
        assert_eq!(of(State::FinWait), 100);
        assert_eq!(ticks[usize::from(Word::UDP)], 25);
        assert_eq!(of(State::SynRecv), 375);
        assert_eq!(of(State::Close), 63);
        assert_eq!(ticks[0], 0);
    }
}

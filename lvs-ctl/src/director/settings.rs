//! The settings of the data plane that follow from a configuration.

use std::time::Duration;

use anyhow::Result;
use lvs_common::{
    flow::{Keys, Word},
    map::{Settings, Timeouts as Ticks, default_timeouts},
    tcp::State,
};
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};

use crate::{
    config::Timeouts,
    datapath::{Clock, Datapath},
};

/// Writes the settings of a data plane whose flow table is empty: its hash keys are drawn anew.
///
/// `timeouts` are the entries of TIMEOUTS.
///
/// # Errors
/// If the kernel's clock cannot be measured, or the kernel refuses.
pub(super) fn write(datapath: &mut Datapath, timeouts: &[Timeouts]) -> Result<()> {
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
        reserved: 0,
    })
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

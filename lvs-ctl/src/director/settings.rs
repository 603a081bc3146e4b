//! The settings of the data plane that follow from a configuration.

use std::time::Duration;

use anyhow::Result;
use lvs_common::{
    flow::{Keys, Word},
    map::Settings,
    tcp::State,
};
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};

use crate::{
    config::{Config, Timeouts},
    datapath::{Clock, Datapath},
};

/// Settings for a data plane whose flow table is empty: its hash keys are drawn anew.
///
/// # Errors
/// If the kernel's clock cannot be measured.
pub(super) fn of(config: &Config, datapath: &Datapath) -> Result<Settings> {
    let clock = datapath.calibrate()?;
    log::debug!("the kernel counts {} jiffies a second", clock.hz());
    let mut random = StdRng::from_os_rng();
    Ok(Settings {
        keys: Keys::new(std::array::from_fn(|_| random.random())),
        mask4: datapath.sizes().halves4 - 1,
        mask6: datapath.sizes().halves6 - 1,
        timeouts: timeouts(&config.timeouts, clock),
    })
}

/// Ticks by state number: IPVS's table, and what `ipvsadm --set` can change of it.
fn timeouts(configured: &Timeouts, clock: Clock) -> [u32; 16] {
    let mut ticks = [0; 16];
    for state in &State::ALL[1..] {
        let time = match state {
            State::Established => configured.tcp,
            State::FinWait => configured.tcp_fin,
            other => Duration::from_secs(other.default_timeout().into()),
        };
        ticks[usize::from(Word::of_tcp(*state as u8))] = clock.ticks(time);
    }
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
        let ticks = timeouts(&configured, clock);
        let of = |state: State| ticks[usize::from(Word::of_tcp(state as u8))];
        assert_eq!(of(State::Established), 50);
        assert_eq!(of(State::FinWait), 100);
        assert_eq!(ticks[usize::from(Word::UDP)], 25);
        assert_eq!(of(State::SynRecv), 375);
        assert_eq!(of(State::Close), 63);
        assert_eq!(ticks[0], 0);
    }
}

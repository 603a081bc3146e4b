//! What holds for every packet.

use super::entry;
use crate::{
    bucket::Rate,
    flow::{Keys, Word},
    tcp::State,
};

entry! {
    /// The single entry of SETTINGS.
    pub struct Settings {
        /// Secret keys of the flow table.
        pub keys: Keys,
        /// Half buckets of FLOWS4 minus one.
        pub mask4: u32,
        /// Half buckets of FLOWS6 minus one.
        pub mask6: u32,
        /// Jiffies in a second, as the director measured it: for readers, the data plane does not look.
        pub hz: u32,
        /// Not 0: tunnels end here, see ENDPOINTS.
        pub endpoints: u32,
        /// How many [`Notice`](super::Notice)s a CPU may send.
        pub notices: Rate,
        /// How many of them to one address.
        pub notices_to_one: Rate,
        /// Not 0: packets that are too big are dropped in silence if they do not say "don't fragment".
        pub quiet_without_df: u32,
        /// Zero.
        pub reserved: u32,
    }
}

impl Settings {
    /// Nothing set: no table, no notices.
    pub const NONE: Self = Self {
        keys: Keys::new([0; Keys::WORDS]),
        mask4: 0,
        mask6: 0,
        hz: 0,
        endpoints: 0,
        notices: Rate::NONE,
        notices_to_one: Rate::NONE,
        quiet_without_df: 0,
        reserved: 0,
    };
}

/// Ticks of silence that end a flow, by the state number in its word: an entry of TIMEOUTS. Entry 0 is
/// that of all services that have none of their own.
pub type Timeouts = [u32; 16];

/// Seconds of silence that end a UDP flow (kernel: `udp_timeouts`).
pub const UDP_TIMEOUT: u32 = 300;

/// IPVS's timeouts, with the ticks that `ticks` makes of seconds.
pub fn default_timeouts(ticks: impl Fn(u32) -> u32) -> Timeouts {
    let mut timeouts = [0; 16];
    for state in &State::ALL[1..] {
        timeouts[usize::from(Word::of_tcp(*state as u8))] = ticks(state.default_timeout());
    }
    timeouts[usize::from(Word::UDP)] = ticks(UDP_TIMEOUT);
    timeouts
}

//! What holds for every packet.

use super::entry;
use crate::flow::Keys;

entry! {
    /// The single entry of SETTINGS.
    pub struct Settings {
        /// Secret keys of the flow table.
        pub keys: Keys,
        /// Half buckets of FLOWS4 minus one.
        pub mask4: u32,
        /// Half buckets of FLOWS6 minus one.
        pub mask6: u32,
        /// Ticks of silence that end a flow, by the state number in its word.
        pub timeouts: [u32; 16],
    }
}

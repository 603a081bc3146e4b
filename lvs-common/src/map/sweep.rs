//! How the director asks the sweep program for a pass over part of the table.

use super::entry;

/// Half buckets that one run may sweep: the run holds its CPU's network input for that long.
pub const SWEEP_CHUNK: u32 = 1 << 14;

entry! {
    /// Request and answer: the "packet" that the sweep program is run on.
    pub struct Sweep {
        /// In: first half bucket.
        pub first: u32,
        /// In: how many, at most [`SWEEP_CHUNK`].
        pub count: u32,
        /// In: [`Family`](crate::Family) number of the table; 0: none, only tell the time.
        pub family: u32,
        /// Out: expired flows that it retired.
        pub retired: u32,
        /// Out: flows that are left in the range.
        pub live: u32,
        /// Zero.
        pub reserved: u32,
        /// Out: the kernel's `jiffies_64`.
        pub jiffies: u64,
        /// Out: the kernel's monotonic clock, nanoseconds.
        pub nanoseconds: u64,
    }
}

impl Sweep {
    /// A request; answers are filled in by the program.
    pub const fn request(family: u32, first: u32, count: u32) -> Self {
        Self {
            first,
            count,
            family,
            retired: 0,
            live: 0,
            reserved: 0,
            jiffies: 0,
            nanoseconds: 0,
        }
    }
}

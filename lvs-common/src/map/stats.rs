//! Counters.

use super::entry;

entry! {
    /// What one CPU has counted.
    pub struct Counters {
        /// Packets.
        pub packets: u64,
        /// Bytes: IP packets for services and backends, frames for reasons.
        pub bytes: u64,
        /// New flows.
        pub connections: u64,
        /// Packets of backends, where they come by here.
        pub packets_out: u64,
        /// Bytes of these, as above.
        pub bytes_out: u64,
    }
}

impl Counters {
    /// Nothing counted yet.
    pub const ZERO: Self = Self {
        packets: 0,
        bytes: 0,
        connections: 0,
        packets_out: 0,
        bytes_out: 0,
    };

    /// Both together.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self {
            packets: self.packets.wrapping_add(other.packets),
            bytes: self.bytes.wrapping_add(other.bytes),
            connections: self.connections.wrapping_add(other.connections),
            packets_out: self.packets_out.wrapping_add(other.packets_out),
            bytes_out: self.bytes_out.wrapping_add(other.bytes_out),
        }
    }
}

/// Words of a cache line.
pub const LINE: usize = 8;

/// A word that CPUs change atomically, alone on its cache line; the others are zero.
pub type Line = [u64; LINE];

/// What happens in the flow table beside hits and misses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum FlowEvent {
    /// An expired flow was taken for a new one, or swept.
    Expired = 0,
    /// A closing flow was evicted for a new one.
    EvictedClosing = 1,
    /// A half-open flow was evicted for a new one.
    EvictedHalfOpen = 2,
    /// A young flow was evicted for a new one.
    EvictedYoung = 3,
    /// A proven flow was evicted for a new one: the table is too small.
    EvictedProven = 4,
    /// A new flow found no place, or lost every race for one, and went on without an entry.
    NotKept = 5,
    /// Two CPUs opened one flow; one entry gave way.
    Twin = 6,
    /// A finished flow was replaced by a new connection on its tuple.
    Reused = 7,
    /// A flow was ended on demand.
    Flushed = 8,
    /// A flow ended because the entry of its replies was lost.
    Widowed = 9,
}

impl FlowEvent {
    /// Every event, in the order of their numbers.
    pub const ALL: [Self; 10] = [
        Self::Expired,
        Self::EvictedClosing,
        Self::EvictedHalfOpen,
        Self::EvictedYoung,
        Self::EvictedProven,
        Self::NotKept,
        Self::Twin,
        Self::Reused,
        Self::Flushed,
        Self::Widowed,
    ];

    /// The name in statistics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::EvictedClosing => "evicted-closing",
            Self::EvictedHalfOpen => "evicted-half-open",
            Self::EvictedYoung => "evicted-young",
            Self::EvictedProven => "evicted-proven",
            Self::NotKept => "not-kept",
            Self::Twin => "twin",
            Self::Reused => "reused",
            Self::Flushed => "flushed",
            Self::Widowed => "widowed",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_indices() {
        for (i, event) in FlowEvent::ALL.iter().enumerate() {
            assert_eq!(*event as usize, i, "{}", event.as_str());
        }
    }
}

//! What the balancer itself sends to the senders of packets.

/// Entries of `BUCKETS` for addresses, a power of two, behind entry 0, which is for all of them.
pub const NOTICE_BUCKETS: u32 = 1 << 10;

/// A message about a packet that does not reach its backend, or its client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum Notice {
    /// ICMP time exceeded: its TTL or hop limit was used up.
    TimeExceeded = 0,
    /// ICMP fragmentation needed, or packet too big, with the size that would do.
    TooBig = 1,
    /// ICMP port unreachable: its service has no usable backend.
    Unreachable = 2,
    /// A TCP segment with RST, for the same reason.
    Reset = 3,
    /// One that was not sent, since the rate does not allow it.
    Withheld = 4,
}

impl Notice {
    /// Every one, in the order of their numbers.
    pub const ALL: [Self; 5] = [
        Self::TimeExceeded,
        Self::TooBig,
        Self::Unreachable,
        Self::Reset,
        Self::Withheld,
    ];

    /// The name in statistics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TimeExceeded => "time-exceeded",
            Self::TooBig => "too-big",
            Self::Unreachable => "unreachable",
            Self::Reset => "reset",
            Self::Withheld => "withheld",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_indices() {
        for (i, notice) in Notice::ALL.iter().enumerate() {
            assert_eq!(*notice as usize, i, "{}", notice.as_str());
        }
    }
}

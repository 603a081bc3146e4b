//! What a flow is worth when its places are full.

/// Why an entry may be taken for another flow, from the first to go to the last.
///
/// In direct routing and tunnels a forged SYN and ACK look established, so a flow is proven only by
/// several client packets or by a packet of its backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Class {
    /// An established flow, or one of UDP, with several packets: taken only where all sixteen places
    /// are such flows. An alarm, never routine.
    Proven = 1,
    /// Established with few client packets and none of the backend.
    Young = 2,
    /// A handshake that is not through, or UDP with one packet.
    HalfOpen = 3,
    /// A FIN or RST was seen.
    Closing = 4,
    /// Silent for longer than its timeout.
    Expired = 5,
    /// Nobody's.
    Free = 6,
}

impl Class {
    /// Every class of a live flow, in the order in which they go.
    pub const LIVE: [Self; 5] = [
        Self::Expired,
        Self::Closing,
        Self::HalfOpen,
        Self::Young,
        Self::Proven,
    ];

    /// The name in statistics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Proven => "proven",
            Self::Young => "young",
            Self::HalfOpen => "half-open",
            Self::Closing => "closing",
            Self::Expired => "expired",
            Self::Free => "free",
        }
    }
}

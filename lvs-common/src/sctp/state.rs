//! What the director knows of an association.

/// A state of IPVS's SCTP table, by the kernel's number (`IP_VS_SCTP_S_*`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum State {
    /// No packet seen yet; never stored.
    None = 0,
    /// The client's first INIT was seen.
    Init1 = 1,
    /// The client repeated its INIT.
    Init = 2,
    /// The backend answered with INIT ACK, and so sent the cookie.
    CookieSent = 3,
    /// The client sent the cookie back.
    CookieReplied = 4,
    /// The backend sent an INIT, the client's INIT ACK has not come.
    CookieWait = 5,
    /// The client sent the cookie to the backend.
    Cookie = 6,
    /// The backend sent the cookie back.
    CookieEchoed = 7,
    /// Established.
    Established = 8,
    /// The backend sent SHUTDOWN.
    ShutdownSent = 9,
    /// The client sent SHUTDOWN.
    ShutdownReceived = 10,
    /// The backend sent SHUTDOWN ACK.
    ShutdownAckSent = 11,
    /// One side answered the other's INIT with ABORT.
    Rejected = 12,
    /// Both sides are done, or one aborted.
    Closed = 13,
}

impl State {
    /// How many states there are, `None` included.
    pub const COUNT: usize = 14;

    /// Every state in the order of their numbers.
    pub const ALL: [Self; Self::COUNT] = [
        Self::None,
        Self::Init1,
        Self::Init,
        Self::CookieSent,
        Self::CookieReplied,
        Self::CookieWait,
        Self::Cookie,
        Self::CookieEchoed,
        Self::Established,
        Self::ShutdownSent,
        Self::ShutdownReceived,
        Self::ShutdownAckSent,
        Self::Rejected,
        Self::Closed,
    ];

    /// The name that `ipvsadm -Lc` prints.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "NONE",
            Self::Init1 => "INIT1",
            Self::Init => "INIT",
            Self::CookieSent => "C-SENT",
            Self::CookieReplied => "C-REPLIED",
            Self::CookieWait => "C-WAIT",
            Self::Cookie => "COOKIE",
            Self::CookieEchoed => "C-ECHOED",
            Self::Established => "ESTABLISHED",
            Self::ShutdownSent => "S-SENT",
            Self::ShutdownReceived => "S-RECEIVED",
            Self::ShutdownAckSent => "S-ACK-SENT",
            Self::Rejected => "REJECTED",
            Self::Closed => "CLOSED",
        }
    }

    /// Seconds of silence after which a flow in this state is gone (kernel: `sctp_timeouts`).
    ///
    /// 61 is a second more than the longest pause before an end sends again (`RTO.Max`, RFC 9260
    /// section 16).
    pub const fn default_timeout(self) -> u32 {
        match self {
            Self::None => 2,
            Self::Init1 | Self::Rejected => 4,
            Self::Init
            | Self::CookieSent
            | Self::CookieReplied
            | Self::CookieWait
            | Self::Cookie
            | Self::CookieEchoed
            | Self::ShutdownSent
            | Self::ShutdownReceived
            | Self::ShutdownAckSent
            | Self::Closed => 61,
            Self::Established => 900,
        }
    }

    /// Whether IPVS counts a flow in this state as active (kernel: `set_sctp_state`).
    pub const fn is_active(self) -> bool {
        matches!(self, Self::Established)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_names_and_timeouts_are_the_kernels() {
        let states = [
            ("NONE", 2),
            ("INIT1", 4),
            ("INIT", 61),
            ("C-SENT", 61),
            ("C-REPLIED", 61),
            ("C-WAIT", 61),
            ("COOKIE", 61),
            ("C-ECHOED", 61),
            ("ESTABLISHED", 900),
            ("S-SENT", 61),
            ("S-RECEIVED", 61),
            ("S-ACK-SENT", 61),
            ("REJECTED", 4),
            ("CLOSED", 61),
        ];
        for (number, (state, (name, timeout))) in State::ALL.into_iter().zip(states).enumerate() {
            assert_eq!(state as usize, number);
            assert_eq!(state.as_str(), name);
            assert_eq!(state.default_timeout(), timeout, "{name}");
            assert_eq!(state.is_active(), name == "ESTABLISHED", "{name}");
        }
    }
}

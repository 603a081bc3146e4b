//! The states, with what IPVS makes of each.

/// A state of IPVS's TCP table, by the kernel's number (`IP_VS_TCP_S_*`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum State {
    /// No packet seen yet; never stored.
    None = 0,
    /// Established.
    Established = 1,
    /// A SYN of the backend was seen first.
    SynSent = 2,
    /// A SYN of the client was seen.
    SynRecv = 3,
    /// A FIN was seen from the side that may close first.
    FinWait = 4,
    /// Both sides are done; late segments still come.
    TimeWait = 5,
    /// Reset, or a segment that opens nothing.
    Close = 6,
    /// The client closed, the backend has not yet.
    CloseWait = 7,
    /// The backend's last FIN waits for its ACK.
    LastAck = 8,
    /// An expected data connection.
    Listen = 9,
    /// SYN+ACK seen, waiting for the client's ACK (`secure_tcp`).
    SynAck = 10,
}

impl State {
    /// How many states there are, `None` included.
    pub const COUNT: usize = 11;

    /// Every state in the order of their numbers.
    pub const ALL: [Self; Self::COUNT] = [
        Self::None,
        Self::Established,
        Self::SynSent,
        Self::SynRecv,
        Self::FinWait,
        Self::TimeWait,
        Self::Close,
        Self::CloseWait,
        Self::LastAck,
        Self::Listen,
        Self::SynAck,
    ];

    /// The name that `ipvsadm -Lc` prints.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "NONE",
            Self::Established => "ESTABLISHED",
            Self::SynSent => "SYN_SENT",
            Self::SynRecv => "SYN_RECV",
            Self::FinWait => "FIN_WAIT",
            Self::TimeWait => "TIME_WAIT",
            Self::Close => "CLOSE",
            Self::CloseWait => "CLOSE_WAIT",
            Self::LastAck => "LAST_ACK",
            Self::Listen => "LISTEN",
            Self::SynAck => "SYNACK",
        }
    }

    /// Seconds of silence after which a flow in this state is gone (kernel: `tcp_timeouts`).
    pub const fn default_timeout(self) -> u32 {
        match self {
            Self::None => 2,
            Self::Established => 900,
            Self::SynRecv | Self::CloseWait => 60,
            Self::SynSent | Self::FinWait | Self::TimeWait | Self::Listen | Self::SynAck => 120,
            Self::Close => 10,
            Self::LastAck => 30,
        }
    }

    /// Whether IPVS counts a flow in this state as active (kernel: `tcp_state_active_table`).
    pub const fn is_active(self) -> bool {
        matches!(
            self,
            Self::Established | Self::SynSent | Self::SynRecv | Self::SynAck
        )
    }

    /// Whether both ends have finished: a SYN on the same tuple opens a new connection.
    ///
    /// The kernel's `is_new_conn_expected` for a flow of which only the client's side is seen.
    pub const fn is_finished(self) -> bool {
        matches!(
            self,
            Self::FinWait | Self::TimeWait | Self::Close | Self::LastAck
        )
    }
}

//! The TCP state machine of IPVS (`net/netfilter/ipvs/ip_vs_proto_tcp.c`), as the director of a
//! one-way flow sees it: direct routing and tunnels, where the backend's answers bypass it.

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

/// FIN of the flags byte of a TCP header (RFC 9293 section 3.1).
pub const FIN: u8 = 0x01;
/// SYN of the flags byte.
pub const SYN: u8 = 0x02;
/// RST of the flags byte.
pub const RST: u8 = 0x04;
/// ACK of the flags byte.
pub const ACK: u8 = 0x10;

/// Whether a segment may open a connection: SYN, with or without ACK, and no RST (kernel:
/// `tcp_conn_schedule`).
#[inline(always)]
pub const fn opens(flags: u8) -> bool {
    flags & (SYN | RST) == SYN
}

/// Whether a segment on the tuple of a finished connection begins another: a plain SYN. One with ACK
/// answers somebody, and goes where the connection's segments went.
#[inline(always)]
pub const fn begins(flags: u8) -> bool {
    flags & (SYN | ACK | RST) == SYN
}

/// What a segment means to the state machine: RST before SYN before FIN before ACK.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Event {
    /// SYN, with or without ACK.
    Syn = 0,
    /// FIN.
    Fin = 1,
    /// ACK alone.
    Ack = 2,
    /// RST.
    Rst = 3,
    /// None of the four: closes, as in the kernel.
    Nothing = 4,
}

/// The event of every combination of FIN, SYN, RST and ACK (bits 0 to 3 of the index), four bits each.
const EVENTS: u64 = {
    let mut events = 0;
    let mut index = 0;
    while index < 16 {
        let event = if index & 4 != 0 {
            Event::Rst
        } else if index & 2 != 0 {
            Event::Syn
        } else if index & 1 != 0 {
            Event::Fin
        } else if index & 8 != 0 {
            Event::Ack
        } else {
            Event::Nothing
        };
        events |= (event as u64) << (4 * index);
        index += 1;
    }
    events
};

impl Event {
    /// Number of the event of a segment with these flags (kernel: `tcp_state_idx`).
    #[inline(always)]
    pub const fn number(flags: u8) -> u8 {
        let index = flags & (FIN | SYN | RST) | (flags & ACK) >> 1;
        (EVENTS >> (4 * index)) as u8 & 0xf
    }
}

/// A transition table: by state, the next state on each event, four bits each.
///
/// In this form a transition is a shift of a word: neither branch nor second look at memory.
#[derive(Clone, Copy, Debug)]
pub struct Table([u32; 16]);

impl Table {
    const fn new(syn: [State; 11], fin: [State; 11], ack: [State; 11], rst: [State; 11]) -> Self {
        let mut table = [0; 16];
        let mut state = 0;
        while state < State::COUNT {
            table[state] = (syn[state] as u32) << (4 * Event::Syn as u32)
                | (fin[state] as u32) << (4 * Event::Fin as u32)
                | (ack[state] as u32) << (4 * Event::Ack as u32)
                | (rst[state] as u32) << (4 * Event::Rst as u32)
                | (State::Close as u32) << (4 * Event::Nothing as u32);
            state += 1;
        }
        Self(table)
    }

    /// The row of a state, by number of [`State`]; filled up to sixteen, so that four bits index it.
    pub const fn rows(&self) -> &[u32; 16] {
        &self.0
    }

    /// Number of the state that follows the one of `row` on the event with this number.
    #[inline(always)]
    pub const fn next(row: u32, event: u8) -> u8 {
        (row >> (4 * event)) as u8 & 0xf
    }
}

/// The kernel's `tcp_states`, part INPUT-ONLY: a client's segment where only those are seen (direct
/// routing, tunnels).
pub static INPUT_ONLY: Table = {
    use State::{
        Close as CL, CloseWait as CW, Established as ES, FinWait as FW, LastAck as LA,
        Listen as LI, SynRecv as SR, SynSent as SS, TimeWait as TW,
    };
    //   from:  NO  ES  SS  SR  FW  TW  CL  CW  LA  LI  SA
    Table::new(
        /*syn*/ [SR, ES, ES, SR, SR, SR, SR, SR, SR, SR, SR],
        /*fin*/ [CL, FW, SS, TW, FW, TW, CL, CW, LA, LI, TW],
        /*ack*/ [ES, ES, SS, ES, FW, TW, CL, CW, CL, LI, ES],
        /*rst*/ [CL, CL, CL, SR, CL, CL, CL, CL, LA, LI, CL],
    )
};

/// Part INPUT: a client's segment where both directions are seen (NAT, FULLNAT).
pub static INPUT: Table = {
    use State::{
        Close as CL, CloseWait as CW, Established as ES, FinWait as FW, LastAck as LA,
        Listen as LI, SynRecv as SR, SynSent as SS, TimeWait as TW,
    };
    //   from:  NO  ES  SS  SR  FW  TW  CL  CW  LA  LI  SA
    Table::new(
        /*syn*/ [SR, ES, ES, SR, SR, SR, SR, SR, SR, SR, SR],
        /*fin*/ [CL, CW, SS, TW, TW, TW, CL, CW, LA, LI, TW],
        /*ack*/ [ES, ES, SS, ES, FW, TW, CL, CW, CL, LI, ES],
        /*rst*/ [CL, CL, CL, SR, CL, CL, CL, CL, LA, LI, SR],
    )
};

/// Part OUTPUT: a backend's segment.
pub static OUTPUT: Table = {
    use State::{
        Close as CL, CloseWait as CW, Established as ES, FinWait as FW, LastAck as LA,
        Listen as LI, SynRecv as SR, SynSent as SS, TimeWait as TW,
    };
    //   from:  NO  ES  SS  SR  FW  TW  CL  CW  LA  LI  SA
    Table::new(
        /*syn*/ [SS, ES, SS, SR, SS, SS, SS, SS, SS, LI, SR],
        /*fin*/ [TW, FW, SS, TW, FW, TW, CL, TW, LA, LI, TW],
        /*ack*/ [ES, ES, SS, ES, FW, TW, CL, CW, LA, ES, ES],
        /*rst*/ [CL, CL, SS, CL, CL, TW, CL, CL, CL, CL, CL],
    )
};

#[cfg(test)]
mod tests {
    use super::*;

    fn check(table: &Table, rows: [(u8, &str); 5]) {
        let short = [
            "NO", "ES", "SS", "SR", "FW", "TW", "CL", "CW", "LA", "LI", "SA",
        ];
        for (flags, row) in rows {
            assert_eq!(row.split(' ').count(), State::COUNT);
            for (state, expected) in row.split(' ').enumerate() {
                let next = Table::next(table.rows()[state], Event::number(flags));
                assert_eq!(
                    short[next as usize], expected,
                    "{flags:#x} from {}",
                    short[state]
                );
            }
        }
    }

    const NOTHING: &str = "CL CL CL CL CL CL CL CL CL CL CL";

    #[test]
    fn input_only_is_the_kernels_table() {
        let rows = [
            (SYN, "SR ES ES SR SR SR SR SR SR SR SR"),
            (FIN, "CL FW SS TW FW TW CL CW LA LI TW"),
            (ACK, "ES ES SS ES FW TW CL CW CL LI ES"),
            (RST, "CL CL CL SR CL CL CL CL LA LI CL"),
            (0, NOTHING),
        ];
        check(&INPUT_ONLY, rows);
    }

    #[test]
    fn input_is_the_kernels_table() {
        let rows = [
            (SYN, "SR ES ES SR SR SR SR SR SR SR SR"),
            (FIN, "CL CW SS TW TW TW CL CW LA LI TW"),
            (ACK, "ES ES SS ES FW TW CL CW CL LI ES"),
            (RST, "CL CL CL SR CL CL CL CL LA LI SR"),
            (0, NOTHING),
        ];
        check(&INPUT, rows);
    }

    #[test]
    fn output_is_the_kernels_table() {
        let rows = [
            (SYN, "SS ES SS SR SS SS SS SS SS LI SR"),
            (FIN, "TW FW SS TW FW TW CL TW LA LI TW"),
            (ACK, "ES ES SS ES FW TW CL CW LA ES ES"),
            (RST, "CL CL SS CL CL TW CL CL CL CL CL"),
            (0, NOTHING),
        ];
        check(&OUTPUT, rows);
    }

    #[test]
    fn priority_of_flags() {
        for flags in 0..=255_u8 {
            let expected = match flags {
                _ if flags & RST != 0 => Event::Rst,
                _ if flags & SYN != 0 => Event::Syn,
                _ if flags & FIN != 0 => Event::Fin,
                _ if flags & ACK != 0 => Event::Ack,
                _ => Event::Nothing,
            };
            assert_eq!(Event::number(flags), expected as u8, "{flags:#x}");
        }
    }
}

//! IPVS's TCP table as its source prints it (`ip_vs_proto_tcp.c`, `tcp_states`), by name, and what the
//! kernel makes of each state.

use lvs_common::tcp::{ACK, FIN, RST, SYN, State};

const NAMES: [(&str, State); 11] = [
    ("NO", State::None),
    ("ES", State::Established),
    ("SS", State::SynSent),
    ("SR", State::SynRecv),
    ("FW", State::FinWait),
    ("TW", State::TimeWait),
    ("CL", State::Close),
    ("CW", State::CloseWait),
    ("LA", State::LastAck),
    ("LI", State::Listen),
    ("SA", State::SynAck),
];

/// Whose segment it is, and who else is heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// The client's, where the backend is heard too.
    Input,
    /// The backend's.
    Output,
    /// The client's, where the backend was never heard.
    InputOnly,
}

/// The rows of one part of the table, in its order.
struct Part {
    syn: &'static str,
    fin: &'static str,
    ack: &'static str,
    rst: &'static str,
}

const INPUT: Part = Part {
    syn: "SR ES ES SR SR SR SR SR SR SR SR",
    fin: "CL CW SS TW TW TW CL CW LA LI TW",
    ack: "ES ES SS ES FW TW CL CW CL LI ES",
    rst: "CL CL CL SR CL CL CL CL LA LI SR",
};

const OUTPUT: Part = Part {
    syn: "SS ES SS SR SS SS SS SS SS LI SR",
    fin: "TW FW SS TW FW TW CL TW LA LI TW",
    ack: "ES ES SS ES FW TW CL CW LA ES ES",
    rst: "CL CL SS CL CL TW CL CL CL CL CL",
};

const INPUT_ONLY: Part = Part {
    syn: "SR ES ES SR SR SR SR SR SR SR SR",
    fin: "CL FW SS TW FW TW CL CW LA LI TW",
    ack: "ES ES SS ES FW TW CL CW CL LI ES",
    rst: "CL CL CL SR CL CL CL CL LA LI CL",
};

/// The state after a segment of the client with these flags, where only it is heard.
pub(crate) fn next(from: State, flags: u8) -> State {
    next_of(Side::InputOnly, from, flags)
}

/// The state after a segment of that side with these flags.
pub(crate) fn next_of(side: Side, from: State, flags: u8) -> State {
    let part = match side {
        Side::Input => INPUT,
        Side::Output => OUTPUT,
        Side::InputOnly => INPUT_ONLY,
    };
    let row = match flags {
        _ if flags & RST != 0 => part.rst,
        _ if flags & SYN != 0 => part.syn,
        _ if flags & FIN != 0 => part.fin,
        _ if flags & ACK != 0 => part.ack,
        _ => return State::Close,
    };
    let column = NAMES.iter().position(|(_, state)| *state == from);
    let name = row.split(' ').nth(column.unwrap()).unwrap();
    NAMES.iter().find(|(short, _)| *short == name).unwrap().1
}

/// Whether the kernel counts a connection in this state as active.
pub(crate) fn is_active(state: State) -> bool {
    use State::{Established, SynAck, SynRecv, SynSent};
    [Established, SynSent, SynRecv, SynAck].contains(&state)
}

/// States in which a SYN means a new connection, where only the client's side is seen.
pub(crate) const FINISHED: [State; 4] = [
    State::FinWait,
    State::TimeWait,
    State::Close,
    State::LastAck,
];

/// Every state that a flow may be in, and the seconds of silence that end it.
pub(crate) const TIMEOUTS: [(State, u32); 10] = [
    (State::Established, 900),
    (State::SynSent, 120),
    (State::SynRecv, 60),
    (State::FinWait, 120),
    (State::TimeWait, 120),
    (State::Close, 10),
    (State::CloseWait, 60),
    (State::LastAck, 30),
    (State::Listen, 120),
    (State::SynAck, 120),
];

/// Every combination of the flags that matter.
pub(crate) fn all_flags() -> impl Iterator<Item = u8> {
    (0..32).filter(|flags| flags & !(FIN | SYN | RST | ACK) == 0)
}

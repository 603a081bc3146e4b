//! IPVS's TCP table as its source prints it (`ip_vs_proto_tcp.c`, part INPUT-ONLY), by name, and
//! what the kernel makes of each state.

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

const ON_SYN: &str = "SR ES ES SR SR SR SR SR SR SR SR";
const ON_FIN: &str = "CL FW SS TW FW TW CL CW LA LI TW";
const ON_ACK: &str = "ES ES SS ES FW TW CL CW CL LI ES";
const ON_RST: &str = "CL CL CL SR CL CL CL CL LA LI CL";

/// The state after a segment of the client with these flags.
pub(crate) fn next(from: State, flags: u8) -> State {
    let row = match flags {
        _ if flags & RST != 0 => ON_RST,
        _ if flags & SYN != 0 => ON_SYN,
        _ if flags & FIN != 0 => ON_FIN,
        _ if flags & ACK != 0 => ON_ACK,
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

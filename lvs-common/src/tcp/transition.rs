//! From state to state: the kernel's normal table (`tcp_states`), all three directions of it.

use super::{ACK, FIN, RST, SYN, State};

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

/// How many events there are.
const EVENTS: u8 = 5;

/// The event of every combination of FIN, SYN, RST and ACK (bits 0 to 3 of the index), four bits each.
const BY_FLAGS: u64 = {
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
        (BY_FLAGS >> (4 * index)) as u8 & 0xf
    }
}

/// Who sent a segment, and who else is heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Direction {
    /// The client, and the backend's segments are seen too (NAT, FULLNAT).
    Input = 0,
    /// The backend.
    Output = 1,
    /// The client, and nothing of the backend is seen (direct routing, tunnels).
    InputOnly = 2,
}

/// By number of [`State`], the next state on each event of each direction, four bits each; filled up
/// to sixteen rows, so that four bits index it.
///
/// In this form a transition is a shift of a word: neither branch nor second look at memory.
pub static TRANSITIONS: [u64; 16] = {
    use State::{
        Close as CL, CloseWait as CW, Established as ES, FinWait as FW, LastAck as LA,
        Listen as LI, SynRecv as SR, SynSent as SS, TimeWait as TW,
    };
    let rows = [0; 16];
    let rows = with(
        rows,
        Direction::Input,
        //       NO  ES  SS  SR  FW  TW  CL  CW  LA  LI  SA
        /*syn*/
        [SR, ES, ES, SR, SR, SR, SR, SR, SR, SR, SR],
        /*fin*/ [CL, CW, SS, TW, TW, TW, CL, CW, LA, LI, TW],
        /*ack*/ [ES, ES, SS, ES, FW, TW, CL, CW, CL, LI, ES],
        /*rst*/ [CL, CL, CL, SR, CL, CL, CL, CL, LA, LI, SR],
    );
    let rows = with(
        rows,
        Direction::Output,
        //       NO  ES  SS  SR  FW  TW  CL  CW  LA  LI  SA
        /*syn*/
        [SS, ES, SS, SR, SS, SS, SS, SS, SS, LI, SR],
        /*fin*/ [TW, FW, SS, TW, FW, TW, CL, TW, LA, LI, TW],
        /*ack*/ [ES, ES, SS, ES, FW, TW, CL, CW, LA, ES, ES],
        /*rst*/ [CL, CL, SS, CL, CL, TW, CL, CL, CL, CL, CL],
    );
    with(
        rows,
        Direction::InputOnly,
        //       NO  ES  SS  SR  FW  TW  CL  CW  LA  LI  SA
        /*syn*/
        [SR, ES, ES, SR, SR, SR, SR, SR, SR, SR, SR],
        /*fin*/ [CL, FW, SS, TW, FW, TW, CL, CW, LA, LI, TW],
        /*ack*/ [ES, ES, SS, ES, FW, TW, CL, CW, CL, LI, ES],
        /*rst*/ [CL, CL, CL, SR, CL, CL, CL, CL, LA, LI, CL],
    )
};

/// Number of the state that follows the one of `row` on the event with this number.
#[inline(always)]
pub const fn next(row: u64, direction: u8, event: u8) -> u8 {
    (row >> place(direction, event)) as u8 & 0xf
}

/// First bit of a cell in its row.
#[inline(always)]
const fn place(direction: u8, event: u8) -> u32 {
    4 * (EVENTS * direction + event) as u32
}

type Row = [State; State::COUNT];

/// The rows with the cells of one direction.
const fn with(
    mut rows: [u64; 16],
    direction: Direction,
    syn: Row,
    fin: Row,
    ack: Row,
    rst: Row,
) -> [u64; 16] {
    let events = [syn, fin, ack, rst, [State::Close; State::COUNT]];
    let mut event = 0;
    while event < events.len() {
        let mut state = 0;
        while state < State::COUNT {
            let next = events[event][state] as u64;
            rows[state] |= next << place(direction as u8, event as u8);
            state += 1;
        }
        event += 1;
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(direction: Direction, rows: [(u8, &str); 5]) {
        let short = [
            "NO", "ES", "SS", "SR", "FW", "TW", "CL", "CW", "LA", "LI", "SA",
        ];
        for (flags, row) in rows {
            assert_eq!(row.split(' ').count(), State::COUNT);
            for (state, expected) in row.split(' ').enumerate() {
                let next = next(TRANSITIONS[state], direction as u8, Event::number(flags));
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
        check(Direction::InputOnly, rows);
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
        check(Direction::Input, rows);
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
        check(Direction::Output, rows);
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

//! What follows a state on an event: a table for every way in which packets are seen.

use super::{Event, State};
use State::{
    Closed as CL, Cookie as CO, CookieEchoed as CE, CookieReplied as CR, CookieSent as CS,
    CookieWait as CW, Established as ES, Init as IN, Init1 as I1, Rejected as RJ,
    ShutdownAckSent as SA, ShutdownReceived as SR, ShutdownSent as SS,
};

/// A transition table: by state, the next state on each event, four bits each.
///
/// In this form a transition is a shift of a word: neither branch nor second look at memory.
#[derive(Clone, Copy, Debug)]
pub struct Table([u64; 16]);

impl Table {
    /// From the next states by event, in the order of its numbers, and state.
    const fn new(next: [[State; State::COUNT]; Event::COUNT]) -> Self {
        let mut table = [0; 16];
        let mut event = 0;
        while event < Event::COUNT {
            let mut state = 0;
            while state < State::COUNT {
                table[state] |= (next[event][state] as u64) << (4 * event);
                state += 1;
            }
            event += 1;
        }
        Self(table)
    }

    /// The row of a state, by number of [`State`]; filled up to sixteen, so that four bits index it.
    pub const fn rows(&self) -> &[u64; 16] {
        &self.0
    }

    /// Number of the state that follows the one of `row` on the event with this number.
    #[inline(always)]
    pub const fn next(row: u64, event: u8) -> u8 {
        (row >> (4 * event)) as u8 & 0xf
    }
}

/// The kernel's `sctp_states`, part INPUT: a client's packet where both directions are seen (NAT,
/// FULLNAT).
pub static INPUT: Table = {
    //   from:               NO  I1  IN  CS  CR  CW  CO  CE  ES  SS  SR  SA  RJ  CL
    Table::new([
        /*data             */ [ES, I1, IN, CS, CR, CW, CO, CE, ES, SS, SR, SA, RJ, CL],
        /*init             */ [I1, IN, IN, CS, CR, CW, CO, CE, ES, SS, SR, SA, IN, IN],
        /*init_ack         */ [CW, CW, CW, CS, CR, CO, CO, CE, ES, SS, SR, SA, RJ, CL],
        /*cookie_echo      */ [CR, IN, IN, CR, CR, CW, CO, CE, ES, SS, SR, SA, RJ, CL],
        /*cookie_ack       */ [ES, I1, IN, CS, CR, CW, CO, ES, ES, SS, SR, SA, RJ, CL],
        /*shutdown         */ [SR, I1, IN, CS, CR, CW, CO, CE, SR, SS, SR, SA, RJ, CL],
        /*shutdown_ack     */ [CL, IN, IN, CS, CR, CW, CO, CE, ES, CL, SR, CL, RJ, CL],
        /*shutdown_complete*/ [CL, CL, CL, CS, CR, CW, CO, CE, ES, SS, SR, CL, RJ, CL],
        /*error            */ [CL, I1, IN, CS, CR, CW, CO, CL, ES, SS, SR, SA, RJ, CL],
        /*abort            */ [CL, CL, CL, CL, CL, RJ, CL, CL, CL, CL, CL, CL, CL, CL],
    ])
};

/// Part OUTPUT: a backend's packet.
pub static OUTPUT: Table = {
    //   from:               NO  I1  IN  CS  CR  CW  CO  CE  ES  SS  SR  SA  RJ  CL
    Table::new([
        /*data             */ [ES, I1, IN, CS, CR, CW, CO, CE, ES, SS, SR, SA, RJ, CL],
        /*init             */ [CW, CW, CW, CW, CW, CW, CW, CW, ES, CW, CW, CW, CW, CW],
        /*init_ack         */ [CS, CS, CS, CS, CR, CW, CO, CE, ES, SS, SR, SA, RJ, CL],
        /*cookie_echo      */ [CE, CE, CE, CE, CE, CE, CE, CE, ES, SS, SR, SA, RJ, CL],
        /*cookie_ack       */ [ES, ES, ES, ES, ES, ES, ES, ES, ES, SS, SR, SA, RJ, CL],
        /*shutdown         */ [SS, SS, SS, SS, SS, SS, SS, SS, SS, SS, SR, SA, RJ, CL],
        /*shutdown_ack     */ [SA, SA, SA, SA, SA, CW, CO, CE, ES, SA, SA, SA, RJ, CL],
        /*shutdown_complete*/ [CL, I1, IN, CS, CR, CW, CO, CE, ES, SS, SR, SA, RJ, CL],
        /*error            */ [CL, CL, CL, CL, CL, CW, CO, CE, ES, SS, SR, SA, RJ, CL],
        /*abort            */ [CL, RJ, CL, CL, CL, CL, CL, CL, CL, CL, CL, CL, CL, CL],
    ])
};

/// Part INPUT-ONLY: a client's packet where only those are seen (direct routing, tunnels).
pub static INPUT_ONLY: Table = {
    //   from:               NO  I1  IN  CS  CR  CW  CO  CE  ES  SS  SR  SA  RJ  CL
    Table::new([
        /*data             */ [ES, I1, IN, CS, CR, ES, CO, CE, ES, SS, SR, SA, RJ, CL],
        /*init             */ [I1, IN, IN, IN, IN, IN, CO, CE, ES, SS, SR, SA, IN, IN],
        /*init_ack         */ [CE, CE, CE, CE, CE, CE, CO, CE, ES, SS, SR, SA, RJ, CL],
        /*cookie_echo      */ [ES, ES, ES, ES, ES, ES, CO, CE, ES, SS, SR, SA, RJ, CL],
        /*cookie_ack       */ [ES, I1, IN, ES, ES, CW, ES, ES, ES, SS, SR, SA, RJ, CL],
        /*shutdown         */ [SR, I1, IN, CS, CR, CW, CO, CE, SR, SS, SR, SA, RJ, CL],
        /*shutdown_ack     */ [CL, IN, IN, CS, CR, CW, CO, CE, CL, CL, SR, CL, RJ, CL],
        /*shutdown_complete*/ [CL, CL, CL, CL, CL, CW, CO, CE, ES, SS, CL, CL, RJ, CL],
        /*error            */ [CL, I1, IN, CS, CR, CW, CO, CE, ES, SS, SR, SA, RJ, CL],
        /*abort            */ [CL, CL, CL, CL, CL, RJ, CL, CL, CL, CL, CL, CL, CL, CL],
    ])
};

#[cfg(test)]
mod tests {
    use super::*;

    const EVENTS: [Event; Event::COUNT] = [
        Event::Data,
        Event::Init,
        Event::InitAck,
        Event::CookieEcho,
        Event::CookieAck,
        Event::Shutdown,
        Event::ShutdownAck,
        Event::ShutdownComplete,
        Event::Error,
        Event::Abort,
    ];

    fn next(table: &Table, from: State, event: Event) -> State {
        State::ALL[usize::from(Table::next(table.rows()[from as usize], event as u8))]
    }

    /// Where a flow is after each of these packets, from its beginning.
    fn follow(path: &[(&Table, Event, &str)]) {
        let mut state = State::None;
        for (step, (table, event, expected)) in path.iter().enumerate() {
            state = next(table, state, *event);
            assert_eq!(state.as_str(), *expected, "step {step}, {event:?}");
        }
    }

    /// `rows`: by the state it comes from, what follows on each event.
    fn check(table: &Table, rows: [&str; State::COUNT]) {
        let short = [
            "NO", "I1", "IN", "CS", "CR", "CW", "CO", "CE", "ES", "SS", "SR", "SA", "RJ", "CL",
        ];
        for (from, row) in State::ALL.into_iter().zip(rows) {
            assert_eq!(row.split(' ').count(), Event::COUNT);
            for (event, expected) in EVENTS.into_iter().zip(row.split(' ')) {
                let to = next(table, from, event);
                assert_eq!(short[to as usize], expected, "{event:?} from {from:?}");
            }
        }
    }

    #[test]
    fn input_is_the_kernels_table() {
        let rows = [
            // D  I  IA CE CA S  SA SC E  A
            "ES I1 CW CR ES SR CL CL CL CL",
            "I1 IN CW IN I1 I1 IN CL I1 CL",
            "IN IN CW IN IN IN IN CL IN CL",
            "CS CS CS CR CS CS CS CS CS CL",
            "CR CR CR CR CR CR CR CR CR CL",
            "CW CW CO CW CW CW CW CW CW RJ",
            "CO CO CO CO CO CO CO CO CO CL",
            "CE CE CE CE ES CE CE CE CL CL",
            "ES ES ES ES ES SR ES ES ES CL",
            "SS SS SS SS SS SS CL SS SS CL",
            "SR SR SR SR SR SR SR SR SR CL",
            "SA SA SA SA SA SA CL CL SA CL",
            "RJ IN RJ RJ RJ RJ RJ RJ RJ CL",
            "CL IN CL CL CL CL CL CL CL CL",
        ];
        check(&INPUT, rows);
    }

    #[test]
    fn output_is_the_kernels_table() {
        let rows = [
            // D  I  IA CE CA S  SA SC E  A
            "ES CW CS CE ES SS SA CL CL CL",
            "I1 CW CS CE ES SS SA I1 CL RJ",
            "IN CW CS CE ES SS SA IN CL CL",
            "CS CW CS CE ES SS SA CS CL CL",
            "CR CW CR CE ES SS SA CR CL CL",
            "CW CW CW CE ES SS CW CW CW CL",
            "CO CW CO CE ES SS CO CO CO CL",
            "CE CW CE CE ES SS CE CE CE CL",
            "ES ES ES ES ES SS ES ES ES CL",
            "SS CW SS SS SS SS SA SS SS CL",
            "SR CW SR SR SR SR SA SR SR CL",
            "SA CW SA SA SA SA SA SA SA CL",
            "RJ CW RJ RJ RJ RJ RJ RJ RJ CL",
            "CL CW CL CL CL CL CL CL CL CL",
        ];
        check(&OUTPUT, rows);
    }

    #[test]
    fn input_only_is_the_kernels_table() {
        let rows = [
            // D  I  IA CE CA S  SA SC E  A
            "ES I1 CE ES ES SR CL CL CL CL",
            "I1 IN CE ES I1 I1 IN CL I1 CL",
            "IN IN CE ES IN IN IN CL IN CL",
            "CS IN CE ES ES CS CS CL CS CL",
            "CR IN CE ES ES CR CR CL CR CL",
            "ES IN CE ES CW CW CW CW CW RJ",
            "CO CO CO CO ES CO CO CO CO CL",
            "CE CE CE CE ES CE CE CE CE CL",
            "ES ES ES ES ES SR CL ES ES CL",
            "SS SS SS SS SS SS CL SS SS CL",
            "SR SR SR SR SR SR SR CL SR CL",
            "SA SA SA SA SA SA CL CL SA CL",
            "RJ IN RJ RJ RJ RJ RJ RJ RJ CL",
            "CL IN CL CL CL CL CL CL CL CL",
        ];
        check(&INPUT_ONLY, rows);
    }

    #[test]
    fn a_client_comes_and_goes_by_nat() {
        follow(&[
            (&INPUT, Event::Init, "INIT1"),
            (&OUTPUT, Event::InitAck, "C-SENT"),
            (&INPUT, Event::CookieEcho, "C-REPLIED"),
            (&OUTPUT, Event::CookieAck, "ESTABLISHED"),
            (&INPUT, Event::Data, "ESTABLISHED"),
            (&OUTPUT, Event::Data, "ESTABLISHED"),
            (&INPUT, Event::Shutdown, "S-RECEIVED"),
            (&OUTPUT, Event::ShutdownAck, "S-ACK-SENT"),
            (&INPUT, Event::ShutdownComplete, "CLOSED"),
            (&INPUT, Event::Init, "INIT"),
        ]);
    }

    #[test]
    fn a_backend_shuts_down_by_nat() {
        follow(&[
            (&INPUT, Event::Init, "INIT1"),
            (&INPUT, Event::Init, "INIT"),
            (&OUTPUT, Event::InitAck, "C-SENT"),
            (&INPUT, Event::CookieEcho, "C-REPLIED"),
            (&OUTPUT, Event::CookieAck, "ESTABLISHED"),
            (&OUTPUT, Event::Shutdown, "S-SENT"),
            (&INPUT, Event::ShutdownAck, "CLOSED"),
            (&OUTPUT, Event::ShutdownComplete, "CLOSED"),
        ]);
    }

    #[test]
    fn a_backend_opens_by_nat() {
        follow(&[
            (&OUTPUT, Event::Init, "C-WAIT"),
            (&INPUT, Event::InitAck, "COOKIE"),
            (&OUTPUT, Event::CookieEcho, "C-ECHOED"),
            (&INPUT, Event::CookieAck, "ESTABLISHED"),
        ]);
    }

    #[test]
    fn a_client_comes_and_goes_by_direct_routing() {
        follow(&[
            (&INPUT_ONLY, Event::Init, "INIT1"),
            (&INPUT_ONLY, Event::CookieEcho, "ESTABLISHED"),
            (&INPUT_ONLY, Event::Data, "ESTABLISHED"),
            (&INPUT_ONLY, Event::Shutdown, "S-RECEIVED"),
            (&INPUT_ONLY, Event::ShutdownComplete, "CLOSED"),
        ]);
        // The backend's SHUTDOWN is not seen, only what answers it.
        follow(&[
            (&INPUT_ONLY, Event::Data, "ESTABLISHED"),
            (&INPUT_ONLY, Event::ShutdownAck, "CLOSED"),
        ]);
    }

    #[test]
    fn an_abort_ends_every_flow() {
        // One that answers an INIT rejects it.
        let tables = [
            (&INPUT, State::CookieWait),
            (&OUTPUT, State::Init1),
            (&INPUT_ONLY, State::CookieWait),
        ];
        for (table, rejected) in tables {
            for from in State::ALL {
                let to = if from == rejected {
                    State::Rejected
                } else {
                    State::Closed
                };
                assert_eq!(next(table, from, Event::Abort), to, "from {from:?}");
            }
        }
    }
}

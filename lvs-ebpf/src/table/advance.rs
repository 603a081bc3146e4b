//! What a packet changes in its flow.

use lvs_common::{
    Protocol,
    flow::{Slot, Word},
    map::Timeouts,
    tcp::{self, Direction},
};

use super::{Hit, book, deadline, entry_of};
use crate::{
    atomic::{bounded, is_zero, load, nth16, replace, store_low},
    kernel::Tables,
};

/// How often a change of state is tried again when another CPU changed the word meanwhile.
const TRIES: usize = 3;

/// Moves a flow's state and deadline on by a packet.
///
/// A word that another CPU keeps changing is left to it: the packet is forwarded all the same, and
/// the next one of the flow brings the state up to date.
#[inline(always)]
pub fn advance<K: Tables>(tables: &K, flow: &Hit, packet: Segment, timeouts: &Timeouts, now: u32) {
    let packet = packet.seen_in(flow);
    let next = packet.next(flow.word, timeouts, now);
    if !next.same_but_deadline(flow.word) {
        change(tables, flow.slot, flow.word, packet, timeouts, now);
    } else if next != flow.word {
        // SAFETY: a hit is an entry of the table.
        unsafe { store_low(flow.entry, next.deadline()) };
        if Word::outgrows(flow.word.deadline(), next.deadline()) {
            tables.mirror(flow.slot, flow.word);
        }
    }
}

/// A subprogram of its own: few packets of a flow change more than its deadline.
#[inline(never)]
fn change<K: Tables>(
    tables: &K,
    slot: Slot,
    found: Word,
    packet: Segment,
    timeouts: &Timeouts,
    now: u32,
) {
    let Some((entry, _)) = entry_of(tables, slot) else {
        return;
    };
    let mut word = found;
    for _ in 0..TRIES {
        let next = packet.next(word, timeouts, now);
        // SAFETY: an entry of the table.
        if unsafe { replace(entry, word.0, next.0) } {
            let change = next.load().wrapping_sub(word.load());
            if change != 0 {
                book(tables, word.backend(), change);
            }
            tables.mirror(slot, found);
            return;
        }
        // SAFETY: as above.
        word = Word(unsafe { load(entry) });
        if !word.is_live() || word.generation() != found.generation() {
            return;
        }
    }
}

/// What a packet means to the state of its flow: an event of TCP from one side, or that it is UDP.
#[derive(Clone, Copy, Debug)]
pub struct Segment {
    /// Number of the event of TCP.
    event: u8,
    /// Number of the [`Direction`].
    direction: u8,
    /// All ones for UDP, else 0.
    is_udp: u8,
}

impl Segment {
    /// A client's packet, from the protocol and, for TCP, the flags byte.
    #[inline(always)]
    pub fn of_client(protocol: u8, tcp_flags: u8) -> Self {
        Self {
            event: tcp::Event::number(tcp_flags),
            direction: Direction::InputOnly as u8,
            is_udp: is_zero(u64::from(protocol ^ Protocol::Udp as u8)) as u8,
        }
    }

    /// A backend's packet, in the same way.
    #[inline(always)]
    pub fn of_backend(protocol: u8, tcp_flags: u8) -> Self {
        Self {
            direction: Direction::Output as u8,
            ..Self::of_client(protocol, tcp_flags)
        }
    }

    /// State number of a flow that this packet opens.
    #[inline(always)]
    pub fn first_state(self) -> u8 {
        self.next_state(Word::open(0, Word::of_tcp(tcp::State::None as u8), 0))
    }

    /// The same packet with the direction that it has in this flow: a client is heard alone until a
    /// packet of the backend has come by, and never where the flow has an entry for those.
    #[inline(always)]
    fn seen_in(self, flow: &Hit) -> Self {
        let both = u64::from(flow.link.is_some()) | u64::from(flow.word.reply_seen());
        let alone = bounded::<1>(both ^ 1) as u8;
        Self {
            // Input is 0, and input alone one bit of another value than output.
            direction: self.direction & (Direction::Output as u8 | alone << 1),
            ..self
        }
    }

    /// State number of a flow with this word after this packet.
    #[inline(always)]
    fn next_state(self, word: Word) -> u8 {
        let from = word.state().wrapping_sub(Word::of_tcp(0));
        let row = nth16(&tcp::TRANSITIONS, from);
        let tcp = Word::of_tcp(tcp::next(row, self.direction, self.event));
        tcp & !self.is_udp | Word::UDP & self.is_udp
    }

    /// The word of a flow after this packet.
    #[inline(always)]
    pub fn next(self, word: Word, timeouts: &Timeouts, now: u32) -> Word {
        let state = self.next_state(word);
        let deadline = deadline(timeouts, state, now);
        if self.direction == Direction::Output as u8 {
            word.answered(state, deadline)
        } else {
            word.advanced(state, deadline)
        }
    }
}

const _: () = assert!(
    Direction::Input as u8 == 0 && Direction::Output as u8 == 1 && Direction::InputOnly as u8 == 2
);

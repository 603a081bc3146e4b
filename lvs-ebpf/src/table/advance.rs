//! What a packet changes in its flow.

use lvs_common::{Protocol, flow::Word, tcp};

use super::{Hit, book};
use crate::{
    atomic::{is_zero, load, nth16, replace, store_low},
    kernel::Tables,
};

/// How often a change of state is tried again when another CPU changed the word meanwhile.
const TRIES: usize = 3;

/// Moves the flow's state on by a packet of the client and notes when it was seen.
///
/// A word that another CPU keeps changing is left to it: the packet is forwarded all the same, and
/// the next one of the flow brings the state up to date.
#[inline(always)]
pub fn advance<K: Tables>(tables: &K, hit: &Hit, packet: Segment, now: u32) {
    let next = hit.word.advanced(packet.next_state(hit.word), now);
    if !next.same_but_seen(hit.word) {
        change(tables, hit.entry, hit.word, packet, now);
    } else if next != hit.word {
        // SAFETY: a hit is an entry of the table.
        unsafe { store_low(hit.entry, now) };
    }
}

/// A subprogram of its own: few packets of a flow change more than when it was seen.
#[inline(never)]
fn change<K: Tables>(tables: &K, entry: *mut u64, found: Word, packet: Segment, now: u32) {
    let mut word = found;
    for _ in 0..TRIES {
        let next = word.advanced(packet.next_state(word), now);
        // SAFETY: the caller's hit is an entry of the table.
        if unsafe { replace(entry, word.0, next.0) } {
            let change = next.load().wrapping_sub(word.load());
            if change != 0 {
                book(tables, word.backend(), change);
            }
            return;
        }
        // SAFETY: as above.
        word = Word(unsafe { load(entry) });
        if !word.is_live() || word.generation() != found.generation() {
            return;
        }
    }
}

/// What a packet of the client means to the state of its flow: the event of TCP, or that it is UDP.
#[derive(Clone, Copy, Debug)]
pub struct Segment {
    /// Number of the event of TCP.
    event: u8,
    /// All ones for UDP, else 0.
    is_udp: u64,
}

impl Segment {
    /// From the protocol and, for TCP, the flags byte.
    #[inline(always)]
    pub fn new(protocol: u8, tcp_flags: u8) -> Self {
        let is_udp = is_zero(u64::from(protocol ^ Protocol::Udp as u8));
        Self {
            event: tcp::Event::number(tcp_flags),
            is_udp,
        }
    }

    /// State number of a flow that this packet opens.
    #[inline(always)]
    pub fn first_state(self) -> u8 {
        self.next_state(Word::open(0, Word::of_tcp(tcp::State::None as u8), 0))
    }

    /// State number of a flow with this word after this packet.
    #[inline(always)]
    fn next_state(self, word: Word) -> u8 {
        let from = word.state().wrapping_sub(Word::of_tcp(0));
        let tcp = Word::of_tcp(tcp::Table::next(
            nth16(tcp::INPUT_ONLY.rows(), from),
            self.event,
        ));
        tcp & !self.is_udp as u8 | Word::UDP & self.is_udp as u8
    }
}

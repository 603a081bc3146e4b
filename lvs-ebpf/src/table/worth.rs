//! Which of the entries in a tuple's places a new flow takes.

use lvs_common::{
    flow::{Class, Word},
    map::{FlowEvent, Timeouts},
    tcp::State,
};

use crate::atomic::{is_zero, nth16, sign};

/// Class of every state number, four bits each; that of an established flow or one of UDP is the
/// one of a proven flow, and [`class`] takes off for what is missing. A busy entry has none.
const CLASSES: u64 = {
    const fn class(state: State) -> Class {
        match state {
            State::None | State::SynSent | State::SynRecv | State::SynAck | State::Listen => {
                Class::HalfOpen
            }
            State::Established => Class::Proven,
            State::FinWait | State::TimeWait | State::Close | State::CloseWait | State::LastAck => {
                Class::Closing
            }
        }
    }
    let mut classes = Class::Free as u64 | (Class::Proven as u64) << (4 * Word::UDP);
    let mut i = 1;
    while i < State::COUNT {
        classes |= (class(State::ALL[i]) as u64) << (4 * Word::of_tcp(i as u8));
        i += 1;
    }
    classes
};

/// The class's number of an entry with this word; 0 if it is busy.
///
/// Written without branches, as is [`Score::of`]: with them the verifier would follow every combination
/// of sixteen entries.
#[inline(always)]
pub(super) fn class(word: Word, now: u32) -> u64 {
    let class = CLASSES >> (4 * word.state()) & 0xf;
    let live = sign(i64::from(Word::BUSY) - i64::from(word.state()));
    let expired = live & sign(i64::from(word.left(now)));
    // Proven needs several packets: with two it is young, and with one no more than half-open.
    let proven = is_zero(class ^ Class::Proven as u64);
    let few = sign(i64::from(word.packets()) - i64::from(Word::MANY));
    let single = sign(i64::from(word.packets()) - 2);
    let unproven = proven & few & !sign(-i64::from(word.reply_seen()));
    let class = class + (unproven & 1) + (unproven & single & 1);
    (class & !expired) | (Class::Expired as u64 & expired)
}

/// How readily an entry is given away, and which of its tuple's sixteen entries it is:
/// `class | 2^31 - 1 - ticks left (32 bits) | number (4 bits)`. The greatest goes first: by class, and
/// within it the one that would be the first to expire.
///
/// Half-open flows are compared as if they had the same timeout, so that the oldest goes first: a flood
/// of datagrams, which last for longer than a SYN, would otherwise evict handshakes before itself. The
/// timeouts are those of all services that have none of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(transparent)]
pub(super) struct Score(u64);

const LEFT: u32 = 4;
const CLASS: u32 = LEFT + 32;

impl Score {
    /// Above that of every entry that must not be taken, below all others.
    pub(super) const LEAST: Self = Self((1 << CLASS) - 1);

    /// The score of the entry with this number and word.
    #[inline(always)]
    pub(super) fn of(word: Word, now: u32, number: u32, timeouts: &Timeouts) -> Self {
        let class = class(word, now);
        let half_open = is_zero(class ^ Class::HalfOpen as u64).cast_signed();
        let whole = i64::from(nth16(timeouts, word.state()));
        let left = i64::from(word.left(now)) - (whole & half_open);
        let urgency = (i64::from(i32::MAX) - left).cast_unsigned();
        Self(class << CLASS | urgency << LEFT | u64::from(number))
    }

    /// The greater of both, without a branch.
    #[inline(always)]
    pub(super) fn max(self, other: Self) -> Self {
        let less = sign(self.0.cast_signed() - other.0.cast_signed());
        Self(self.0 ^ (self.0 ^ other.0) & less)
    }

    /// The same for an entry with another number: its own, with these bits flipped.
    #[inline(always)]
    pub(super) const fn flipped(self, bits: u32) -> Self {
        Self(self.0 ^ bits as u64)
    }

    /// The entry's number.
    #[inline(always)]
    pub(super) const fn number(self) -> u32 {
        self.0 as u32 & 0xf
    }

    /// The class's number.
    #[inline(always)]
    pub(super) const fn class(self) -> u64 {
        self.0 >> CLASS
    }

    /// What it means that a live entry of this score is taken.
    #[inline(always)]
    pub(super) const fn event(self) -> FlowEvent {
        const EXPIRED: u64 = Class::Expired as u64;
        const CLOSING: u64 = Class::Closing as u64;
        const HALF_OPEN: u64 = Class::HalfOpen as u64;
        const YOUNG: u64 = Class::Young as u64;
        match self.class() {
            EXPIRED => FlowEvent::Expired,
            CLOSING => FlowEvent::EvictedClosing,
            HALF_OPEN => FlowEvent::EvictedHalfOpen,
            YOUNG => FlowEvent::EvictedYoung,
            _ => FlowEvent::EvictedProven,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u32 = 5_000;
    const SYN_RECV: u8 = Word::of_tcp(State::SynRecv as u8);
    const TIMEOUTS: Timeouts = {
        let mut timeouts = [900; 16];
        timeouts[SYN_RECV as usize] = 60;
        timeouts[Word::UDP as usize] = 300;
        timeouts
    };

    fn class(word: Word) -> u64 {
        score(word, 0).class()
    }

    fn score(word: Word, number: u32) -> Score {
        Score::of(word, NOW, number, &TIMEOUTS)
    }

    fn tcp(state: State, packets: u8, deadline: u32) -> Word {
        let number = Word::of_tcp(state as u8);
        (1..packets).fold(Word::open(1, number, deadline), |word, _| {
            word.advanced(number, deadline)
        })
    }

    #[test]
    fn classes_in_the_order_in_which_flows_go() {
        use State::{
            Close, CloseWait, Established, FinWait, LastAck, SynAck, SynRecv, SynSent, TimeWait,
        };
        assert_eq!(class(Word::FREE), Class::Free as u64);
        assert_eq!(
            class(tcp(Established, 3, NOW).retired()),
            Class::Free as u64
        );
        assert_eq!(class(tcp(Established, 3, NOW - 1)), Class::Expired as u64);
        assert_eq!(class(tcp(Established, 3, NOW)), Class::Proven as u64);
        for state in [FinWait, TimeWait, Close, CloseWait, LastAck] {
            assert_eq!(
                class(tcp(state, 3, NOW)),
                Class::Closing as u64,
                "{state:?}"
            );
        }
        for state in [SynSent, SynRecv, SynAck] {
            assert_eq!(
                class(tcp(state, 3, NOW)),
                Class::HalfOpen as u64,
                "{state:?}"
            );
        }
        assert_eq!(class(tcp(Established, 2, NOW)), Class::Young as u64);
        assert_eq!(class(Word::open(1, Word::UDP, NOW)), Class::HalfOpen as u64);
        assert_eq!(
            class(Word::open(1, Word::UDP, NOW).advanced(Word::UDP, NOW)),
            Class::Young as u64
        );
        let many = (0..3).fold(Word::open(1, Word::UDP, NOW), |w, _| {
            w.advanced(Word::UDP, NOW)
        });
        assert_eq!(class(many), Class::Proven as u64);
        // A single segment that finds the flow established already (sloppy) is worth a handshake.
        assert_eq!(class(tcp(Established, 1, NOW)), Class::HalfOpen as u64);
        // A reply proves a flow at once.
        assert_eq!(
            class(Word(tcp(Established, 1, NOW).0 | 1 << 62)),
            Class::Proven as u64
        );
    }

    #[test]
    fn a_busy_entry_is_nobodys_victim() {
        assert_eq!(class(Word::FREE.claimed()), 0);
        assert_eq!(class(tcp(State::Established, 3, 0).claimed()), 0);
        for now in [0, NOW, u32::MAX / 2, u32::MAX / 2 + 1, u32::MAX] {
            let busy = Score::of(Word::FREE.claimed(), now, 15, &TIMEOUTS);
            assert_eq!(Score::LEAST.max(busy), Score::LEAST);
        }
    }

    #[test]
    fn the_first_to_expire_goes_first() {
        let sooner = score(tcp(State::Established, 3, NOW + 499), 3);
        let later = score(tcp(State::Established, 3, NOW + 500), 15);
        assert_eq!(later.max(sooner), sooner);
        assert_eq!(sooner.max(later), sooner);
        assert_eq!(sooner.number(), 3);
        assert_eq!(sooner.event(), FlowEvent::EvictedProven);
        // Of two that have expired, the one that did so first; and both before any other.
        let long = score(tcp(State::Established, 3, NOW - 400), 0);
        let short = score(tcp(State::Close, 3, NOW - 1), 1);
        assert_eq!(long.max(short), long);
        assert_eq!(short.max(sooner), short);
    }

    #[test]
    fn the_oldest_half_open_flow_goes_first() {
        let opened = |state: u8, age: u32, number| {
            let deadline = NOW - age + TIMEOUTS[usize::from(state)];
            score(Word::open(1, state, deadline), number)
        };
        let (syn, datagram) = (SYN_RECV, Word::UDP);
        let sloppy = Word::of_tcp(State::Established as u8);
        for (old, new) in [(syn, datagram), (datagram, syn), (sloppy, syn), (syn, syn)] {
            assert_eq!(opened(old, 2, 0).max(opened(new, 1, 1)).number(), 0);
            assert_eq!(opened(new, 1, 0).max(opened(old, 2, 1)).number(), 1);
        }
        // Of services with a timeout of their own, a flow may last for longer than all others.
        let patient = score(Word::open(1, syn, NOW + 5_000), 0);
        assert_eq!(patient.max(opened(syn, 0, 1)).number(), 1);
        assert_eq!(patient.class(), Class::HalfOpen as u64);
    }
}

//! The word that rules an entry of the flow table.

use crate::tcp;

/// What an entry is, by the four state bits of its word.
///
/// Numbers 2 to 11 are the states of [`tcp::State`] plus one (`None` is never stored).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Stage {
    /// Nobody's.
    Free = 0,
    /// Claimed by a CPU that is writing it.
    Busy = 1,
    /// A TCP flow in that state.
    Tcp(tcp::State),
    /// A UDP flow.
    Udp = 12,
}

/// Last seen, backend, generation, state and a little history of a flow, in 64 bits.
///
/// ```text
/// bits  0..32  last seen, in ticks        56..60  state
///      32..48  backend id                 60..62  client packets seen, saturating at 3
///      48..56  generation                 62      a packet of the backend was seen
///                                         63      this entry is a reply's
/// ```
/// Every change but that of "last seen" is a compare-and-swap of the whole word; "last seen" is a
/// plain store of the low half, which at worst makes an entry that somebody just took look fresh.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(transparent)]
pub struct Word(pub u64);

const BACKEND: u32 = 32;
const GENERATION: u32 = 48;
const STATE: u32 = 56;
const PACKETS: u32 = 60;
const REPLY_SEEN: u32 = 62;

/// State numbers that count as active in IPVS's sense, a bit each.
const ACTIVE: u32 = {
    let mut mask = 0;
    let mut i = 0;
    while i < tcp::State::COUNT {
        if tcp::State::ALL[i].is_active() {
            mask |= 1 << (i + 1);
        }
        i += 1;
    }
    mask
};

/// State numbers of finished TCP connections, a bit each.
const FINISHED: u32 = {
    let mut mask = 0;
    let mut i = 0;
    while i < tcp::State::COUNT {
        if tcp::State::ALL[i].is_finished() {
            mask |= 1 << (i + 1);
        }
        i += 1;
    }
    mask
};

impl Word {
    /// An entry that was never used.
    pub const FREE: Self = Self(0);
    /// State number of a claimed entry.
    pub const BUSY: u8 = 1;
    /// State number of a UDP flow.
    pub const UDP: u8 = 12;
    /// How many packets the counter in the word tells apart.
    pub const MANY: u8 = 3;

    /// State number of a TCP flow in the state with this number of [`tcp::State`].
    #[inline(always)]
    pub const fn of_tcp(state: u8) -> u8 {
        state + 1
    }

    /// A flow that one client packet has just opened.
    #[inline(always)]
    pub const fn open(backend: u16, state: u8, now: u32) -> Self {
        Self(now as u64 | (backend as u64) << BACKEND | (state as u64) << STATE | 1 << PACKETS)
    }

    /// When the flow was last seen, in ticks.
    #[inline(always)]
    pub const fn seen(self) -> u32 {
        self.0 as u32
    }

    /// Ticks since then; the difference is right across a wrap of the clock.
    #[inline(always)]
    pub const fn age(self, now: u32) -> u32 {
        now.wrapping_sub(self.seen())
    }

    /// Id of the flow's backend.
    #[inline(always)]
    pub const fn backend(self) -> u16 {
        (self.0 >> BACKEND) as u16
    }

    /// How often the entry has been claimed, modulo 256.
    #[inline(always)]
    pub const fn generation(self) -> u8 {
        (self.0 >> GENERATION) as u8
    }

    /// The state's number; see [`Word::stage`] for its meaning.
    #[inline(always)]
    pub const fn state(self) -> u8 {
        (self.0 >> STATE) as u8 & 0xf
    }

    /// What the entry is; `None` for a number nobody writes.
    pub const fn stage(self) -> Option<Stage> {
        match self.state() {
            0 => Some(Stage::Free),
            Self::BUSY => Some(Stage::Busy),
            Self::UDP => Some(Stage::Udp),
            tcp @ 2..=11 => Some(Stage::Tcp(tcp::State::ALL[tcp as usize - 1])),
            _ => None,
        }
    }

    /// Whether the entry is a flow: neither free nor being written.
    #[inline(always)]
    pub const fn is_live(self) -> bool {
        self.state() > Self::BUSY
    }

    /// Whether a flow is active in IPVS's sense.
    #[inline(always)]
    pub const fn is_active(self) -> bool {
        ACTIVE >> self.state() & 1 != 0
    }

    /// Whether a SYN on this flow's tuple opens a new connection.
    #[inline(always)]
    pub const fn is_finished(self) -> bool {
        FINISHED >> self.state() & 1 != 0
    }

    /// Client packets seen, up to [`Word::MANY`].
    #[inline(always)]
    pub const fn packets(self) -> u8 {
        (self.0 >> PACKETS) as u8 & Self::MANY
    }

    /// Whether a packet of the backend was seen.
    #[inline(always)]
    pub const fn reply_seen(self) -> bool {
        self.0 >> REPLY_SEEN & 1 != 0
    }

    /// The word of whoever claims this entry to write it: busy, one generation on.
    #[inline(always)]
    #[must_use]
    pub const fn claimed(self) -> Self {
        Self(
            (self.generation().wrapping_add(1) as u64) << GENERATION | (Self::BUSY as u64) << STATE,
        )
    }

    /// This word with the generation of `claimed`.
    #[inline(always)]
    #[must_use]
    pub const fn of_generation(self, claimed: Self) -> Self {
        Self(self.0 | (claimed.generation() as u64) << GENERATION)
    }

    /// The word of the entry once its flow is gone; the generation stays, for who still points at it.
    #[inline(always)]
    #[must_use]
    pub const fn retired(self) -> Self {
        Self((self.generation() as u64) << GENERATION)
    }

    /// The word after one more client packet that leads to `state`, seen now.
    #[inline(always)]
    #[must_use]
    pub const fn advanced(self, state: u8, now: u32) -> Self {
        let packets = self.packets() + (self.packets() < Self::MANY) as u8;
        let kept = self.0 & !(0xffff_ffff | 0xf << STATE | (Self::MANY as u64) << PACKETS);
        Self(kept | now as u64 | (state as u64) << STATE | (packets as u64) << PACKETS)
    }

    /// Whether both words differ in no more than when the flow was last seen.
    #[inline(always)]
    pub const fn same_but_seen(self, other: Self) -> bool {
        (self.0 ^ other.0) >> 32 == 0
    }

    /// What the flow adds to its backend's load: active in the high half, inactive in the low one.
    #[inline(always)]
    pub const fn load(self) -> u64 {
        if self.is_active() { 1 << 32 } else { 1 }
    }
}

impl core::fmt::Debug for Word {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Word")
            .field("stage", &self.stage())
            .field("backend", &self.backend())
            .field("seen", &self.seen())
            .field("packets", &self.packets())
            .field("generation", &self.generation())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tcp::State;

    #[test]
    fn fields_do_not_touch_each_other() {
        let word = Word::open(0xfffe, Word::of_tcp(State::SynRecv as u8), 0xdead_beef);
        assert_eq!(word.backend(), 0xfffe);
        assert_eq!(word.seen(), 0xdead_beef);
        assert_eq!(word.stage(), Some(Stage::Tcp(State::SynRecv)));
        assert_eq!(
            (word.packets(), word.generation(), word.reply_seen()),
            (1, 0, false)
        );
        let word = word.advanced(Word::of_tcp(State::Established as u8), 7);
        assert_eq!(word.stage(), Some(Stage::Tcp(State::Established)));
        assert_eq!(
            (word.packets(), word.seen(), word.backend()),
            (2, 7, 0xfffe)
        );
        let word = word.advanced(word.state(), 8).advanced(word.state(), 9);
        assert_eq!(word.packets(), Word::MANY);
    }

    #[test]
    fn generations_wrap_and_survive() {
        let mut word = Word::FREE;
        for expected in (1..=255).chain([0, 1]) {
            let claimed = word.claimed();
            assert_eq!(
                (claimed.generation(), claimed.state()),
                (expected, Word::BUSY)
            );
            let open = Word::open(1, Word::UDP, 5).of_generation(claimed);
            assert!(open.is_live());
            word = open.retired();
            assert_eq!(
                (word.generation(), word.stage()),
                (expected, Some(Stage::Free))
            );
        }
    }

    #[test]
    fn active_is_what_ipvs_counts() {
        for state in &State::ALL[1..] {
            let word = Word::open(1, Word::of_tcp(*state as u8), 0);
            assert_eq!(word.is_active(), state.is_active(), "{}", state.as_str());
            assert_eq!(word.load(), if state.is_active() { 1 << 32 } else { 1 });
        }
        assert!(!Word::open(1, Word::UDP, 0).is_active());
        assert!(!Word::FREE.is_live() && !Word::FREE.claimed().is_live());
    }

    #[test]
    fn age_across_a_wrap() {
        assert_eq!(Word::open(1, Word::UDP, u32::MAX).age(4), 5);
    }
}

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

/// Deadline, backend, generation, state and a little history of a flow, in 64 bits.
///
/// ```text
/// bits  0..32  deadline, in ticks         56..60  state
///      32..48  backend id                 60..62  client packets seen, saturating at 3
///      48..56  generation                 62      a packet of the backend was seen
///                                         63      this entry is a reply's
/// ```
/// The deadline is the last tick of a flow that stays silent. Every packet moves it to its own time
/// plus the timeout of the state it leads to, so a timeout that changes holds from the next packet on,
/// as in IPVS. That is a plain store of the low half, which at worst lends an entry that somebody just
/// took the deadline of its last flow until its next packet; every other change is a
/// compare-and-swap of the whole word.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(transparent)]
pub struct Word(pub u64);

const BACKEND: u32 = 32;
const GENERATION: u32 = 48;
const STATE: u32 = 56;
const PACKETS: u32 = 60;
const REPLY_SEEN: u32 = 62;
const REPLY_SIDE: u32 = 63;
const DEADLINE: u64 = 0xffff_ffff;
const GENERATION_MASK: u64 = 0xff << GENERATION;

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
    pub const fn open(backend: u16, state: u8, deadline: u32) -> Self {
        Self(deadline as u64 | (backend as u64) << BACKEND | (state as u64) << STATE | 1 << PACKETS)
    }

    /// The last tick of the flow if it stays silent.
    #[inline(always)]
    pub const fn deadline(self) -> u32 {
        self.0 as u32
    }

    /// Ticks until the flow has expired; less than none if it has. Right across a wrap of the clock.
    #[inline(always)]
    pub const fn left(self, now: u32) -> i32 {
        self.deadline().wrapping_sub(now).cast_signed()
    }

    /// Whether the flow has been silent for too long.
    #[inline(always)]
    pub const fn has_expired(self, now: u32) -> bool {
        self.left(now) < 0
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

    /// Whether this is the entry of a flow's replies, which its other entry owns.
    #[inline(always)]
    pub const fn is_reply(self) -> bool {
        self.0 >> REPLY_SIDE != 0
    }

    /// The word of whoever claims this entry to write it: busy, one generation on.
    #[inline(always)]
    #[must_use]
    pub const fn claimed(self) -> Self {
        Self(
            (self.generation().wrapping_add(1) as u64) << GENERATION | (Self::BUSY as u64) << STATE,
        )
    }

    /// This word in another generation of its entry.
    #[inline(always)]
    #[must_use]
    pub const fn of_generation(self, generation: u8) -> Self {
        Self(self.0 & !GENERATION_MASK | (generation as u64) << GENERATION)
    }

    /// The word of the entry once its flow is gone; the generation stays, for who still points at it.
    #[inline(always)]
    #[must_use]
    pub const fn retired(self) -> Self {
        Self((self.generation() as u64) << GENERATION)
    }

    /// The word after one more client packet that leads to `state`.
    #[inline(always)]
    #[must_use]
    pub const fn advanced(self, state: u8, deadline: u32) -> Self {
        let packets = self.packets() + (self.packets() < Self::MANY) as u8;
        let kept = self.0 & !(DEADLINE | 0xf << STATE | (Self::MANY as u64) << PACKETS);
        Self(kept | deadline as u64 | (state as u64) << STATE | (packets as u64) << PACKETS)
    }

    /// The word after a packet of the backend that leads to `state`.
    #[inline(always)]
    #[must_use]
    pub const fn answered(self, state: u8, deadline: u32) -> Self {
        let kept = self.0 & !(DEADLINE | 0xf << STATE);
        Self(kept | deadline as u64 | (state as u64) << STATE | 1 << REPLY_SEEN)
    }

    /// The word of the entry of this flow's replies, in that generation of it: both entries are worth
    /// the same. The deadline is [`Word::REPLY_GRACE`] later.
    #[inline(always)]
    #[must_use]
    pub const fn reply(self, generation: u8) -> Self {
        let deadline = self.deadline().wrapping_add(Self::REPLY_GRACE);
        let kept = self.of_generation(generation).0 & !DEADLINE;
        Self(kept | deadline as u64 | 1 << REPLY_SIDE)
    }

    /// Ticks that a reply's entry outlives its owner's. A client's packet moves both deadlines only
    /// when that of the owner passes a multiple of this: it need not touch two entries at each tick.
    pub const REPLY_GRACE: u32 = 16;

    /// Whether the reply's entry must be told when the owner's deadline moves from one to the other.
    #[inline(always)]
    pub const fn outgrows(old: u32, new: u32) -> bool {
        (old ^ new) >= Self::REPLY_GRACE
    }

    /// Whether both words differ in no more than the deadline.
    #[inline(always)]
    pub const fn same_but_deadline(self, other: Self) -> bool {
        (self.0 ^ other.0) >> 32 == 0
    }

    /// What the flow adds to its backend's load: active in the high half, inactive in the low one;
    /// the entry of its replies adds nothing.
    #[inline(always)]
    pub const fn load(self) -> u64 {
        let load = if self.is_active() { 1 << 32 } else { 1 };
        if self.is_reply() { 0 } else { load }
    }
}

impl core::fmt::Debug for Word {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Word")
            .field("stage", &self.stage())
            .field("backend", &self.backend())
            .field("deadline", &self.deadline())
            .field("packets", &self.packets())
            .field("generation", &self.generation())
            .field("is_reply", &self.is_reply())
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
        assert_eq!(word.deadline(), 0xdead_beef);
        assert_eq!(word.stage(), Some(Stage::Tcp(State::SynRecv)));
        assert_eq!(
            (word.packets(), word.generation(), word.reply_seen()),
            (1, 0, false)
        );
        let word = word.advanced(Word::of_tcp(State::Established as u8), 7);
        assert_eq!(word.stage(), Some(Stage::Tcp(State::Established)));
        assert_eq!(
            (word.packets(), word.deadline(), word.backend()),
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
            let open = Word::open(1, Word::UDP, 5).of_generation(claimed.generation());
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
    fn time_left_across_a_wrap() {
        let word = Word::open(1, Word::UDP, 4);
        assert_eq!(word.left(u32::MAX), 5);
        assert_eq!(word.left(4), 0);
        assert!(!word.has_expired(4) && word.has_expired(5));
        assert!(Word::open(1, Word::UDP, u32::MAX).has_expired(0));
    }

    #[test]
    fn a_reply_is_worth_what_its_owner_is() {
        let owner = Word::open(7, Word::of_tcp(State::SynRecv as u8), 100).of_generation(0xa5);
        let reply = owner.reply(0x5a);
        assert!(reply.is_reply() && reply.is_live());
        assert_eq!((owner.generation(), reply.generation()), (0xa5, 0x5a));
        assert_eq!((reply.backend(), reply.packets()), (7, 1));
        assert_eq!((reply.state(), reply.load()), (owner.state(), 0));
        assert_eq!(reply.deadline(), 100 + Word::REPLY_GRACE);

        let owner = owner.answered(Word::of_tcp(State::Established as u8), 200);
        assert_eq!((owner.packets(), owner.reply_seen()), (1, true));
        assert_eq!(owner.load(), 1 << 32);
        let reply = owner.reply(reply.generation());
        assert!(reply.reply_seen() && reply.is_reply());
        assert_eq!(reply.generation(), 0x5a);
        assert_eq!(reply.state(), owner.state());
    }

    /// However the owner's deadline grows without being told, the reply's is later.
    #[test]
    fn a_reply_outlives_its_owner() {
        for told in 0..64 {
            let grace = told + Word::REPLY_GRACE;
            let end = (told..=grace).find(|new| Word::outgrows(told, *new));
            assert!(end.is_some_and(|end| end <= grace), "{told}");
        }
    }
}

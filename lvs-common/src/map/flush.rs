//! How user space asks the flush program to end flows.

use super::entry;
use crate::flow::{Slot, Word};

/// Flows that one run may end.
pub const FLUSH_CHUNK: usize = 32;

entry! {
    /// Request and answer: the "packet" that the flush program is run on.
    pub struct Flush {
        /// In: how many of `flows` are meant, at most [`FLUSH_CHUNK`].
        pub count: u32,
        /// Out: how many of them were ended; the others had ended already.
        pub ended: u32,
        /// In: the flows.
        pub flows: [FlushTarget; FLUSH_CHUNK],
    }
}

entry! {
    /// A flow as somebody has read it, who may be late: it is ended if its entry still has this
    /// generation and backend.
    pub struct FlushTarget {
        /// Its entry's [`Slot`].
        pub slot: u32,
        /// High half of its [`Word`].
        pub word: u32,
    }
}

impl FlushTarget {
    /// No flow.
    pub const NONE: Self = Self { slot: 0, word: 0 };

    /// The flow that was read in this slot with this word.
    pub const fn new(slot: Slot, word: Word) -> Self {
        Self {
            slot: slot.0,
            word: (word.0 >> 32) as u32,
        }
    }

    /// Whether an entry with this word is the flow.
    #[inline(always)]
    pub const fn is(self, word: Word) -> bool {
        let read = Word((self.word as u64) << 32);
        let same = read.generation() == word.generation() && read.backend() == word.backend();
        same && word.is_live()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Family;

    #[test]
    fn a_flow_is_known_by_generation_and_backend() {
        let slot = Slot::new(Family::Ipv6, 5, 2);
        let word = Word::open(7, Word::UDP, 100).of_generation(1);
        let flow = FlushTarget::new(slot, word);
        assert_eq!(Slot(flow.slot), slot);
        assert!(flow.is(word) && flow.is(word.advanced(Word::UDP, 200)));
        assert!(!flow.is(word.retired()) && !flow.is(word.claimed()));
        assert!(!flow.is(Word::open(7, Word::UDP, 100)));
        assert!(!flow.is(Word::open(8, Word::UDP, 100).of_generation(1)));
    }
}

//! Taking an entry for a new flow.

use lvs_common::flow::{Class, Link, PLACES, Places, Slot, Tuple, WAYS, Word};

use super::{
    NUMBERS, book, entry_at, entry_offset, link_of, slot_at,
    worth::{Score, class},
};
use crate::{
    atomic::{bounded, exchange, load, replace, store},
    family::Family,
    kernel::Tables,
};

/// After so many lost races for an entry the packet goes on without one.
const TRIES: usize = 3;

/// An entry that is this CPU's until it is published or given back: its number among those of its
/// tuple and its generation; in one word, since a BPF subprogram returns no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub struct Claim(pub u32);

const GENERATION: u32 = 8;
const IS_SOME: u32 = 1 << 16;

impl Claim {
    /// None: every entry is just being written, or each race for one was lost.
    const NONE: Self = Self(0);
    /// None, but only this race was lost.
    const LOST: Self = Self(1 << 17);

    #[inline(always)]
    const fn new(number: u32, generation: u8) -> Self {
        Self(number | (generation as u32) << GENERATION | IS_SOME)
    }

    /// Whether there is one.
    #[inline(always)]
    pub(super) const fn is_some(self) -> bool {
        self.0 & IS_SOME != 0
    }

    /// Which of the entries of its tuple it is.
    #[inline(always)]
    pub(super) const fn number(self) -> u32 {
        self.0 & 0xf
    }

    /// The entry's generation.
    #[inline(always)]
    pub(super) const fn generation(self) -> u8 {
        (self.0 >> GENERATION) as u8
    }

    /// What the other entry of a pair points to, once this one is published.
    #[inline(always)]
    pub(super) fn link<T: Tuple>(self, places: Places) -> Link {
        let slot: Slot = slot_at::<T>(&places, self.number());
        Link::new(slot, self.generation())
    }
}

/// Claims the entry that a new flow takes. A flow that is in it ends, and its pair with it.
#[inline(always)]
pub(super) fn claim<F: Family, K: Tables>(tables: &K, places: &Places, now: u32) -> Claim {
    for _ in 0..TRIES {
        let claim = tables.try_claim::<F>(places, now);
        if claim != Claim::LOST {
            return claim;
        }
    }
    Claim::NONE
}

/// Tries to claim it once.
#[inline(always)]
pub fn try_claim<F: Family, K: Tables>(tables: &K, places: &Places, now: u32) -> Claim {
    let score = choose::<F, K>(tables, places, now);
    if score.class() == 0 {
        return Claim::NONE;
    }
    let number = score.number();
    let Some(entry) = entry_at::<F, K>(tables, places, number) else {
        return Claim::NONE;
    };
    // SAFETY: an entry of the table, here and below.
    let word = Word(unsafe { load(entry) });
    // SAFETY: as above.
    let link = unsafe { link_of::<F::Tuple>(entry) };
    // It is judged by the word that is swapped: the one chosen may have changed since.
    if class(word, now) < score.class() {
        return Claim::LOST;
    }
    let busy = word.claimed();
    // SAFETY: as above.
    if !unsafe { replace(entry, word.0, busy.0) } {
        return Claim::LOST;
    }
    if word.is_live() {
        book(tables, word.backend(), 0_u64.wrapping_sub(word.load()));
        tables.count_event(score.event());
        if link.is_some() {
            let slot = slot_at::<F::Tuple>(places, number);
            tables.end(link, Link::new(slot, word.generation()));
        }
    }
    Claim::new(number, busy.generation())
}

/// Gives a claimed entry back, with nothing in it.
#[inline(always)]
pub(super) fn abandon<F: Family, K: Tables>(tables: &K, places: &Places, claim: Claim) {
    if let Some(entry) = entry_at::<F, K>(tables, places, claim.number()) {
        // SAFETY: an entry of the table, and this CPU's.
        unsafe { exchange(entry, Word::FREE.of_generation(claim.generation()).0) };
    }
}

/// Fills a claimed entry and publishes it, which makes it live with this word.
#[inline(always)]
pub(super) fn publish<F: Family, K: Tables>(
    tables: &K,
    places: &Places,
    claim: Claim,
    tuple: &F::Tuple,
    word: Word,
    link: Link,
) {
    let Some(entry) = entry_at::<F, K>(tables, places, claim.number()) else {
        return;
    };
    for (i, part) in tuple.words().iter().enumerate() {
        // SAFETY: the tuple's words follow the flow word; the entry is this CPU's.
        unsafe { store(entry.add(1 + i), *part) };
    }
    // SAFETY: the link follows them.
    unsafe { store(entry.add(<F::Tuple as Tuple>::LINK), link.0) };
    // Booked before anybody can book it out: a load is never less than none.
    book(tables, word.backend(), word.load());
    // SAFETY: as above.
    unsafe { exchange(entry, word.0) };
}

/// The score of the entry that a new flow takes: in the first half with a free or expired one, else
/// the one of all places that is worth least. One without a class if none may be taken.
///
/// Of several that are worth the same, which is common within a tick of a flood, one as good as at
/// random: were it always the same one, the latest flow would be the next to go.
#[inline(always)]
fn choose<F: Family, K: Tables>(tables: &K, places: &Places, now: u32) -> Score {
    let Some(timeouts) = tables.timeouts(0) else {
        return Score::LEAST;
    };
    let dice = dice(places);
    let mut best = Score::LEAST;
    for place in 0..PLACES {
        let Some(first) = F::half(tables, places.half(place)) else {
            break;
        };
        for way in 0..WAYS {
            // SAFETY: one of the entries of a half bucket.
            let word = Word(unsafe { load(first.wrapping_add(entry_offset::<F::Tuple>(way))) });
            let number = place * WAYS as u32 + way as u32;
            best = best.max(Score::of(word, now, number ^ dice, timeouts));
        }
        if best.class() >= Class::Expired as u64 {
            break;
        }
    }
    best.flipped(dice)
}

/// Bits of an entry's number that differ from tuple to tuple, though they have a place in common.
#[inline(always)]
fn dice(places: &Places) -> u32 {
    const { assert!(NUMBERS == 16) };
    let bits = places.to_bits();
    bounded::<{ NUMBERS as u64 - 1 }>(bits >> 2 ^ bits >> 34) as u32
}

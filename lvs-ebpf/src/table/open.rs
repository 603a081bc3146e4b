//! Entering a new flow into the table.

use lvs_common::{
    flow::{Link, Places, Word},
    map::FlowEvent,
};

use super::{
    NUMBERS,
    claim::{Claim, claim, publish},
    entry_at,
    find::{held, locate},
    slot_at,
};
use crate::{
    atomic::{load, opaque},
    family::Family,
    kernel::Tables,
};

/// More than one other CPU may have opened the same flow; each look finds one.
const LOOKS: usize = 3;

/// What became of a new flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opened {
    backend: u16,
    is_new: bool,
}

impl Opened {
    /// The backend its packets go to.
    #[inline(always)]
    pub const fn backend(self) -> u16 {
        self.backend
    }

    /// Whether it is a new connection: not if another CPU had opened it at the same time.
    #[inline(always)]
    pub const fn is_new(self) -> bool {
        self.is_new
    }
}

/// Opens the flow of `tuple` with `first` as its word, in one entry.
///
/// Its parts are subprograms: the verifier then follows each once, and not along every path that
/// leads to it.
#[inline(always)]
pub fn open<F: Family, K: Tables>(tables: &K, tuple: &F::Tuple, first: Word, now: u32) -> Opened {
    let new = Opened {
        backend: first.backend(),
        is_new: true,
    };
    let Some(settings) = tables.settings() else {
        return new;
    };
    let places = Places::of(tuple, &settings.keys, F::mask(settings));
    let claim = claim::<F, K>(tables, &places, now);
    if !claim.is_some() {
        tables.count_event(FlowEvent::NotKept);
        return new;
    }
    let own = first.of_generation(claim.generation());
    publish::<F, K>(tables, &places, claim, tuple, own, Link::NONE);
    let twin = tables.settle::<F>(&places, claim, own, now);
    if twin.is_live() {
        Opened {
            backend: twin.backend(),
            is_new: false,
        }
    } else {
        new
    }
}

/// Looks again, after publishing, for an entry of the same flow by another CPU: of both, the one in
/// the higher slot gives way, whoever sees it. Yields the word of the other entry if that one stays,
/// else [`Word::FREE`]: twins may well have the same word.
///
/// An entry of it that has expired is freed: a CPU whose clock is a tick behind may still see it live.
/// The tuple is read from the entry that was published with the word `own`.
#[inline(always)]
pub fn settle<F: Family, K: Tables>(
    tables: &K,
    places: &Places,
    claim: Claim,
    own: Word,
    now: u32,
) -> Word {
    let number = claim.number();
    let Some(entry) = entry_at::<F, K>(tables, places, number) else {
        return Word::FREE;
    };
    // SAFETY: an entry of the table; the tuple's words follow the flow word.
    let tuple = unsafe { *entry.add(1).cast::<F::Tuple>() };
    let tuple = opaque(&tuple);
    // SAFETY: as above.
    if Word(unsafe { load(entry) }).generation() != own.generation() {
        // Evicted already: there is nothing left that could be a twin's.
        return Word::FREE;
    }
    for _ in 0..LOOKS {
        let twin = locate::<F, K>(tables, places, tuple, None, Some(number));
        if twin >= NUMBERS {
            break;
        }
        let Some(entry) = entry_at::<F, K>(tables, places, twin) else {
            break;
        };
        // SAFETY: an entry of the table.
        let Some((word, _)) = (unsafe { held(entry, tuple) }) else {
            continue;
        };
        let (own_slot, slot) = (
            slot_at::<F::Tuple>(places, number),
            slot_at::<F::Tuple>(places, twin),
        );
        if word.has_expired(now) {
            if tables.retire(slot, word) {
                tables.count_event(FlowEvent::Expired);
            }
            continue;
        }
        tables.count_event(FlowEvent::Twin);
        if slot.0 < own_slot.0 {
            tables.retire(own_slot, own);
            return word;
        }
        tables.retire(slot, word);
    }
    Word::FREE
}

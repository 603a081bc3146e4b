//! Entering a new flow into the table.

use lvs_common::{
    flow::{Class, PLACES, Places, Tuple, WAYS, Word},
    map::FlowEvent,
};

use super::{
    NUMBERS, book, entry_at, entry_offset,
    find::{locate, settled},
    retire,
    worth::Score,
};
use crate::{
    atomic::{exchange, load, opaque, replace, store},
    family::Family,
    kernel::Tables,
};

/// After so many lost races for an entry the packet goes on without one.
const TRIES: usize = 3;

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

/// Opens the flow of `tuple` with `first` as its word.
///
/// Its parts are subprograms: the verifier then follows each once, and not along every path that
/// leads to it.
#[inline(always)]
pub fn open<F: Family, K: Tables>(tables: &K, tuple: &F::Tuple, first: Word) -> Opened {
    let new = Opened {
        backend: first.backend(),
        is_new: true,
    };
    let Some(settings) = tables.settings() else {
        return new;
    };
    let places = Places::of(tuple, &settings.keys, F::mask(settings));
    for _ in 0..TRIES {
        let score = choose::<F, K>(tables, &places, first.seen());
        if score == Score::LEAST {
            break;
        }
        let Some(entry) = entry_at::<F, K>(tables, &places, score.number()) else {
            break;
        };
        // SAFETY: an entry of the table, here and below.
        let word = Word(unsafe { load(entry) });
        // It is judged by the word that is swapped: the one chosen may have changed since.
        if Score::of(settings, word, first.seen(), score.number()).class() < score.class() {
            continue;
        }
        let busy = word.claimed();
        // SAFETY: as above.
        if !unsafe { replace(entry, word.0, busy.0) } {
            continue;
        }
        if word.is_live() {
            book(tables, word.backend(), 0_u64.wrapping_sub(word.load()));
            tables.count_event(score.event());
        }
        let own = first.of_generation(busy);
        // SAFETY: the entry is this CPU's until it is published.
        unsafe { write(entry, tuple) };
        // Booked before anybody can book it out: a load is never less than none.
        book(tables, own.backend(), own.load());
        // SAFETY: as above.
        unsafe { exchange(entry, own.0) };
        let stays = settle::<F, K>(tables, &places, tuple, score.number(), own);
        return if stays == own {
            new
        } else {
            Opened {
                backend: stays.backend(),
                is_new: false,
            }
        };
    }
    tables.count_event(FlowEvent::NotKept);
    new
}

/// The score of the entry that a new flow takes: in the first half with a free or expired one, else
/// the one of all places that is worth least. [`Score::LEAST`] if none may be taken.
#[inline(never)]
fn choose<F: Family, K: Tables>(tables: &K, places: &Places, now: u32) -> Score {
    let mut best = Score::LEAST;
    let Some(settings) = tables.settings() else {
        return best;
    };
    for place in 0..PLACES {
        let Some(first) = F::half(tables, places.half(place)) else {
            break;
        };
        for way in 0..WAYS {
            // SAFETY: one of the entries of a half bucket.
            let word = Word(unsafe { load(first.wrapping_add(entry_offset::<F::Tuple>(way))) });
            let number = place * WAYS as u32 + way as u32;
            best = best.max(Score::of(settings, word, now, number));
        }
        if best.class() >= Class::Expired as u64 {
            break;
        }
    }
    best
}

/// Writes the body of a claimed entry.
///
/// # Safety
/// `entry` must be claimed by the caller.
#[inline(always)]
unsafe fn write<T: Tuple>(entry: *mut u64, tuple: &T) {
    let words = tuple.words();
    for (i, word) in words.iter().enumerate() {
        // SAFETY: the tuple's words follow the flow word.
        unsafe { store(entry.add(1 + i), *word) };
    }
    // SAFETY: the link follows them.
    unsafe { store(entry.add(1 + words.len()), 0) };
}

/// Looks again, after publishing, for an entry of the same flow by another CPU: of both, the one in
/// the higher slot gives way, whoever sees it. Yields the word of the entry that stays.
#[inline(never)]
fn settle<F: Family, K: Tables>(
    tables: &K,
    places: &Places,
    tuple: &F::Tuple,
    number: u32,
    own: Word,
) -> Word {
    let tuple = opaque(tuple);
    let Some(settings) = tables.settings() else {
        return own;
    };
    // More than one other CPU may have opened it; each look finds one.
    for _ in 0..TRIES {
        let twin = locate::<F, K>(tables, settings, places, tuple, own.seen(), Some(number));
        if twin >= NUMBERS {
            break;
        }
        let Some(entry) = entry_at::<F, K>(tables, places, twin) else {
            break;
        };
        // SAFETY: an entry of the table.
        let Some(word) = (unsafe { settled(settings, entry, tuple, own.seen()) }) else {
            continue;
        };
        tables.count_event(FlowEvent::Twin);
        if slot(places, twin) < slot(places, number) {
            if let Some(own_entry) = entry_at::<F, K>(tables, places, number) {
                // SAFETY: as above.
                unsafe { retire(tables, own_entry, own) };
            }
            return word;
        }
        // SAFETY: as above.
        unsafe { retire(tables, entry, word) };
    }
    own
}

/// Number in the whole table of a tuple's entry.
#[inline(always)]
fn slot(places: &Places, number: u32) -> u64 {
    u64::from(places.half(number / WAYS as u32)) * WAYS as u64 + u64::from(number % WAYS as u32)
}

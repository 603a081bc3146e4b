//! Looking a packet's flow up.

use lvs_common::{
    flow::{PLACES, Places, Tuple, WAYS, Word},
    map::Settings,
};

use super::{NUMBERS, age, differs, entry_at, entry_offset, timeout};
use crate::{
    atomic::{bounded, is_zero, load, opaque, sign},
    family::Family,
    kernel::Tables,
};

/// A live flow that was found.
#[derive(Clone, Copy, Debug)]
pub struct Hit {
    /// Its entry.
    pub entry: *mut u64,
    /// Its word when it was found.
    pub word: Word,
}

/// The live flow of `tuple`, if there is one.
///
/// Almost every flow is at home; looking further is a subprogram, which the verifier follows once.
#[inline(always)]
pub fn find<F: Family, K: Tables>(
    tables: &K,
    settings: &Settings,
    tuple: &F::Tuple,
    now: u32,
) -> Option<Hit> {
    let home = Places::home(tuple, &settings.keys, F::mask(settings));
    let first = F::half(tables, home)?;
    for pair in (0..WAYS).step_by(2) {
        // Two entries at a time: a cache line of IPv4, and one path for the verifier.
        let low = first.wrapping_add(entry_offset::<F::Tuple>(pair));
        let high = first.wrapping_add(entry_offset::<F::Tuple>(pair + 1));
        // SAFETY: two of the entries of a half bucket.
        let (low_differs, high_differs) = unsafe { (differs(low, tuple), differs(high, tuple)) };
        if low_differs != 0 && high_differs != 0 {
            continue;
        }
        let is_high = bounded::<1>(!is_zero(low_differs)) as usize;
        let entry = low.wrapping_add(entry_offset::<F::Tuple>(1) * is_high);
        // SAFETY: as above.
        if let Some(word) = unsafe { settled(settings, entry, tuple, now) } {
            return Some(Hit { entry, word });
        }
    }
    let number = elsewhere::<F, K>(tables, tuple, now);
    if number >= NUMBERS {
        return None;
    }
    let places = Places::of(tuple, &settings.keys, F::mask(settings));
    let entry = entry_at::<F, K>(tables, &places, number)?;
    // SAFETY: an entry of the table.
    let word = unsafe { settled(settings, entry, tuple, now) }?;
    Some(Hit { entry, word })
}

/// Number of the live flow of `tuple` in all of its places; [`NUMBERS`] or more if there is none.
#[inline(never)]
fn elsewhere<F: Family, K: Tables>(tables: &K, tuple: &F::Tuple, now: u32) -> u32 {
    let tuple = opaque(tuple);
    let Some(settings) = tables.settings() else {
        return NUMBERS;
    };
    let places = Places::of(tuple, &settings.keys, F::mask(settings));
    locate::<F, K>(tables, settings, &places, tuple, now, None)
}

/// Number of the first entry but `but` that is a live flow of `tuple`, as it seems at a glance; who
/// uses it looks at it again. [`NUMBERS`] or more if there is none.
///
/// Without branches, for the verifier's sake: one path instead of one for each entry.
#[inline(always)]
pub(super) fn locate<F: Family, K: Tables>(
    tables: &K,
    settings: &Settings,
    places: &Places,
    tuple: &F::Tuple,
    now: u32,
    but: Option<u32>,
) -> u32 {
    if !appears::<F, K>(tables, places, tuple, but) {
        return NUMBERS;
    }
    let mut found = u64::from(u32::MAX);
    // From the last place to the first: the first one found is the one that stays.
    for place in (0..PLACES).rev() {
        let Some(first) = F::half(tables, places.half(place)) else {
            return NUMBERS;
        };
        for way in (0..WAYS).rev() {
            let entry = first.wrapping_add(entry_offset::<F::Tuple>(way));
            let number = place * WAYS as u32 + way as u32;
            // SAFETY: one of the entries of a half bucket, here and below.
            let same = is_zero(unsafe { differs(entry, tuple) });
            // SAFETY: as above.
            let word = Word(unsafe { load(entry) });
            let live = sign(i64::from(Word::BUSY) - i64::from(word.state()));
            let expired = sign(i64::from(timeout(settings, word)) - i64::from(age(word, now)));
            let take = same & live & !expired & !is_number(number, but);
            found = found & !take | u64::from(number) & take;
        }
    }
    found as u32
}

/// Whether an entry but `but` has this tuple, be it of a live flow or left of another: a look at the
/// tuples alone, which is all that a miss takes.
#[inline(always)]
fn appears<F: Family, K: Tables>(
    tables: &K,
    places: &Places,
    tuple: &F::Tuple,
    but: Option<u32>,
) -> bool {
    // The top bit of `x | -x` is clear for zero alone.
    let mut all_differ = u64::MAX;
    for place in 0..PLACES {
        let Some(first) = F::half(tables, places.half(place)) else {
            return false;
        };
        for way in 0..WAYS {
            let entry = first.wrapping_add(entry_offset::<F::Tuple>(way));
            let number = place * WAYS as u32 + way as u32;
            // SAFETY: one of the entries of a half bucket.
            let different = unsafe { differs(entry, tuple) } | is_number(number, but);
            all_differ &= different | different.wrapping_neg();
        }
    }
    sign(all_differ.cast_signed()) == 0
}

/// All ones if the number is this one, else 0.
#[inline(always)]
fn is_number(number: u32, this: Option<u32>) -> u64 {
    this.map_or(0, |this| is_zero(u64::from(number ^ this)))
}

/// The word of an entry, if it is the live flow of `tuple` and nobody claimed it while it was read.
///
/// Another packet may have moved the flow on meanwhile; only a claim, and so another generation,
/// puts another tuple there.
///
/// # Safety
/// `entry` must point to an entry of the table.
#[inline(always)]
pub(super) unsafe fn settled<T: Tuple>(
    settings: &Settings,
    entry: *const u64,
    tuple: &T,
    now: u32,
) -> Option<Word> {
    // SAFETY: the caller's.
    let word = Word(unsafe { load(entry) });
    // SAFETY: the caller's.
    let same = unsafe { differs(entry, tuple) } == 0;
    // SAFETY: the caller's.
    let after = Word(unsafe { load(entry) });
    let unclaimed = after.is_live() && word.generation() == after.generation();
    let settled = same && word.is_live() && unclaimed;
    (settled && age(word, now) <= timeout(settings, word)).then_some(word)
}

//! Looking a packet's flow up.

use lvs_common::{
    flow::{Link, PLACES, Places, Slot, Tuple, WAYS, Word},
    map::Settings,
};

use super::{NUMBERS, differs, entry_at, entry_offset, link_of, slot_at};
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
    /// Where that is.
    pub slot: Slot,
    /// Its word when it was found.
    pub word: Word,
    /// Its link.
    pub link: Link,
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
        if let Some((word, link)) = unsafe { settled(entry, tuple, now) } {
            let slot = Slot::new(F::Tuple::FAMILY, home, (pair + is_high) as u32);
            return Some(Hit {
                entry,
                slot,
                word,
                link,
            });
        }
    }
    let number = elsewhere::<F, K>(tables, tuple, now);
    if number >= NUMBERS {
        return None;
    }
    let places = Places::of(tuple, &settings.keys, F::mask(settings));
    let entry = entry_at::<F, K>(tables, &places, number)?;
    // SAFETY: an entry of the table.
    let (word, link) = unsafe { settled(entry, tuple, now) }?;
    Some(Hit {
        entry,
        slot: slot_at::<F::Tuple>(&places, number),
        word,
        link,
    })
}

/// Number of the live flow of `tuple` in all of its places; [`NUMBERS`] or more if there is none.
#[inline(never)]
fn elsewhere<F: Family, K: Tables>(tables: &K, tuple: &F::Tuple, now: u32) -> u32 {
    let tuple = opaque(tuple);
    let Some(settings) = tables.settings() else {
        return NUMBERS;
    };
    let places = Places::of(tuple, &settings.keys, F::mask(settings));
    locate::<F, K>(tables, &places, tuple, Some(now), None)
}

/// Number of the first entry but `but` that is a live flow of `tuple`, as it seems at a glance; who
/// uses it looks at it again. [`NUMBERS`] or more if there is none. With a time only those that have not
/// expired by then, else all that nobody has freed.
///
/// Without branches, for the verifier's sake: one path instead of one for each entry.
#[inline(always)]
pub(super) fn locate<F: Family, K: Tables>(
    tables: &K,
    places: &Places,
    tuple: &F::Tuple,
    now: Option<u32>,
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
            let expired = now.map_or(0, |now| sign(word.left(now).into()));
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

/// Word and link of an entry, if it is the live flow of `tuple` and has not expired.
///
/// # Safety
/// As for [`held`].
#[inline(always)]
unsafe fn settled<T: Tuple>(entry: *const u64, tuple: &T, now: u32) -> Option<(Word, Link)> {
    // SAFETY: the caller's.
    let (word, link) = unsafe { held(entry, tuple) }?;
    (!word.has_expired(now)).then_some((word, link))
}

/// Word and link of an entry, if it is a flow of `tuple` and nobody claimed it while it was read.
///
/// Another packet may have moved the flow on meanwhile; only a claim, and so another generation,
/// puts another tuple there.
///
/// # Safety
/// `entry` must point to an entry of the table of this kind of tuples.
#[inline(always)]
pub(super) unsafe fn held<T: Tuple>(entry: *const u64, tuple: &T) -> Option<(Word, Link)> {
    // SAFETY: the caller's.
    let word = Word(unsafe { load(entry) });
    // SAFETY: the caller's.
    let same = unsafe { differs(entry, tuple) } == 0;
    // SAFETY: the caller's.
    let link = unsafe { link_of::<T>(entry) };
    // SAFETY: the caller's.
    let after = Word(unsafe { load(entry) });
    let unclaimed = after.is_live() && word.generation() == after.generation();
    (same && word.is_live() && unclaimed).then_some((word, link))
}

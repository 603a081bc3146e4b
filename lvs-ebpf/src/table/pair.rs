//! The two entries of a flow whose replies come by here: that of the client's packets, which owns the
//! flow, and that of the backend's.
//!
//! They point at each other by slot and generation. The reply's is published first, and is as good as
//! absent until its owner points back; its tuple is nobody else's, so that a reply has one owner.
//! Both have the same state and history, so that neither is evicted more readily than the other, and
//! whoever frees one frees the other. Should one be lost all the same, the other is found out by the
//! next packet that needs both.

use lvs_common::{
    flow::{Link, Places, Slot, Word},
    map::FlowEvent,
};

use super::{
    NUMBERS,
    claim::{abandon, claim, publish},
    entry_at, entry_of,
    find::{Hit, held, locate},
    slot_at,
};
use crate::{
    atomic::{load, replace},
    family::Family,
    kernel::Tables,
};

/// How often another CPU may get in between.
const TRIES: usize = 3;

/// Reply tuples that are tried for one flow.
const CANDIDATES: u32 = 64;

/// What became of a new flow with two entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paired {
    /// It is in the table.
    New,
    /// Another CPU has opened it at the same time: look it up.
    Twin,
    /// Every reply tuple that was tried belongs to another flow.
    Taken,
    /// There was no place for both of its entries.
    NotKept,
}

/// Opens the flow of `tuple` with `first` as its word, and the entry of its replies.
///
/// `reply` yields the n-th reply tuple to try, with the note for the flow's link; `None` ends the search.
/// `note` is the one for the reply's link.
#[inline(always)]
pub fn open_pair<F: Family, R: Family, K: Tables>(
    tables: &K,
    tuple: &F::Tuple,
    first: Word,
    note: u32,
    now: u32,
    mut reply: impl FnMut(u32) -> Option<(R::Tuple, u32)>,
) -> Paired {
    let (Some(settings), Some(scratch)) = (tables.settings(), tables.scratch()) else {
        return Paired::NotKept;
    };
    let places = Places::of(tuple, &settings.keys, F::mask(settings));
    let claim = claim::<F, K>(tables, &places, now);
    if !claim.is_some() {
        tables.count_event(FlowEvent::NotKept);
        return Paired::NotKept;
    }
    let own = first.of_generation(claim.generation());
    let back = claim.link::<F::Tuple>(places).with_note(note);
    let mut joined = Joined::TAKEN;
    for n in 0..CANDIDATES {
        let Some((tuple, note)) = reply(n) else {
            break;
        };
        // SAFETY: this CPU's, with room for the longest tuple.
        unsafe { (&raw mut (*scratch).reply).cast::<R::Tuple>().write(tuple) };
        joined = tables.join::<R>(back, own, now);
        if joined != Joined::TAKEN {
            joined = joined.with_note(note);
            break;
        }
    }
    let Some(link) = joined.link() else {
        abandon::<F, K>(tables, &places, claim);
        if joined == Joined::TAKEN {
            return Paired::Taken;
        }
        tables.count_event(FlowEvent::NotKept);
        return Paired::NotKept;
    };
    publish::<F, K>(tables, &places, claim, tuple, own, link);
    if !is_whole(tables, link, back) {
        // Somebody took the reply's entry before anybody could see whose it was.
        tables.retire(back.slot(), own);
        tables.count_event(FlowEvent::NotKept);
        return Paired::NotKept;
    }
    if tables.settle::<F>(&places, claim, own, now).is_live() {
        Paired::Twin
    } else {
        Paired::New
    }
}

/// What became of a reply's entry, in one word: a BPF subprogram returns no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub struct Joined(pub u64);

impl Joined {
    /// The tuple belongs to another flow.
    const TAKEN: Self = Self(0);
    /// There was no place.
    const NO_PLACE: Self = Self(1);

    /// The link to it, if there is one.
    #[inline(always)]
    fn link(self) -> Option<Link> {
        let link = Link(self.0);
        link.is_some().then_some(link)
    }

    #[inline(always)]
    fn with_note(self, note: u32) -> Self {
        self.link()
            .map_or(self, |link| Self(link.with_note(note).0))
    }
}

/// Enters the reply's tuple in the scratch for a flow that `owner` means and whose word will be `word`,
/// if it is nobody's.
#[inline(always)]
pub fn join<R: Family, K: Tables>(tables: &K, owner: Link, word: Word, now: u32) -> Joined {
    let (Some(settings), Some(scratch)) = (tables.settings(), tables.scratch()) else {
        return Joined::NO_PLACE;
    };
    // SAFETY: this CPU's, and a tuple of this family was written to it.
    let tuple = unsafe { &*(&raw const (*scratch).reply).cast::<R::Tuple>() };
    let places = Places::of(tuple, &settings.keys, R::mask(settings));
    if is_taken::<R, K>(tables, &places, tuple, NUMBERS, now) {
        return Joined::TAKEN;
    }
    let claim = claim::<R, K>(tables, &places, now);
    if !claim.is_some() {
        return Joined::NO_PLACE;
    }
    let own = word.reply(claim.generation());
    publish::<R, K>(tables, &places, claim, tuple, own, owner);
    let link = claim.link::<R::Tuple>(places);
    // Of two that enter one tuple at least one sees the other: publishing is a full barrier. Both may
    // give way, never do both stay.
    if is_taken::<R, K>(tables, &places, tuple, claim.number(), now) {
        tables.retire(link.slot(), own);
        return Joined::TAKEN;
    }
    Joined(link.0)
}

/// Whether an entry but the one with the number `but` is a live flow of `tuple`. Those that have
/// expired are freed: a CPU whose clock is a tick behind may still see them live. So are replies whose
/// owner is gone or has expired: their own deadline is later, and nobody else may ever ask for them.
#[inline(always)]
fn is_taken<F: Family, K: Tables>(
    tables: &K,
    places: &Places,
    tuple: &F::Tuple,
    but: u32,
    now: u32,
) -> bool {
    for _ in 0..TRIES {
        let number = tables.rival::<F>(places, but);
        if number >= NUMBERS {
            return false;
        }
        let Some(entry) = entry_at::<F, K>(tables, places, number) else {
            return true;
        };
        // SAFETY: an entry of the table.
        let Some((word, link)) = (unsafe { held(entry, tuple) }) else {
            continue;
        };
        let slot = slot_at::<F::Tuple>(places, number);
        if !is_over(tables, slot, word, link, now) || !tables.retire(slot, word) {
            return true;
        }
        tables.count_event(FlowEvent::Expired);
    }
    true
}

/// Number of an entry but `but` that appears to be a live flow of the tuple in the scratch;
/// more than there are if there is none.
#[inline(always)]
pub fn rival<F: Family, K: Tables>(tables: &K, places: &Places, but: u32) -> u32 {
    let Some(scratch) = tables.scratch() else {
        return NUMBERS;
    };
    // SAFETY: as in `join`.
    let tuple = unsafe { &*(&raw const (*scratch).reply).cast::<F::Tuple>() };
    locate::<F, K>(tables, places, tuple, None, Some(but))
}

/// Whether the flow of an entry with this word and link has expired, or is lost.
#[inline(always)]
fn is_over<K: Tables>(tables: &K, slot: Slot, word: Word, link: Link, now: u32) -> bool {
    if word.has_expired(now) || !word.is_reply() {
        return word.has_expired(now);
    }
    match owner_of(tables, slot, word, link) {
        Owner::Found(owner) => owner.word.has_expired(now),
        Owner::Opening => false,
        Owner::Lost => true,
    }
}

/// Whether the entry that `link` means is there and means the one of `back` in turn.
#[inline(always)]
fn is_whole<K: Tables>(tables: &K, link: Link, back: Link) -> bool {
    let Some((entry, its_link)) = entry_of(tables, link.slot()) else {
        return false;
    };
    // SAFETY: an entry of the table and a word of it.
    let (word, its_link) = unsafe { (Word(load(entry)), Link(load(its_link))) };
    word.is_live() && word.generation() == link.generation() && its_link.means(back)
}

/// What is in the entry that a reply's means.
enum Owner {
    /// The flow, which may have expired.
    Found(Hit),
    /// Nothing yet: somebody is just opening the flow.
    Opening,
    /// Something else, or nothing any more.
    Lost,
}

/// The owner of the reply's entry in `slot` with this word and link.
#[inline(always)]
fn owner_of<K: Tables>(tables: &K, slot: Slot, reply: Word, link: Link) -> Owner {
    let back = Link::new(slot, reply.generation());
    let Some((entry, its_link)) = entry_of(tables, link.slot()) else {
        return Owner::Lost;
    };
    // SAFETY: an entry of the table and a word of it.
    let (word, its_link) = unsafe { (Word(load(entry)), Link(load(its_link))) };
    if word.generation() != link.generation() {
        return Owner::Lost;
    }
    if word.is_live() && its_link.means(back) {
        return Owner::Found(Hit {
            entry,
            slot: link.slot(),
            word,
            link: its_link,
        });
    }
    if word.state() == Word::BUSY {
        Owner::Opening
    } else {
        Owner::Lost
    }
}

/// The flow that a reply belongs to, from the entry of its replies that was found. `None`: its owner
/// is gone, and that entry with it, or has expired.
#[inline(always)]
pub fn owner<K: Tables>(tables: &K, reply: &Hit, now: u32) -> Option<Hit> {
    match owner_of(tables, reply.slot, reply.word, reply.link) {
        Owner::Found(owner) => (!owner.word.has_expired(now)).then_some(owner),
        Owner::Opening => None,
        Owner::Lost => {
            tables.retire(reply.slot, reply.word);
            None
        }
    }
}

/// Gives the entry of a flow's replies its owner's state, history and deadline. If it is lost, the
/// flow ends.
#[inline(always)]
pub fn mirror<K: Tables>(tables: &K, slot: Slot, flow: Word) {
    let Some((entry, link)) = entry_of(tables, slot) else {
        return;
    };
    // SAFETY: a word of an entry of the table.
    let link = Link(unsafe { load(link) });
    if !link.is_some() {
        return;
    }
    let back = Link::new(slot, flow.generation());
    let Some((reply, its_link)) = entry_of(tables, link.slot()) else {
        return;
    };
    for _ in 0..TRIES {
        // SAFETY: entries of the table and words of them, here and below.
        let owner = Word(unsafe { load(entry) });
        if !owner.is_live() || owner.generation() != flow.generation() {
            return;
        }
        // SAFETY: as above.
        let (word, its_link) = unsafe { (Word(load(reply)), Link(load(its_link))) };
        let is_there = word.is_live() && word.generation() == link.generation();
        if !is_there || !its_link.means(back) {
            if tables.retire(slot, owner) {
                tables.count_event(FlowEvent::Widowed);
            }
            return;
        }
        // SAFETY: as above.
        if unsafe { replace(reply, word.0, owner.reply(word.generation()).0) } {
            // Who changed the owner since may have mirrored it before: the last to do so is right.
            // SAFETY: as above.
            let again = Word(unsafe { load(entry) });
            if again.same_but_deadline(owner) {
                return;
            }
        }
    }
}

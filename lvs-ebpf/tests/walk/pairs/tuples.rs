//! What a new flow takes: two entries, a reply tuple that is nobody else's, and nothing if it fails.

use lvs_common::{
    flow::{Places, Word},
    map::FlowEvent,
};
use lvs_ebpf::{
    host::{Load, Memory},
    kernel::Tables as _,
    table::{self, pair::Paired, try_claim},
};

use super::{BACKEND, Side, backend_sends, client_sends, entry, lose, open, pair, syn, table};
use crate::farm::assert_sound;

const NOTHING: Load = Load::new(0, 0);
const ONE: Load = Load::new(1, 0);

for_each_kind! {
    opening_makes_two_entries_that_point_at_each_other
    a_taken_reply_tuple_is_passed_over
    the_search_for_a_reply_tuple_ends
    the_tuple_of_a_lone_flow_is_taken_too
    an_expired_reply_tuple_is_freed_and_taken
    a_flow_that_has_just_expired_opens_again
    a_reply_without_its_owner_is_in_nobodys_way
    a_flow_without_a_place_is_not_kept
    a_flow_without_a_place_for_its_replies_gives_its_own_back
}

fn opening_makes_two_entries_that_point_at_each_other<F: Side, R: Side>() {
    let memory = table(64);
    let word = syn(&memory);
    assert_eq!(open::<F, R>(&memory, 1, &[100], word), Paired::New);
    let (owner, reply) = pair::<F, R>(&memory, 1, 100);
    assert_eq!(memory.flows().len(), 2);
    assert!(owner.word.same_but_deadline(word.of_generation(1)));
    assert_eq!(owner.word.deadline(), word.deadline());
    assert_eq!(reply.word.deadline(), word.deadline() + Word::REPLY_GRACE);
    assert_eq!(memory.load_of(BACKEND), ONE);
    let by_client = client_sends::<F>(&memory, 1, 0x10).unwrap();
    let by_backend = backend_sends::<R>(&memory, 100, 0x10).unwrap();
    assert_eq!((by_client.slot, by_backend.slot), (owner.slot, owner.slot));
    assert_sound(&memory);
}

fn a_taken_reply_tuple_is_passed_over<F: Side, R: Side>() {
    let memory = table(64);
    let word = syn(&memory);
    assert_eq!(open::<F, R>(&memory, 1, &[100], word), Paired::New);
    assert_eq!(open::<F, R>(&memory, 2, &[100, 101], word), Paired::New);
    pair::<F, R>(&memory, 1, 100);
    pair::<F, R>(&memory, 2, 101);
    assert_eq!(memory.load_of(BACKEND), Load::new(2, 0));
    assert_sound(&memory);
}

fn the_search_for_a_reply_tuple_ends<F: Side, R: Side>() {
    // As many as are tried.
    const TRIED: u32 = 64;
    let memory = table(1024);
    let word = syn(&memory);
    for client in 0..TRIED {
        open::<F, R>(&memory, client, &[100 + client], word);
    }
    let all: Vec<u32> = (100..=100 + TRIED).collect();
    for replies in [&all[..1], &all[..64], &all[..], &[]] {
        let paired = open::<F, R>(&memory, 99, replies, word);
        assert_eq!(paired, Paired::Taken, "{replies:?}");
    }
    let last = 100 + TRIED;
    assert!(entry::<F>(&memory, 99).is_none() && entry::<R>(&memory, last).is_none());
    assert_eq!(memory.flows().len(), 2 * TRIED as usize);
    assert_eq!(memory.event(FlowEvent::NotKept), 0);
    assert_sound(&memory);
    assert_eq!(open::<F, R>(&memory, 99, &all[1..], word), Paired::New);
    pair::<F, R>(&memory, 99, last);
}

fn the_tuple_of_a_lone_flow_is_taken_too<F: Side, R: Side>() {
    let memory = table(64);
    let word = syn(&memory);
    table::open::<R, _>(&memory, &R::tuple(100), word, memory.now());
    assert_eq!(open::<F, R>(&memory, 1, &[100], word), Paired::Taken);
    assert_eq!(memory.flows().len(), 1);
    assert_eq!(open::<F, R>(&memory, 1, &[100, 101], word), Paired::New);
    assert_sound(&memory);
}

fn an_expired_reply_tuple_is_freed_and_taken<F: Side, R: Side>() {
    let memory = table(64);
    assert_eq!(open::<F, R>(&memory, 1, &[100], syn(&memory)), Paired::New);
    memory.pass(60 * 10 + Word::REPLY_GRACE + 1);
    assert_eq!(open::<F, R>(&memory, 2, &[100], syn(&memory)), Paired::New);
    pair::<F, R>(&memory, 2, 100);
    assert_eq!(memory.flows().len(), 2, "the old flow is gone altogether");
    assert_eq!(memory.event(FlowEvent::Expired), 1);
    assert_eq!(memory.load_of(BACKEND), ONE);
    assert_sound(&memory);
}

/// The entry of its replies is still in its grace: it must not keep the flow from its own tuple.
fn a_flow_that_has_just_expired_opens_again<F: Side, R: Side>() {
    for late in 1..=Word::REPLY_GRACE {
        for client in 0..20 {
            let memory = table(64);
            open::<F, R>(&memory, client, &[100], syn(&memory));
            memory.pass(60 * 10 + late);
            assert!(client_sends::<F>(&memory, client, 0x10).is_none());
            let paired = open::<F, R>(&memory, client, &[100], syn(&memory));
            assert_eq!(paired, Paired::New, "{late} ticks late");
            pair::<F, R>(&memory, client, 100);
            assert_eq!(memory.flows().len(), 2);
            assert_eq!(memory.load_of(BACKEND), ONE);
            assert_sound(&memory);
        }
    }
}

fn a_reply_without_its_owner_is_in_nobodys_way<F: Side, R: Side>() {
    let memory = table(64);
    open::<F, R>(&memory, 1, &[100], syn(&memory));
    lose(&memory, &pair::<F, R>(&memory, 1, 100).0);
    assert_eq!(open::<F, R>(&memory, 2, &[100], syn(&memory)), Paired::New);
    pair::<F, R>(&memory, 2, 100);
    assert_eq!(memory.flows().len(), 2);
    assert_sound(&memory);
}

/// Has a CPU be just writing so many entries of the smallest table, as long as the test takes.
fn keep_busy<F: Side>(memory: &Memory, entries: u32) {
    for number in 0..entries {
        let settings = memory.settings().unwrap();
        let places = Places::of(&F::tuple(1000 + number), &settings.keys, 3);
        try_claim::<F, _>(memory, &places, memory.now());
    }
}

fn a_flow_without_a_place_is_not_kept<F: Side, R: Side>() {
    let memory = table(4);
    keep_busy::<F>(&memory, 16);
    let word = syn(&memory);
    assert_eq!(open::<F, R>(&memory, 1, &[100], word), Paired::NotKept);
    assert_eq!(memory.event(FlowEvent::NotKept), 1);
    assert!(memory.flows().is_empty());
    assert_eq!(memory.load_of(BACKEND), NOTHING);
}

fn a_flow_without_a_place_for_its_replies_gives_its_own_back<F: Side, R: Side>() {
    let memory = table(4);
    let is_one_table = size_of::<F::Tuple>() == size_of::<R::Tuple>();
    keep_busy::<R>(&memory, if is_one_table { 15 } else { 16 });
    let word = syn(&memory);
    assert_eq!(open::<F, R>(&memory, 1, &[100, 101], word), Paired::NotKept);
    assert_eq!(memory.event(FlowEvent::NotKept), 1);
    assert!(memory.flows().is_empty());
    assert_eq!(memory.load_of(BACKEND), NOTHING);
    let opened = table::open::<F, _>(&memory, &F::tuple(1), word, memory.now());
    assert!(opened.is_new() && entry::<F>(&memory, 1).is_some());
}

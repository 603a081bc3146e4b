//! Both entries of a pair go together, whichever is ended and by whom, and are booked out once.

use lvs_common::{
    flow::Word,
    map::FlowEvent,
    tcp::{ACK, State},
};
use lvs_ebpf::{
    host::{Load, Memory},
    kernel::Tables as _,
    table::{self, pair::Paired, retire},
};

use super::{
    BACKEND, Side, backend_sends, client_sends, entry, in_state, lose, open, pair, syn, table,
};
use crate::farm::assert_sound;

const NOTHING: Load = Load::new(0, 0);
/// The backend of the flows that make the table full.
const OTHER: u16 = 2;

for_each_kind! {
    retiring_either_entry_ends_the_flow
    flushing_either_entry_or_both_ends_the_flow_once
    evicting_an_entry_ends_the_flow
    sweeping_an_expired_reply_ends_the_flow
    a_finished_flow_opens_anew_on_its_own_tuples
    a_stale_ending_ends_nothing
}

fn retiring_either_entry_ends_the_flow<F: Side, R: Side>() {
    for side in 0..2 {
        let memory = table(64);
        open::<F, R>(&memory, 1, &[100], syn(&memory));
        let (owner, reply) = pair::<F, R>(&memory, 1, 100);
        let flow = [owner, reply][side];
        assert!(retire(&memory, flow.slot, flow.word));
        assert!(!retire(&memory, flow.slot, flow.word), "it is gone");
        assert!(memory.flows().is_empty());
        assert_eq!(memory.load_of(BACKEND), NOTHING);
    }
}

fn flushing_either_entry_or_both_ends_the_flow_once<F: Side, R: Side>() {
    for picked in [&[0][..], &[1], &[0, 1], &[1, 0]] {
        let memory = table(64);
        open::<F, R>(&memory, 1, &[100], syn(&memory));
        open::<F, R>(&memory, 2, &[101], syn(&memory));
        let (owner, reply) = pair::<F, R>(&memory, 1, 100);
        // Changes between reading and flushing do not save it.
        client_sends::<F>(&memory, 1, ACK);
        backend_sends::<R>(&memory, 100, ACK);
        let flows: Vec<_> = picked.iter().map(|side| [owner, reply][*side]).collect();
        assert_eq!(memory.flush(&flows), 1, "{picked:?}");
        assert_eq!(memory.event(FlowEvent::Flushed), 1);
        assert_eq!(memory.load_of(BACKEND), Load::new(1, 0));
        pair::<F, R>(&memory, 2, 101);
        assert_eq!(memory.flows().len(), 2);
        assert_sound(&memory);
    }
}

/// Fills the smallest table of a family with proven flows, but for so many entries.
fn crowd<F: Side>(memory: &Memory, but: usize) {
    let in_family = |memory: &Memory| {
        let number = |flow: &&lvs_ebpf::host::Flow| {
            flow.slot.family() == <F::Tuple as lvs_common::flow::Tuple>::FAMILY
        };
        memory.flows().iter().filter(number).count()
    };
    for number in 0.. {
        if in_family(memory) + but >= 16 {
            break;
        }
        let state = Word::of_tcp(State::Established as u8);
        let deadline = memory.deadline(state);
        let word = Word::open(OTHER, state, deadline)
            .advanced(state, deadline)
            .advanced(state, deadline);
        let tuple = F::tuple(1000 + number);
        table::open::<F, _>(memory, &tuple, word, memory.now());
    }
}

fn evicting_an_entry_ends_the_flow<F: Side, R: Side>() {
    // In one table the owner goes, which is the first to expire; in two, whose table is full.
    let is_one_table = size_of::<F::Tuple>() == size_of::<R::Tuple>();
    for reply_goes in [false, true] {
        if reply_goes && is_one_table {
            continue;
        }
        let memory = table(4);
        open::<F, R>(&memory, 1, &[100], syn(&memory));
        let proven = in_state(&memory, State::Established);
        if reply_goes {
            crowd::<R>(&memory, 0);
            table::open::<R, _>(&memory, &R::tuple(500), proven, memory.now());
        } else {
            crowd::<F>(&memory, 0);
            table::open::<F, _>(&memory, &F::tuple(500), proven, memory.now());
        }
        assert!(entry::<F>(&memory, 1).is_none() && entry::<R>(&memory, 100).is_none());
        assert_eq!(memory.load_of(BACKEND), Load::new(1, 0), "the new flow");
        assert_eq!(memory.event(FlowEvent::EvictedHalfOpen), 1);
        assert_eq!(memory.event(FlowEvent::EvictedProven), 0);
        assert_sound(&memory);
    }
}

fn sweeping_an_expired_reply_ends_the_flow<F: Side, R: Side>() {
    let memory = table(64);
    open::<F, R>(&memory, 1, &[100], syn(&memory));
    memory.pass(60 * 10 + Word::REPLY_GRACE + 1);
    let swept = memory.sweep_all();
    assert_eq!((swept.retired, swept.live), (1, 0), "it is one flow");
    assert!(memory.flows().is_empty());
    assert_eq!(memory.load_of(BACKEND), NOTHING);
    assert_eq!(memory.event(FlowEvent::Expired), 1);
}

fn a_finished_flow_opens_anew_on_its_own_tuples<F: Side, R: Side>() {
    let memory = table(64);
    for round in 0..300 {
        // Generations wrap meanwhile.
        let paired = open::<F, R>(&memory, 1, &[100], syn(&memory));
        assert_eq!(paired, Paired::New, "round {round}");
        let (owner, _) = pair::<F, R>(&memory, 1, 100);
        assert_sound(&memory);
        assert!(retire(&memory, owner.slot, owner.word));
        assert!(memory.flows().is_empty());
    }
    assert_eq!(memory.load_of(BACKEND), NOTHING);
}

fn a_stale_ending_ends_nothing<F: Side, R: Side>() {
    let memory = table(64);
    open::<F, R>(&memory, 1, &[100], syn(&memory));
    let (owner, reply) = pair::<F, R>(&memory, 1, 100);
    retire(&memory, owner.slot, owner.word);
    open::<F, R>(&memory, 1, &[100], syn(&memory));
    let (new_owner, new_reply) = pair::<F, R>(&memory, 1, 100);
    assert_eq!(
        (owner.slot, reply.slot),
        (new_owner.slot, new_reply.slot),
        "the same entries in another generation"
    );
    for old in [owner, reply] {
        assert!(!retire(&memory, old.slot, old.word));
        assert_eq!(memory.flush(&[old]), 0);
        table::end(&memory, old.link, new_owner.link);
    }
    pair::<F, R>(&memory, 1, 100);
    // One that has lost its partner ends alone.
    lose(&memory, &new_reply);
    assert!(retire(&memory, new_owner.slot, new_owner.word));
    assert_eq!(memory.load_of(BACKEND), NOTHING);
}

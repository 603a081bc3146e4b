//! What two CPUs do to a pair, step by step: the second acts in the middle of what the first does.

use std::{sync::Barrier, thread};

use lvs_common::{
    flow::{Stage, Word},
    map::FlowEvent,
    tcp::{ACK, FIN, SYN, State},
};
use lvs_ebpf::{
    host::{Flow, Load, Memory},
    kernel::Tables as _,
    table::{pair::Paired, retire},
};

use super::{
    BACKEND, Side, backend_sends, client_sends, entry, in_state, lose, open, pair, syn, table,
};
use crate::{
    farm::assert_sound,
    raced::{Point, Raced},
};

const NOTHING: Load = Load::new(0, 0);
const ONE: Load = Load::new(1, 0);

for_each_kind! {
    a_reply_taken_before_its_owner_is_there_ends_the_flow
    an_owner_taken_before_its_twin_is_looked_for_takes_its_reply_along
    a_reply_whose_owner_is_just_opening_is_left_alone
    one_flow_opened_on_two_cpus_is_one
    one_flow_opened_on_two_cpus_with_one_reply_tuple_is_one_at_most
    two_flows_never_share_a_reply_tuple
    both_entries_taken_at_once_are_booked_out_once
    the_last_change_is_the_one_that_is_mirrored
    a_flow_that_ends_while_it_is_mirrored_stays_ended
    a_flow_that_is_saved_while_its_tuple_is_wanted_keeps_it_or_ends
}

/// Frees the entry of this tuple as an eviction would do.
fn take<F: Side>(memory: &Memory, number: u32) {
    let flow = any_entry::<F>(memory, number).expect("an entry to take");
    assert!(retire(memory, flow.slot, flow.word));
}

/// The entry of this tuple, be it that of a flow that is just being opened.
fn any_entry<F: Side>(memory: &Memory, number: u32) -> Option<Flow> {
    let tuple = F::tuple(number).into();
    memory.flows().into_iter().find(|flow| flow.tuple == tuple)
}

fn a_reply_taken_before_its_owner_is_there_ends_the_flow<F: Side, R: Side>() {
    let memory = table(64);
    // The first booking is for the reply's entry, the second for the owner's.
    let cpu = Raced::new(&memory, Point::Booking, |_| {}).then(Point::Booking, |memory| {
        assert!(any_entry::<F>(memory, 1).is_none());
        take::<R>(memory, 100);
    });
    assert_eq!(open::<F, R>(&cpu, 1, &[100], syn(&memory)), Paired::NotKept);
    cpu.assert_all_had_their_turn();
    assert!(memory.flows().is_empty(), "it would black-hole replies");
    assert_eq!(memory.load_of(BACKEND), NOTHING);
    assert_eq!(memory.event(FlowEvent::NotKept), 1);
    assert_sound(&memory);
}

fn an_owner_taken_before_its_twin_is_looked_for_takes_its_reply_along<F: Side, R: Side>() {
    let memory = table(64);
    let cpu = Raced::new(&memory, Point::Settle, |memory| take::<F>(memory, 1));
    open::<F, R>(&cpu, 1, &[100], syn(&memory));
    cpu.assert_all_had_their_turn();
    assert!(memory.flows().is_empty());
    assert_eq!(memory.load_of(BACKEND), NOTHING);
}

fn a_reply_whose_owner_is_just_opening_is_left_alone<F: Side, R: Side>() {
    let memory = table(64);
    let cpu = Raced::new(&memory, Point::Booking, |_| {}).then(Point::Booking, |memory| {
        assert!(backend_sends::<R>(memory, 100, ACK).is_none());
        assert_eq!(
            open::<F, R>(memory, 2, &[100], syn(memory)),
            Paired::Taken,
            "it has an owner, who is on the way"
        );
    });
    assert_eq!(open::<F, R>(&cpu, 1, &[100], syn(&memory)), Paired::New);
    cpu.assert_all_had_their_turn();
    pair::<F, R>(&memory, 1, 100);
    assert_eq!(memory.flows().len(), 2);
    assert_sound(&memory);
}

fn one_flow_opened_on_two_cpus_is_one<F: Side, R: Side>() {
    for point in [Point::Claim, Point::Booking, Point::Settle] {
        for client in 0..30 {
            let memory = table(8);
            let cpu = Raced::new(&memory, point, |memory| {
                let paired = open::<F, R>(memory, client, &[201], syn(memory));
                // Who looks first sees nobody; who looks last sees the other.
                assert!(paired == Paired::New || point == Point::Settle);
            });
            let paired = open::<F, R>(&cpu, client, &[200], syn(&memory));
            cpu.assert_all_had_their_turn();
            let stays = entry::<F>(&memory, client).expect("one stays").link.note();
            pair::<F, R>(&memory, client, stays);
            assert_eq!(memory.flows().len(), 2, "{point:?} {client}");
            assert_eq!(paired == Paired::Twin, stays == 201, "{point:?} {client}");
            // Each may see the other.
            assert!((1..=2).contains(&memory.event(FlowEvent::Twin)));
            assert_eq!(memory.load_of(BACKEND), ONE);
            assert_sound(&memory);
        }
    }
}

/// Both may find the tuple taken by the other; never do both stay, and what stays is whole.
fn one_flow_opened_on_two_cpus_with_one_reply_tuple_is_one_at_most<F: Side, R: Side>() {
    for client in 0..30 {
        let memory = table(8);
        let barrier = Barrier::new(2);
        let open = || {
            let meet = |_: &Memory| {
                barrier.wait();
            };
            // Both are about to publish their reply.
            let cpu = Raced::new(&memory, Point::Booking, meet);
            open::<F, R>(&cpu, client, &[100], syn(&memory))
        };
        let outcomes = thread::scope(|scope| {
            let cpus = [scope.spawn(open), scope.spawn(open)];
            cpus.map(|cpu| cpu.join().unwrap())
        });
        let new = outcomes.iter().filter(|paired| **paired == Paired::New);
        let new = new.count();
        assert!(new <= 1, "{outcomes:?}");
        assert_eq!(memory.flows().len(), 2 * new, "{outcomes:?}");
        assert_eq!(memory.load_of(BACKEND), Load::new(new as u32, 0));
        assert_sound(&memory);
    }
}

fn two_flows_never_share_a_reply_tuple<F: Side, R: Side>() {
    for client in 0..30 {
        let memory = table(8);
        let cpu = Raced::new(&memory, Point::Booking, |memory| {
            let paired = open::<F, R>(memory, 50 + client, &[100], syn(memory));
            assert_eq!(paired, Paired::New);
        });
        // The tuple was free at its first look; it gives way, and takes the next one.
        let paired = open::<F, R>(&cpu, client, &[100, 101], syn(&memory));
        cpu.assert_all_had_their_turn();
        assert_eq!(paired, Paired::New);
        pair::<F, R>(&memory, 50 + client, 100);
        pair::<F, R>(&memory, client, 101);
        assert_eq!(memory.flows().len(), 4);
        assert_sound(&memory);
    }
}

fn both_entries_taken_at_once_are_booked_out_once<F: Side, R: Side>() {
    for first in 0..2 {
        let memory = table(64);
        open::<F, R>(&memory, 1, &[100], syn(&memory));
        let (owner, reply) = pair::<F, R>(&memory, 1, 100);
        let flows = [owner, reply];
        let cpu = Raced::new(&memory, Point::End, |memory| {
            // The other CPU has freed this one, and not yet looked at that one.
            let other = flows[1 - first];
            assert!(retire(memory, other.slot, other.word));
        });
        assert!(retire(&cpu, flows[first].slot, flows[first].word));
        cpu.assert_all_had_their_turn();
        assert!(memory.flows().is_empty());
        assert_eq!(memory.load_of(BACKEND), NOTHING);
    }
}

fn the_last_change_is_the_one_that_is_mirrored<F: Side, R: Side>() {
    let memory = table(64);
    open::<F, R>(&memory, 1, &[100], syn(&memory));
    // This CPU has changed the owner, and the other one changes it again and mirrors that first.
    let cpu = Raced::new(&memory, Point::Mirror, |memory| {
        client_sends::<F>(memory, 1, FIN | ACK).unwrap();
    });
    client_sends::<F>(&cpu, 1, ACK).unwrap();
    cpu.assert_all_had_their_turn();
    let (owner, reply) = pair::<F, R>(&memory, 1, 100);
    assert_eq!(owner.word.stage(), Some(Stage::Tcp(State::CloseWait)));
    assert_eq!(reply.word, owner.word.reply(reply.word.generation()));
    assert_sound(&memory);

    // The other way round: what the backend said is mirrored by a CPU that comes late.
    let cpu = Raced::new(&memory, Point::Mirror, |memory| {
        client_sends::<F>(memory, 1, SYN).unwrap();
        backend_sends::<R>(memory, 100, FIN).unwrap();
    });
    backend_sends::<R>(&cpu, 100, ACK).unwrap();
    cpu.assert_all_had_their_turn();
    let (owner, reply) = pair::<F, R>(&memory, 1, 100);
    assert_eq!(owner.word.stage(), Some(Stage::Tcp(State::TimeWait)));
    assert_eq!(reply.word, owner.word.reply(reply.word.generation()));
    assert_sound(&memory);
}

fn a_flow_that_ends_while_it_is_mirrored_stays_ended<F: Side, R: Side>() {
    for loses in [false, true] {
        let memory = table(64);
        open::<F, R>(&memory, 1, &[100], syn(&memory));
        let (_, reply) = pair::<F, R>(&memory, 1, 100);
        let cpu = Raced::new(&memory, Point::Mirror, |memory| {
            if loses {
                lose(memory, &reply);
            } else {
                take::<R>(memory, 100);
                // Its entries have other flows at once.
                open::<F, R>(memory, 1, &[100], in_state(memory, State::Established));
            }
        });
        client_sends::<F>(&cpu, 1, ACK).unwrap();
        cpu.assert_all_had_their_turn();
        if loses {
            assert!(memory.flows().is_empty());
            assert_eq!(memory.event(FlowEvent::Widowed), 1);
        } else {
            let (owner, reply) = pair::<F, R>(&memory, 1, 100);
            assert_eq!((owner.word.packets(), reply.word.packets()), (1, 1));
            assert_eq!(memory.event(FlowEvent::Widowed), 0);
        }
        assert_sound(&memory);
    }
}

/// A CPU has seen that a flow has expired and wants its reply tuple; one whose clock is a tick behind
/// saves the flow in that moment.
fn a_flow_that_is_saved_while_its_tuple_is_wanted_keeps_it_or_ends<F: Side, R: Side>() {
    let memory = table(64);
    open::<F, R>(&memory, 1, &[100], syn(&memory));
    memory.pass(60 * 10 + Word::REPLY_GRACE + 1);
    // It counts the expired reply that it has freed, with its owner.
    let cpu = Raced::new(&memory, Point::End, |memory| {
        memory.set_now(memory.now() - Word::REPLY_GRACE - 1);
        client_sends::<F>(memory, 1, ACK).expect("not yet expired there");
        memory.pass(Word::REPLY_GRACE + 1);
    });
    assert_eq!(open::<F, R>(&cpu, 2, &[100], syn(&memory)), Paired::New);
    cpu.assert_all_had_their_turn();
    pair::<F, R>(&memory, 2, 100);
    assert!(entry::<F>(&memory, 1).is_none(), "its tuple is another's");
    assert_eq!(memory.flows().len(), 2);
    assert_eq!(memory.load_of(BACKEND), ONE);
    assert_sound(&memory);
}

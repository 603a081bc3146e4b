//! The life of a pair: packets of both sides, deadlines, and what each entry says meanwhile.

use lvs_common::{
    flow::{Stage, Word},
    map::FlowEvent,
    tcp::{ACK, FIN, SYN, State},
};
use lvs_ebpf::{
    host::{Load, Swept},
    kernel::Tables as _,
    table::pair::owner,
};

use super::{BACKEND, Side, backend_sends, client_sends, entry, lose, open, pair, syn, table};
use crate::farm::assert_sound;

const NOTHING: Load = Load::new(0, 0);

for_each_kind! {
    a_connection_from_handshake_to_end
    a_pair_ends_at_the_tick_of_its_owners_timeout
    packets_of_the_backend_keep_a_flow
    replies_outlive_their_owner_by_no_more_than_the_grace
    a_lost_reply_is_found_by_the_next_change
    a_lost_owner_is_found_by_the_next_reply
    a_reply_of_an_expired_owner_is_nobodys
}

fn a_connection_from_handshake_to_end<F: Side, R: Side>() {
    let memory = table(64);
    open::<F, R>(&memory, 1, &[100], syn(&memory));
    let story = [
        (false, SYN | ACK, State::SynRecv, 1, true),
        (true, ACK, State::Established, 2, true),
        (false, ACK, State::Established, 2, true),
        (true, ACK, State::Established, 3, true),
        (true, FIN | ACK, State::CloseWait, 3, false),
        (false, ACK, State::CloseWait, 3, false),
        (false, FIN | ACK, State::TimeWait, 3, false),
        (true, ACK, State::TimeWait, 3, false),
    ];
    for (step, (is_client, flags, state, packets, is_active)) in story.into_iter().enumerate() {
        memory.pass(1);
        let hit = if is_client {
            client_sends::<F>(&memory, 1, flags)
        } else {
            backend_sends::<R>(&memory, 100, flags)
        };
        assert!(hit.is_some(), "step {step}");
        let (owner, reply) = pair::<F, R>(&memory, 1, 100);
        assert_eq!(owner.word.stage(), Some(Stage::Tcp(state)), "step {step}");
        assert_eq!(owner.word.packets(), packets, "step {step}");
        assert!(owner.word.reply_seen(), "step {step}");
        let mirrored = owner.word.reply(reply.word.generation());
        assert!(reply.word.same_but_deadline(mirrored), "step {step}");
        assert_eq!(
            owner.word.deadline(),
            memory.deadline(owner.word.state()),
            "step {step}"
        );
        let load = if is_active {
            Load::new(1, 0)
        } else {
            Load::new(0, 1)
        };
        assert_eq!(memory.load_of(BACKEND), load, "step {step}");
        assert_sound(&memory);
    }
}

fn a_pair_ends_at_the_tick_of_its_owners_timeout<F: Side, R: Side>() {
    let memory = table(64);
    open::<F, R>(&memory, 1, &[100], syn(&memory));
    memory.pass(60 * 10);
    assert_eq!(memory.sweep_all().retired, 0);
    assert!(entry::<F>(&memory, 1).is_some());
    assert_eq!(memory.load_of(BACKEND), Load::new(1, 0));
    memory.pass(1);
    assert!(entry::<F>(&memory, 1).is_none());
    assert!(backend_sends::<R>(&memory, 100, ACK).is_none());
    let swept = Swept {
        retired: 1,
        live: 0,
    };
    assert_eq!(memory.sweep_all(), swept, "it is one flow");
    assert!(memory.flows().is_empty());
    assert_eq!(memory.load_of(BACKEND), NOTHING);
    assert_eq!(memory.event(FlowEvent::Expired), 1);
}

fn packets_of_the_backend_keep_a_flow<F: Side, R: Side>() {
    let memory = table(64);
    open::<F, R>(&memory, 1, &[100], syn(&memory));
    client_sends::<F>(&memory, 1, ACK);
    for _ in 0..5 {
        memory.pass(900 * 10);
        assert!(backend_sends::<R>(&memory, 100, ACK).is_some());
        let (owner, reply) = pair::<F, R>(&memory, 1, 100);
        assert_eq!(
            owner.word.deadline(),
            memory.deadline(owner.word.state()),
            "a backend's packet counts as one of the flow"
        );
        assert!(reply.word.reply_seen());
        assert_eq!(memory.sweep_all().retired, 0);
        assert_sound(&memory);
    }
    memory.pass(900 * 10 + 1);
    assert!(backend_sends::<R>(&memory, 100, ACK).is_none());
}

fn replies_outlive_their_owner_by_no_more_than_the_grace<F: Side, R: Side>() {
    let memory = table(64);
    open::<F, R>(&memory, 1, &[100], syn(&memory));
    for step in 0..200 {
        memory.pass(step % 5);
        if step % 3 == 0 {
            backend_sends::<R>(&memory, 100, ACK).unwrap();
        } else {
            client_sends::<F>(&memory, 1, ACK).unwrap();
        }
        let (owner, reply) = pair::<F, R>(&memory, 1, 100);
        assert_eq!(owner.word.deadline(), memory.deadline(owner.word.state()));
        let longer = reply.word.deadline() - owner.word.deadline();
        assert!(
            (1..=Word::REPLY_GRACE).contains(&longer),
            "step {step}: {longer} ticks"
        );
    }
}

fn a_lost_reply_is_found_by_the_next_change<F: Side, R: Side>() {
    // A change of state, and one of the deadline alone once it passes a multiple of the grace.
    for flags in [FIN | ACK, ACK] {
        let memory = table(64);
        open::<F, R>(&memory, 1, &[100], syn(&memory));
        for _ in 0..3 {
            client_sends::<F>(&memory, 1, ACK);
        }
        lose(&memory, &pair::<F, R>(&memory, 1, 100).1);
        memory.pass(Word::REPLY_GRACE);
        assert!(client_sends::<F>(&memory, 1, flags).is_some());
        assert!(memory.flows().is_empty(), "it would black-hole replies");
        assert_eq!(memory.load_of(BACKEND), NOTHING);
        assert_eq!(memory.event(FlowEvent::Widowed), 1);
        assert!(client_sends::<F>(&memory, 1, ACK).is_none());
    }
}

fn a_lost_owner_is_found_by_the_next_reply<F: Side, R: Side>() {
    let memory = table(64);
    open::<F, R>(&memory, 1, &[100], syn(&memory));
    lose(&memory, &pair::<F, R>(&memory, 1, 100).0);
    assert!(backend_sends::<R>(&memory, 100, ACK).is_none());
    assert!(memory.flows().is_empty());
    assert_eq!(memory.load_of(BACKEND), NOTHING);
}

fn a_reply_of_an_expired_owner_is_nobodys<F: Side, R: Side>() {
    let memory = table(64);
    open::<F, R>(&memory, 1, &[100], syn(&memory));
    let settings = memory.settings().unwrap();
    memory.pass(60 * 10 + 1);
    let now = memory.now();
    let hit = lvs_ebpf::table::find::<R, _>(&memory, settings, &R::tuple(100), now);
    let hit = hit.expect("the reply's entry is in its grace");
    assert!(owner(&memory, &hit, now).is_none());
    assert!(owner(&memory, &hit, now - 1).is_some());
}

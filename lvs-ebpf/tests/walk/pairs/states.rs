//! Both of the kernel's tables for a flow whose backend is heard, against the test's own form of them:
//! every state, every segment, both directions; and a lone flow beside it.

use lvs_common::{
    flow::{Stage, Word},
    tcp::State,
};
use lvs_ebpf::{
    host::{Load, Memory},
    table,
};

use super::{BACKEND, Side, backend_sends, client_sends, entry, in_state, open, pair, table};
use crate::{
    farm::assert_sound,
    kernel::{self, Side as Heard, TIMEOUTS},
};

const ACTIVE: Load = Load::new(1, 0);
const INACTIVE: Load = Load::new(0, 1);

for_each_kind! {
    every_state_on_every_segment_of_the_client
    every_state_on_every_segment_of_the_backend
    a_lone_flow_hears_the_client_alone
    a_lone_flow_whose_backend_was_heard_hears_both
}

/// Every state and segment, and what the kernel's table says of them.
fn cells(side: Heard) -> impl Iterator<Item = (State, u8, State, u32)> {
    TIMEOUTS.into_iter().flat_map(move |(state, _)| {
        kernel::all_flags().map(move |flags| {
            let next = kernel::next_of(side, state, flags);
            let timeout = TIMEOUTS.iter().find(|(of, _)| *of == next);
            (state, flags, next, timeout.unwrap().1)
        })
    })
}

fn check<F: Side>(memory: &Memory, next: State, seconds: u32, packets: u8, heard: bool) {
    let word = entry::<F>(memory, 1).expect("the flow").word;
    assert_eq!(word.stage(), Some(Stage::Tcp(next)));
    assert_eq!(
        word.deadline(),
        lvs_ebpf::kernel::Tables::now(memory) + seconds * 10
    );
    assert_eq!((word.packets(), word.reply_seen()), (packets, heard));
    let load = if kernel::is_active(next) {
        ACTIVE
    } else {
        INACTIVE
    };
    assert_eq!(memory.load_of(BACKEND), load);
    assert_sound(memory);
}

fn check_mirror<F: Side, R: Side>(memory: &Memory) {
    let (owner, reply) = pair::<F, R>(memory, 1, 100);
    assert_eq!(reply.word, owner.word.reply(reply.word.generation()));
}

fn every_state_on_every_segment_of_the_client<F: Side, R: Side>() {
    for (state, flags, next, seconds) in cells(Heard::Input) {
        println!("{state:?} on {flags:#x}");
        let memory = table(16);
        open::<F, R>(&memory, 1, &[100], in_state(&memory, state));
        memory.pass(3);
        client_sends::<F>(&memory, 1, flags).unwrap();
        check::<F>(&memory, next, seconds, 2, false);
        check_mirror::<F, R>(&memory);
    }
}

fn every_state_on_every_segment_of_the_backend<F: Side, R: Side>() {
    for (state, flags, next, seconds) in cells(Heard::Output) {
        println!("{state:?} on {flags:#x}");
        let memory = table(16);
        open::<F, R>(&memory, 1, &[100], in_state(&memory, state));
        memory.pass(3);
        backend_sends::<R>(&memory, 100, flags).unwrap();
        check::<F>(&memory, next, seconds, 1, true);
        check_mirror::<F, R>(&memory);
    }
}

fn open_lone<F: Side>(memory: &Memory, word: Word) {
    let now = lvs_ebpf::kernel::Tables::now(memory);
    table::open::<F, _>(memory, &F::tuple(1), word, now);
}

fn a_lone_flow_hears_the_client_alone<F: Side, R: Side>() {
    for (state, flags, next, seconds) in cells(Heard::InputOnly) {
        println!("{state:?} on {flags:#x}");
        let memory = table(16);
        open_lone::<F>(&memory, in_state(&memory, state));
        memory.pass(3);
        client_sends::<F>(&memory, 1, flags).unwrap();
        check::<F>(&memory, next, seconds, 2, false);
    }
}

/// As the kernel does once a packet of the backend has cleared `IP_VS_CONN_F_NOOUTPUT`.
fn a_lone_flow_whose_backend_was_heard_hears_both<F: Side, R: Side>() {
    for (state, flags, next, seconds) in cells(Heard::Input) {
        println!("{state:?} on {flags:#x}");
        let memory = table(16);
        let word = in_state(&memory, state);
        open_lone::<F>(&memory, word.answered(word.state(), word.deadline()));
        memory.pass(3);
        client_sends::<F>(&memory, 1, flags).unwrap();
        check::<F>(&memory, next, seconds, 2, true);
    }
}

//! Flows with two entries, by the table's own functions: one for the client's packets, which owns the
//! flow, and one for the backend's.

/// Runs tests for each kind of pair: within IPv4, within IPv6, and of IPv6 clients and IPv4 backends.
macro_rules! for_each_kind {
    ($($test:ident)*) => { $(
        mod $test {
            use lvs_ebpf::family::{V4, V6};

            #[test]
            fn ipv4() {
                super::$test::<V4, V4>();
            }
            #[test]
            fn ipv6() {
                super::$test::<V6, V6>();
            }
            #[test]
            fn ipv6_to_ipv4() {
                super::$test::<V6, V4>();
            }
        }
    )* };
}

mod ending;
mod life;
mod races;
mod states;
mod threads;
mod tuples;

use lvs_common::{
    Family as Number,
    flow::{Link, Tuple as _, Tuple4, Tuple6, Word},
    tcp::State,
};
use lvs_ebpf::{
    atomic::exchange,
    host::{AnyTuple, Flow, Memory},
    kernel::Tables,
    table::{
        Hit, Segment, advance, find,
        pair::{Paired, open_pair, owner},
    },
};

use crate::{
    farm::{interfaces, with_sites},
    patterned::Patterned,
};

const TCP: u8 = 6;
/// The backend of flows, where one is enough.
const BACKEND: u16 = 1;

/// A family on one side of a pair.
trait Side: Patterned<Tuple: Into<AnyTuple>> {}
impl<F: Patterned<Tuple: Into<AnyTuple>>> Side for F {}

/// Tables of that many half buckets.
fn table(halves: u32) -> Memory {
    with_sites(interfaces().halves(halves), 1).build()
}

/// A flow in this state, as a client's packet of now would open it.
fn in_state(memory: &Memory, state: State) -> Word {
    let state = Word::of_tcp(state as u8);
    Word::open(BACKEND, state, memory.deadline(state))
}

/// As [`in_state`], by a SYN.
fn syn(memory: &Memory) -> Word {
    in_state(memory, State::SynRecv)
}

/// Opens a client's flow, with these numbers of reply tuples to try; the number is the note.
fn open<F: Side, R: Side>(cpu: &impl Tables, client: u32, replies: &[u32], first: Word) -> Paired {
    open_pair::<F, R, _>(cpu, &F::tuple(client), first, 0, cpu.now(), |n| {
        let number = *replies.get(n as usize)?;
        Some((R::tuple(number), number))
    })
}

/// A packet of a client; its flow as it was found.
fn client_sends<F: Side>(cpu: &impl Tables, client: u32, flags: u8) -> Option<Hit> {
    let now = cpu.now();
    let hit = find::<F, _>(cpu, cpu.settings()?, &F::tuple(client), now)?;
    let segment = Segment::of_client(TCP, flags);
    advance(cpu, &hit, segment, cpu.timeouts(0)?, now);
    Some(hit)
}

/// A packet of a backend; its flow as it was found.
fn backend_sends<R: Side>(cpu: &impl Tables, reply: u32, flags: u8) -> Option<Hit> {
    let now = cpu.now();
    let hit = find::<R, _>(cpu, cpu.settings()?, &R::tuple(reply), now)?;
    let flow = owner(cpu, &hit, now)?;
    let segment = Segment::of_backend(TCP, flags);
    advance(cpu, &flow, segment, cpu.timeouts(0)?, now);
    Some(flow)
}

/// The entry of the tuple with this number that has not expired.
fn entry<F: Side>(memory: &Memory, number: u32) -> Option<Flow> {
    memory.flow(&F::tuple(number).into())
}

/// Both entries of a flow, which must be there and mean each other.
fn pair<F: Side, R: Side>(memory: &Memory, client: u32, reply: u32) -> (Flow, Flow) {
    let owner = entry::<F>(memory, client).expect("the owner");
    let replies = entry::<R>(memory, reply).expect("the reply's entry");
    let means = |from: &Flow, to: &Flow| {
        let link = Link::new(to.slot, to.word.generation());
        from.link.means(link)
    };
    assert!(
        means(&owner, &replies) && means(&replies, &owner),
        "{owner:?} {replies:?}"
    );
    assert_eq!(owner.link.note(), reply);
    assert!(!owner.word.is_reply() && replies.word.is_reply());
    (owner, replies)
}

/// Frees one entry and not the other of its pair, as if whoever does both had died in between.
fn lose(memory: &Memory, flow: &Flow) {
    let (slot, words) = match flow.slot.family() {
        Number::Ipv4 => (memory.half4(flow.slot.half()), Tuple4::ENTRY_WORDS),
        Number::Ipv6 => (memory.half6(flow.slot.half()), Tuple6::ENTRY_WORDS),
    };
    let entry = slot.unwrap().wrapping_add(flow.slot.way() as usize * words);
    // SAFETY: the flow word of an entry of the table.
    unsafe { exchange(entry, flow.word.retired().0) };
    if !flow.word.is_reply() {
        let load = memory.load(flow.word.backend().into()).unwrap();
        // SAFETY: the word of a load.
        unsafe { lvs_ebpf::atomic::add(load, 0_u64.wrapping_sub(flow.word.load())) };
    }
}

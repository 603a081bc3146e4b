//! The loop: which operation comes next.

use core::ffi::c_void;

use aya_ebpf::{
    bindings::xdp_action::{XDP_ABORTED, XDP_PASS},
    helpers::generated::bpf_loop,
    macros::map,
    maps::PerCpuArray,
    programs::XdpContext,
};
use lvs_common::{
    flow::Word,
    tcp::{ACK, FIN, RST, SYN, State},
};
use lvs_ebpf::{
    atomic::{fetch_add, nth16},
    kernel::Tables as _,
};

use super::{
    maps::Maps,
    operations::{Pair, Side, sweep_one},
};
use crate::request::{
    CLIENTS, FIRST_PORT, Kind, MOST, Outcome, PORTS, Request, backend, kind, nat,
};

/// How often each [`Outcome`] came, by its number.
#[map]
static OUTCOMES: PerCpuArray<u64> = PerCpuArray::with_max_entries(Outcome::ALL.len() as u32, 0);

/// Does what the "packet" asks for.
#[inline(always)]
pub(super) fn run<F: Side, R: Side>(ctx: &XdpContext) -> u32
where
    (F, R): Pair,
{
    let packet = ctx.data() as *mut Request;
    if ctx.data() + size_of::<Request>() > ctx.data_end() {
        return XDP_ABORTED;
    }
    // SAFETY: in bounds by the check above. A loop's context must be on the stack.
    let mut request = unsafe { *packet };
    // SAFETY: `operate` has the signature of a callback of bpf_loop, and `request` outlives the call.
    unsafe {
        bpf_loop(
            request.operations.min(MOST),
            operate::<F, R> as *mut c_void,
            (&raw mut request).cast(),
            0,
        );
    }
    // SAFETY: in bounds by the check above.
    unsafe { (*packet).now = Maps.now() };
    XDP_PASS
}

/// The next random number (`SplitMix64`: Steele, Lea and Flood, 2014).
#[inline(always)]
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ mixed >> 31
}

extern "C" fn operate<F: Side, R: Side>(_: u64, context: *mut c_void) -> i64
where
    (F, R): Pair,
{
    // SAFETY: the context that `run` gave to bpf_loop.
    let request = unsafe { &mut *context.cast::<Request>() };
    let random = next(&mut request.seed);
    let outcome = one::<F, R>(request, random);
    if let Some(count) = OUTCOMES.get_ptr_mut(outcome) {
        // SAFETY: this CPU's entry, and nothing else runs on it before the program ends.
        unsafe { *count += 1 };
    }
    0
}

/// Flags of segments, as often as they come.
const FLAGS: [u8; 16] = [
    SYN,
    SYN,
    SYN | ACK,
    ACK,
    ACK,
    ACK,
    ACK,
    ACK,
    ACK,
    ACK,
    ACK,
    FIN | ACK,
    FIN | ACK,
    FIN,
    RST,
    0,
];

/// One operation; number of its outcome.
#[inline(always)]
fn one<F: Side, R: Side>(request: &Request, random: u64) -> u32
where
    (F, R): Pair,
{
    let choice = random as u8;
    let flags = nth16(&FLAGS, (random >> 8) as u8);
    let ends = u32::from(((random >> 16) as u8).is_multiple_of(8));
    // The clocks of two CPUs may be a tick apart.
    let now = Maps.now().wrapping_sub((random >> 24) as u32 & 1);
    let client = ((random >> 32) as u32) % (3 * CLIENTS);
    if choice < 8 {
        return sweep_one((random >> 32) as u32 & request.mask, u32::from(choice & 1));
    }
    if choice < 80 {
        let reply = if choice & 1 == 0 {
            nat(client % CLIENTS)
        } else {
            FIRST_PORT + client % PORTS
        };
        return R::reply(reply, u32::from(flags), ends, now);
    }
    let whose = backend(client, request.backends.max(1));
    let found = F::client(client, u32::from(flags) | u32::from(whose) << 16, ends, now);
    if found != Outcome::Stranger as u32 {
        return found;
    }
    // Some are about to expire, or have: then all do that care for it.
    let deadline = now.wrapping_add((random >> 56) as u32 & 3).wrapping_sub(1);
    let word = Word::open(whose, Word::of_tcp(State::SynRecv as u8), deadline);
    match kind(client) {
        Kind::Nat => <(F, R)>::open(client, nat(client), word.0, now),
        Kind::Fullnat => {
            // SAFETY: the word of a cursor.
            let turn = Maps
                .cursor(0)
                .map_or(0, |turn| unsafe { fetch_add(turn, 1) });
            let port = FIRST_PORT + turn as u32 % PORTS;
            <(F, R)>::open(client, port, word.0, now)
        }
        Kind::Lone => F::open(client, word.0, now),
    }
}

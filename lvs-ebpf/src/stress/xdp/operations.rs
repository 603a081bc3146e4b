//! The operations, as global functions: the verifier follows each once, for any arguments.

use lvs_common::{Family as Number, flow::Word, map::Sweep};
use lvs_ebpf::{
    atomic::opaque,
    family::{Family, V4, V6},
    kernel::Tables as _,
    table::{
        self, Hit, Segment, advance, find,
        pair::{Paired, open_pair, owner},
    },
};

use super::maps::Maps;
use crate::request::{FIRST_PORT, Outcome, PORTS, tuple4, tuple6};

/// IANA number of TCP.
const TCP: u8 = 6;

/// A family on one side of a flow.
pub(super) trait Side: Family {
    /// The tuple with this number.
    fn tuple(number: u32) -> Self::Tuple;
    /// A client's packet with these flags in the low byte, whose flow has the backend in the high half.
    fn client(client: u32, flags: u32, ends: u32, now: u32) -> u32;
    /// A backend's packet.
    fn reply(reply: u32, flags: u32, ends: u32, now: u32) -> u32;
    /// The first packet of a flow with one entry.
    fn open(client: u32, word: u64, now: u32) -> u32;
}

/// The families of both sides.
pub(super) trait Pair {
    /// The first packet of a flow with two entries, and the number of the reply tuple to try first.
    fn open(client: u32, reply: u32, word: u64, now: u32) -> u32;
}

#[inline(always)]
fn in_client<F: Side>(client: u32, flags: u32, ends: u32, now: u32) -> u32 {
    let Some(settings) = Maps.settings() else {
        return Outcome::Stranger as u32;
    };
    let Some(hit) = find::<F, _>(&Maps, settings, &F::tuple(client), now) else {
        return Outcome::Stranger as u32;
    };
    if u32::from(hit.word.backend()) != flags >> 16 || hit.word.is_reply() {
        return Outcome::Mixed as u32;
    }
    move_on(&hit, Segment::of_client(TCP, flags as u8), ends, now).unwrap_or(Outcome::Client as u32)
}

#[inline(always)]
fn in_reply<R: Side>(reply: u32, flags: u32, ends: u32, now: u32) -> u32 {
    let Some(settings) = Maps.settings() else {
        return Outcome::NoReply as u32;
    };
    let Some(hit) = find::<R, _>(&Maps, settings, &R::tuple(reply), now) else {
        return Outcome::NoReply as u32;
    };
    let Some(flow) = owner(&Maps, &hit, now) else {
        return Outcome::NoOwner as u32;
    };
    if flow.word.backend() != hit.word.backend() || flow.link.note() != reply {
        return Outcome::Mixed as u32;
    }
    let segment = Segment::of_backend(TCP, flags as u8);
    move_on(&flow, segment, ends, now).unwrap_or(Outcome::Reply as u32)
}

/// What a packet does to its flow, and the end of it if it is told to.
#[inline(always)]
fn move_on(flow: &Hit, segment: Segment, ends: u32, now: u32) -> Option<u32> {
    let timeouts = Maps.timeouts(0)?;
    advance(&Maps, flow, segment, timeouts, now);
    (ends != 0 && Maps.retire(flow.slot, flow.word)).then_some(Outcome::Ended as u32)
}

#[inline(always)]
fn open_both<F: Side, R: Side>(client: u32, reply: u32, word: u64, now: u32) -> u32 {
    let tuple = F::tuple(client);
    let tuple = opaque(&tuple);
    let paired = open_pair::<F, R, _>(&Maps, tuple, Word(word), 0, now, |n| {
        if reply < FIRST_PORT {
            return (n == 0).then(|| (R::tuple(reply), reply));
        }
        let port = FIRST_PORT + (reply + n) % PORTS;
        Some((R::tuple(port), port))
    });
    match paired {
        Paired::New => Outcome::Opened as u32,
        Paired::Taken => Outcome::Taken as u32,
        Paired::Twin => Outcome::Twin as u32,
        Paired::NotKept => Outcome::NotKept as u32,
    }
}

#[inline(always)]
fn open_one<F: Side>(client: u32, word: u64, now: u32) -> u32 {
    let opened = table::open::<F, _>(&Maps, &F::tuple(client), Word(word), now);
    if opened.backend() == Word(word).backend() {
        Outcome::OpenedLone as u32
    } else {
        Outcome::Mixed as u32
    }
}

#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn client4(client: u32, flags: u32, ends: u32, now: u32) -> u32 {
    in_client::<V4>(client, flags, ends, now)
}

#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn client6(client: u32, flags: u32, ends: u32, now: u32) -> u32 {
    in_client::<V6>(client, flags, ends, now)
}

#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn reply4(reply: u32, flags: u32, ends: u32, now: u32) -> u32 {
    in_reply::<V4>(reply, flags, ends, now)
}

#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn reply6(reply: u32, flags: u32, ends: u32, now: u32) -> u32 {
    in_reply::<V6>(reply, flags, ends, now)
}

#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn open4(client: u32, word: u64, now: u32) -> u32 {
    open_one::<V4>(client, word, now)
}

#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn open6(client: u32, word: u64, now: u32) -> u32 {
    open_one::<V6>(client, word, now)
}

#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn open44(client: u32, reply: u32, word: u64, now: u32) -> u32 {
    open_both::<V4, V4>(client, reply, word, now)
}

#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn open66(client: u32, reply: u32, word: u64, now: u32) -> u32 {
    open_both::<V6, V6>(client, reply, word, now)
}

#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn open64(client: u32, reply: u32, word: u64, now: u32) -> u32 {
    open_both::<V6, V4>(client, reply, word, now)
}

/// Sweeps one half bucket of IPv4, or of IPv6 if `six` is 1.
#[unsafe(no_mangle)]
#[inline(never)]
pub(super) extern "C" fn sweep_one(half: u32, six: u32) -> u32 {
    let family = if six == 0 { Number::Ipv4 } else { Number::Ipv6 };
    let mut sweep = Sweep::request(family as u32, half, 1);
    table::sweep(&Maps, &mut sweep, 0);
    Outcome::Swept as u32
}

impl Side for V4 {
    #[inline(always)]
    fn tuple(number: u32) -> Self::Tuple {
        tuple4(number)
    }
    #[inline(always)]
    fn client(client: u32, flags: u32, ends: u32, now: u32) -> u32 {
        client4(client, flags, ends, now)
    }
    #[inline(always)]
    fn reply(reply: u32, flags: u32, ends: u32, now: u32) -> u32 {
        reply4(reply, flags, ends, now)
    }
    #[inline(always)]
    fn open(client: u32, word: u64, now: u32) -> u32 {
        open4(client, word, now)
    }
}

impl Side for V6 {
    #[inline(always)]
    fn tuple(number: u32) -> Self::Tuple {
        tuple6(number)
    }
    #[inline(always)]
    fn client(client: u32, flags: u32, ends: u32, now: u32) -> u32 {
        client6(client, flags, ends, now)
    }
    #[inline(always)]
    fn reply(reply: u32, flags: u32, ends: u32, now: u32) -> u32 {
        reply6(reply, flags, ends, now)
    }
    #[inline(always)]
    fn open(client: u32, word: u64, now: u32) -> u32 {
        open6(client, word, now)
    }
}

impl Pair for (V4, V4) {
    #[inline(always)]
    fn open(client: u32, reply: u32, word: u64, now: u32) -> u32 {
        open44(client, reply, word, now)
    }
}

impl Pair for (V6, V6) {
    #[inline(always)]
    fn open(client: u32, reply: u32, word: u64, now: u32) -> u32 {
        open66(client, reply, word, now)
    }
}

impl Pair for (V6, V4) {
    #[inline(always)]
    fn open(client: u32, reply: u32, word: u64, now: u32) -> u32 {
        open64(client, reply, word, now)
    }
}

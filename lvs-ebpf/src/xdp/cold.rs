//! Steps of the flow table that few packets take, as global functions: the verifier follows each
//! once, for any arguments, and not along every path that leads to it.

use lvs_common::flow::{Link, Places, Slot, Word};
use lvs_ebpf::{
    family::{V4, V6},
    nat::{self, Opening},
    table::{self, Claim},
};

use super::maps::Maps;

#[unsafe(no_mangle)]
#[inline(never)]
pub(super) extern "C" fn claim4(places: u64, now: u32) -> u32 {
    table::try_claim::<V4, _>(&Maps, &Places::from_bits(places), now).0
}

#[unsafe(no_mangle)]
#[inline(never)]
pub(super) extern "C" fn claim6(places: u64, now: u32) -> u32 {
    table::try_claim::<V6, _>(&Maps, &Places::from_bits(places), now).0
}

#[unsafe(no_mangle)]
#[inline(never)]
pub(super) extern "C" fn settle4(places: u64, claim: u32, own: u64, now: u32) -> u64 {
    let places = Places::from_bits(places);
    table::settle::<V4, _>(&Maps, &places, Claim(claim), Word(own), now).0
}

#[unsafe(no_mangle)]
#[inline(never)]
pub(super) extern "C" fn settle6(places: u64, claim: u32, own: u64, now: u32) -> u64 {
    let places = Places::from_bits(places);
    table::settle::<V6, _>(&Maps, &places, Claim(claim), Word(own), now).0
}

#[unsafe(no_mangle)]
#[inline(never)]
pub(super) extern "C" fn keep4(opening: u64, now: u32) -> u64 {
    nat::keep::<V4, V4, _>(&Maps, Opening::from_bits(opening), now).to_bits()
}

#[unsafe(no_mangle)]
#[inline(never)]
pub(super) extern "C" fn keep6(opening: u64, now: u32) -> u64 {
    nat::keep::<V6, V6, _>(&Maps, Opening::from_bits(opening), now).to_bits()
}

#[unsafe(no_mangle)]
#[inline(never)]
pub(super) extern "C" fn keep46(opening: u64, now: u32) -> u64 {
    nat::keep::<V4, V6, _>(&Maps, Opening::from_bits(opening), now).to_bits()
}

#[unsafe(no_mangle)]
#[inline(never)]
pub(super) extern "C" fn keep64(opening: u64, now: u32) -> u64 {
    nat::keep::<V6, V4, _>(&Maps, Opening::from_bits(opening), now).to_bits()
}

#[unsafe(no_mangle)]
#[inline(never)]
pub(super) extern "C" fn join4(owner: u64, word: u64, now: u32) -> u64 {
    table::pair::join::<V4, _>(&Maps, Link(owner), Word(word), now).0
}

#[unsafe(no_mangle)]
#[inline(never)]
pub(super) extern "C" fn join6(owner: u64, word: u64, now: u32) -> u64 {
    table::pair::join::<V6, _>(&Maps, Link(owner), Word(word), now).0
}

#[unsafe(no_mangle)]
#[inline(never)]
pub(super) extern "C" fn rival4(places: u64, but: u32) -> u32 {
    table::pair::rival::<V4, _>(&Maps, &Places::from_bits(places), but)
}

#[unsafe(no_mangle)]
#[inline(never)]
pub(super) extern "C" fn rival6(places: u64, but: u32) -> u32 {
    table::pair::rival::<V6, _>(&Maps, &Places::from_bits(places), but)
}

#[unsafe(no_mangle)]
#[inline(never)]
pub(super) extern "C" fn retire(slot: u32, flow: u64) -> u64 {
    u64::from(table::retire(&Maps, Slot(slot), Word(flow)))
}

#[unsafe(no_mangle)]
#[inline(never)]
pub(super) extern "C" fn end(link: u64, back: u64) -> u64 {
    table::end(&Maps, Link(link), Link(back));
    0
}

#[unsafe(no_mangle)]
#[inline(never)]
pub(super) extern "C" fn mirror(slot: u32, flow: u64) -> u64 {
    table::pair::mirror(&Maps, Slot(slot), Word(flow));
    0
}

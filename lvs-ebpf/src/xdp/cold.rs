//! Steps of the flow table that few packets take, as global functions: the verifier follows each
//! once, for any arguments, and not along every path that leads to it.

use lvs_common::flow::{Link, Places, Slot, Word};
use lvs_ebpf::{
    family::{V4, V6},
    table::{self, Claim},
};

use super::maps::Maps;

#[unsafe(no_mangle)]
#[inline(never)]
pub(super) extern "C" fn choose4(places: u64, now: u32) -> u64 {
    table::choose::<V4, _>(&Maps, &Places::from_bits(places), now).0
}

#[unsafe(no_mangle)]
#[inline(never)]
pub(super) extern "C" fn choose6(places: u64, now: u32) -> u64 {
    table::choose::<V6, _>(&Maps, &Places::from_bits(places), now).0
}

#[unsafe(no_mangle)]
#[inline(never)]
pub(super) extern "C" fn claim4(places: u64, now: u32) -> u32 {
    table::claim::<V4, _>(&Maps, &Places::from_bits(places), now).0
}

#[unsafe(no_mangle)]
#[inline(never)]
pub(super) extern "C" fn claim6(places: u64, now: u32) -> u32 {
    table::claim::<V6, _>(&Maps, &Places::from_bits(places), now).0
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

//! A table sized as the director sizes it keeps every flow: of a million new ones fewer than one
//! finds all its places taken.

use lvs_common::{
    flow::{Tuple4, Tuple6, Word},
    map::FlowEvent,
};
use lvs_ebpf::{
    family::{Family, V4, V6},
    host::Memory,
    kernel::Tables as _,
    table::open,
};

use crate::farm::{Site, assert_sound, only, with_sites};

const FLOWS: u32 = 1 << 16;
const SEEDS: u64 = 20;
/// How many of a hundred million new flows evict a live one at this load, as measured.
const EVICTIONS: u64 = 8;

fn evictions(memory: &Memory) -> u64 {
    [
        FlowEvent::EvictedClosing,
        FlowEvent::EvictedHalfOpen,
        FlowEvent::EvictedYoung,
        FlowEvent::EvictedProven,
        FlowEvent::NotKept,
    ]
    .iter()
    .map(|event| memory.event(*event))
    .sum()
}

/// Opens the flows of one client after the other, with every seed in a table of its own.
fn fill<F: Family>(site: Site, tuple: fn(u32) -> F::Tuple) {
    let mut lost = 0;
    for seed in 0..SEEDS {
        let setup = lvs_ebpf::host::Setup::new(seed).room_for(u64::from(FLOWS));
        let memory = with_sites(setup, 1).build();
        let word = Word::open(only(site), Word::UDP, memory.deadline(Word::UDP));
        let now = memory.now();
        for number in 0..FLOWS {
            open::<F, _>(&memory, &tuple(number), word, now);
        }
        lost += evictions(&memory);
        let load = memory.load_of(only(site));
        assert_eq!(
            u64::from(load.inactive),
            u64::from(FLOWS) - evictions(&memory)
        );
        if seed == 0 {
            assert_sound(&memory);
        }
    }
    let opened = SEEDS * u64::from(FLOWS);
    let allowed = (EVICTIONS * opened).div_ceil(100_000_000);
    assert!(lost <= allowed, "{lost} of {opened}");
}

/// Sixteen ports of each of many consecutive addresses.
const fn client(number: u32) -> (u32, u32) {
    let address = 0x0a00_0000 + number / 16;
    let port = (50_000 + number % 16) as u16;
    (address.swap_bytes(), port.swap_bytes() as u32)
}

#[test]
fn ipv4() {
    fill::<V4>(Site::Dns, |number| {
        let (address, port) = client(number);
        Tuple4::new(address, 0x1d00_000a, port | 53 << 24, 17)
    });
}

#[test]
fn ipv6() {
    fill::<V6>(Site::Dns6, |number| {
        let (address, port) = client(number);
        let prefix = 0xb80d_0120;
        Tuple6::new(
            [prefix, 0, 0, address],
            [prefix, 0, 0, 0x2900_0000],
            port | 53 << 24,
            17,
        )
    });
}

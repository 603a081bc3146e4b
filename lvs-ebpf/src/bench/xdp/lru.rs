//! The flow tables to compare with: `BPF_MAP_TYPE_LRU_HASH`, from the tuple to the flow's word.

use aya_ebpf::{bindings::BPF_F_NO_COMMON_LRU, macros::map, maps::LruHashMap};
use lvs_common::flow::{Tuple4, Tuple6};
use lvs_ebpf::family::{Family, V4, V6};

#[map]
static LRU4: LruHashMap<Tuple4, u64> = LruHashMap::with_max_entries(1, 0);
#[map]
static LRU6: LruHashMap<Tuple6, u64> = LruHashMap::with_max_entries(1, 0);
#[map]
static LRU4_PERCPU: LruHashMap<Tuple4, u64> = LruHashMap::with_max_entries(1, BPF_F_NO_COMMON_LRU);
#[map]
static LRU6_PERCPU: LruHashMap<Tuple6, u64> = LruHashMap::with_max_entries(1, BPF_F_NO_COMMON_LRU);

/// A kind of LRU map.
pub(super) trait Kind {
    /// The one of IPv4.
    const V4: &'static LruHashMap<Tuple4, u64>;
    /// The one of IPv6.
    const V6: &'static LruHashMap<Tuple6, u64>;
}

/// One list of free and of least recently used entries for all CPUs.
pub(super) struct Common;

/// Lists of each CPU's own (`BPF_F_NO_COMMON_LRU`); flows are found on every CPU all the same.
pub(super) struct PerCpu;

impl Kind for Common {
    const V4: &'static LruHashMap<Tuple4, u64> = &LRU4;
    const V6: &'static LruHashMap<Tuple6, u64> = &LRU6;
}

impl Kind for PerCpu {
    const V4: &'static LruHashMap<Tuple4, u64> = &LRU4_PERCPU;
    const V6: &'static LruHashMap<Tuple6, u64> = &LRU6_PERCPU;
}

/// An address family that has LRU maps.
pub(super) trait Stored: Family<Tuple: 'static> {
    /// The map of this kind.
    fn flows<K: Kind>() -> &'static LruHashMap<Self::Tuple, u64>;
}

impl Stored for V4 {
    #[inline(always)]
    fn flows<K: Kind>() -> &'static LruHashMap<Tuple4, u64> {
        K::V4
    }
}

impl Stored for V6 {
    #[inline(always)]
    fn flows<K: Kind>() -> &'static LruHashMap<Tuple6, u64> {
        K::V6
    }
}

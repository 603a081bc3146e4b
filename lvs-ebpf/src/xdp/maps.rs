//! The maps, and the walk's view of them.
//!
//! Sizes given here are the smallest; the director sets those that its configuration needs.

use aya_ebpf::{
    bindings::{BPF_F_MMAPABLE, BPF_F_NO_PREALLOC, BPF_NOEXIST},
    helpers::generated::bpf_jiffies64,
    macros::map,
    maps::{
        Array, HashMap, PerCpuArray,
        lpm_trie::{Key, LpmTrie},
    },
};
use lvs_common::{
    Family as Number, Reason,
    flow::{Link, Places, Slot, TICK_SHIFT, Tuple, Tuple4, Tuple6, WAYS, Word},
    map::{
        Address, Backend, Counters, Endpoint, FlowEvent, GATEWAY_SLOTS, GatewayKey,
        INTERFACE_SLOTS, Interface, Line, NOTICE_BUCKETS, NextHop, Notice, RingChunk, Service,
        ServiceKey, Settings, Timeouts, TunnelSource,
    },
};
use lvs_ebpf::{
    atomic::{fetch_add, opaque},
    family::Family,
    forward::Outcome,
    kernel::{Scratch, Tables},
    nat::Opening,
    table::{Claim, pair::Joined},
};

use super::cold;

type Half4 = [u64; WAYS * <Tuple4 as Tuple>::ENTRY_WORDS];
type Half6 = [u64; WAYS * <Tuple6 as Tuple>::ENTRY_WORDS];

#[map]
static SETTINGS: Array<Settings> = Array::with_max_entries(1, 0);
#[map]
static TIMEOUTS: Array<Timeouts> = Array::with_max_entries(1, 0);
#[map]
static INTERFACES: Array<Interface> = Array::with_max_entries(INTERFACE_SLOTS, 0);
#[map]
static SERVICES: HashMap<ServiceKey, u32> = HashMap::with_max_entries(1, 0);
#[map]
static SERVICE: Array<Service> = Array::with_max_entries(1, BPF_F_MMAPABLE);
#[map]
static BACKEND: Array<Backend> = Array::with_max_entries(1, BPF_F_MMAPABLE);
#[map]
static NEXT_HOPS: Array<NextHop> = Array::with_max_entries(1, 0);
#[map]
static GATEWAYS: Array<NextHop> = Array::with_max_entries(GATEWAY_SLOTS, 0);
#[map]
static GATEWAY_IDS: HashMap<GatewayKey, u32> =
    HashMap::with_max_entries(GATEWAY_SLOTS, BPF_F_NO_PREALLOC);
#[map]
static GATEWAY_COUNT: Array<Line> = Array::with_max_entries(1, 0);
#[map]
static LOCALS: Array<Address> = Array::with_max_entries(1, 0);
#[map]
static BACKEND_CURSORS: Array<Line> = Array::with_max_entries(1, 0);
#[map]
static ENDPOINTS: HashMap<Endpoint, u32> = HashMap::with_max_entries(1, 0);
#[map]
static TUNNEL_SOURCES: LpmTrie<TunnelSource, u32> = LpmTrie::with_max_entries(1, BPF_F_NO_PREALLOC);
#[map]
static SCRATCH: PerCpuArray<Scratch> = PerCpuArray::with_max_entries(1, 0);
#[map]
static RINGS: Array<RingChunk> = Array::with_max_entries(1, 0);
#[map]
static CURSORS: Array<Line> = Array::with_max_entries(1, BPF_F_MMAPABLE);
#[map]
static LOAD: Array<Line> = Array::with_max_entries(1, BPF_F_MMAPABLE);
#[map]
static FLOWS4: Array<Half4> = Array::with_max_entries(4, BPF_F_MMAPABLE);
#[map]
static FLOWS6: Array<Half6> = Array::with_max_entries(4, BPF_F_MMAPABLE);
#[map]
static SERVICE_STATS: PerCpuArray<Counters> = PerCpuArray::with_max_entries(1, 0);
#[map]
static BACKEND_STATS: PerCpuArray<Counters> = PerCpuArray::with_max_entries(1, 0);
#[map]
static REASON_STATS: PerCpuArray<Counters> =
    PerCpuArray::with_max_entries(Reason::ALL.len() as u32, 0);
#[map]
static FLOW_EVENTS: PerCpuArray<u64> =
    PerCpuArray::with_max_entries(FlowEvent::ALL.len() as u32, 0);

const FAMILY4: u32 = Number::Ipv4 as u32;

#[map]
static NOTICES: PerCpuArray<u64> = PerCpuArray::with_max_entries(Notice::ALL.len() as u32, 0);
#[map]
static BUCKETS: PerCpuArray<u64> = PerCpuArray::with_max_entries(1 + NOTICE_BUCKETS, 0);

/// The maps as the steps of the walk see them.
pub(crate) struct Maps;

/// Counts a packet in this CPU's counters.
#[inline(always)]
fn count(map: &PerCpuArray<Counters>, id: u32, bytes: u64) {
    if let Some(counters) = map.get_ptr_mut(id) {
        // SAFETY: this CPU's entry, and nothing else runs on it before the program ends.
        unsafe {
            (*counters).packets += 1;
            (*counters).bytes += bytes;
        }
    }
}

/// Counts an answer in this CPU's counters.
#[inline(always)]
fn count_out(map: &PerCpuArray<Counters>, id: u32, bytes: u64) {
    if let Some(counters) = map.get_ptr_mut(id) {
        // SAFETY: as in `count`.
        unsafe {
            (*counters).packets_out += 1;
            (*counters).bytes_out += bytes;
        }
    }
}

/// Gives a gateway an id: the next one, unless another CPU has just given it one.
#[inline(never)]
fn new_gateway(key: &GatewayKey, by: &Interface) -> Option<u32> {
    let count: *mut u64 = GATEWAY_COUNT.get_ptr_mut(0)?.cast();
    // SAFETY: a word of a map.
    let id = unsafe { fetch_add(count, 1) } + 1;
    if id >= u64::from(GATEWAY_SLOTS) {
        return None;
    }
    let entry = GATEWAYS.get_ptr_mut(id as u32)?;
    // SAFETY: this CPU's alone until the id is known.
    unsafe { *entry = key.next_hop(by) };
    if GATEWAY_IDS
        .insert(key, id as u32, u64::from(BPF_NOEXIST))
        .is_ok()
    {
        return Some(id as u32);
    }
    // SAFETY: an id is written once, after its entry.
    unsafe { GATEWAY_IDS.get(key) }.copied()
}

/// Counts a new flow in this CPU's counters.
#[inline(always)]
fn count_new(map: &PerCpuArray<Counters>, id: u32) {
    if let Some(counters) = map.get_ptr_mut(id) {
        // SAFETY: as in `count`.
        unsafe { (*counters).connections += 1 };
    }
}

/// Counts a packet's way out.
#[inline(always)]
pub(crate) fn count_reason(reason: Reason, bytes: u64) {
    count(&REASON_STATS, reason as u32, bytes);
}

impl Tables for Maps {
    #[inline(always)]
    fn settings(&self) -> Option<&Settings> {
        SETTINGS.get(0)
    }

    #[inline(always)]
    fn timeouts(&self, number: u32) -> Option<&Timeouts> {
        TIMEOUTS.get(number)
    }

    #[inline(always)]
    fn scratch(&self) -> Option<*mut Scratch> {
        SCRATCH.get_ptr_mut(0)
    }

    #[inline(always)]
    fn now(&self) -> u32 {
        // SAFETY: the helper has no conditions.
        (unsafe { bpf_jiffies64() } >> TICK_SHIFT) as u32
    }

    #[inline(always)]
    fn interface(&self, index: u32) -> Option<&Interface> {
        INTERFACES.get(index)
    }

    #[inline(always)]
    fn half4(&self, half: u32) -> Option<*mut u64> {
        FLOWS4.get_ptr_mut(half).map(<*mut _>::cast)
    }

    #[inline(always)]
    fn half6(&self, half: u32) -> Option<*mut u64> {
        FLOWS6.get_ptr_mut(half).map(<*mut _>::cast)
    }

    #[inline(always)]
    fn service_id(&self, key: &ServiceKey) -> Option<u32> {
        // SAFETY: ids are written once, before the program is attached.
        unsafe { SERVICES.get(key) }.copied()
    }

    #[inline(always)]
    fn service(&self, id: u32) -> Option<*const Service> {
        SERVICE.get_ptr(id)
    }

    #[inline(always)]
    fn ring(&self, chunk: u32) -> Option<&RingChunk> {
        RINGS.get(chunk)
    }

    #[inline(always)]
    fn cursor(&self, service: u32) -> Option<*mut u64> {
        CURSORS.get_ptr_mut(service).map(<*mut _>::cast)
    }

    #[inline(always)]
    fn backend(&self, id: u32) -> Option<*const Backend> {
        BACKEND.get_ptr(id)
    }

    #[inline(always)]
    fn load(&self, backend: u32) -> Option<*mut u64> {
        LOAD.get_ptr_mut(backend).map(<*mut _>::cast)
    }

    #[inline(always)]
    fn next_hop(&self, id: u32) -> Option<&NextHop> {
        NEXT_HOPS.get(id)
    }

    #[inline(always)]
    fn gateway(&self, id: u32) -> Option<&NextHop> {
        GATEWAYS.get(id)
    }

    #[inline(always)]
    fn gateway_id(&self, key: &GatewayKey, by: &Interface) -> Option<u32> {
        // SAFETY: an id is written once, after its entry.
        if let Some(id) = unsafe { GATEWAY_IDS.get(key) } {
            return Some(*id);
        }
        new_gateway(opaque(key), by)
    }

    #[inline(always)]
    fn local(&self, number: u32) -> Option<&Address> {
        LOCALS.get(number)
    }

    #[inline(always)]
    fn backend_cursor(&self, backend: u32) -> Option<*mut u64> {
        BACKEND_CURSORS.get_ptr_mut(backend).map(<*mut _>::cast)
    }

    #[inline(always)]
    fn is_endpoint(&self, endpoint: &Endpoint) -> bool {
        // SAFETY: its value is not looked at.
        unsafe { ENDPOINTS.get(endpoint) }.is_some()
    }

    #[inline(always)]
    fn may_tunnel(&self, source: &TunnelSource) -> bool {
        let bits = match source.family {
            FAMILY4 => TunnelSource::host(Number::Ipv4),
            _ => TunnelSource::host(Number::Ipv6),
        };
        TUNNEL_SOURCES.get(Key::new(bits, *source)).is_some()
    }

    #[inline(always)]
    fn count_packet(&self, service: u32, backend: u32, bytes: u64) {
        count(&SERVICE_STATS, service, bytes);
        count(&BACKEND_STATS, backend, bytes);
    }

    #[inline(always)]
    fn count_answer(&self, service: u32, backend: u32, bytes: u64) {
        count_out(&SERVICE_STATS, service, bytes);
        count_out(&BACKEND_STATS, backend, bytes);
    }

    #[inline(always)]
    fn count_connection(&self, service: u32, backend: u32) {
        count_new(&SERVICE_STATS, service);
        count_new(&BACKEND_STATS, backend);
    }

    #[inline(always)]
    fn count_event(&self, event: FlowEvent) {
        if let Some(count) = FLOW_EVENTS.get_ptr_mut(event as u32) {
            // SAFETY: as in `count`.
            unsafe { *count += 1 };
        }
    }

    #[inline(always)]
    fn bucket(&self, number: u32) -> Option<*mut u64> {
        BUCKETS.get_ptr_mut(number)
    }

    #[inline(always)]
    fn count_notice(&self, number: u32) {
        if let Some(count) = NOTICES.get_ptr_mut(number) {
            // SAFETY: as in `count`.
            unsafe { *count += 1 };
        }
    }

    #[inline(always)]
    fn try_claim<F: Family>(&self, places: &Places, now: u32) -> Claim {
        Claim(match F::Tuple::FAMILY {
            Number::Ipv4 => cold::claim4(places.to_bits(), now),
            Number::Ipv6 => cold::claim6(places.to_bits(), now),
        })
    }

    #[inline(always)]
    fn settle<F: Family>(&self, places: &Places, claim: Claim, own: Word, now: u32) -> Word {
        Word(match F::Tuple::FAMILY {
            Number::Ipv4 => cold::settle4(places.to_bits(), claim.0, own.0, now),
            Number::Ipv6 => cold::settle6(places.to_bits(), claim.0, own.0, now),
        })
    }

    #[inline(always)]
    fn keep<F: Family, R: Family>(&self, opening: Opening, now: u32) -> Outcome {
        let opening = opening.to_bits();
        Outcome::from_bits(match (F::Tuple::FAMILY, R::Tuple::FAMILY) {
            (Number::Ipv4, Number::Ipv4) => cold::keep4(opening, now),
            (Number::Ipv6, Number::Ipv6) => cold::keep6(opening, now),
            (Number::Ipv4, Number::Ipv6) => cold::keep46(opening, now),
            (Number::Ipv6, Number::Ipv4) => cold::keep64(opening, now),
        })
    }

    #[inline(always)]
    fn join<F: Family>(&self, owner: Link, word: Word, now: u32) -> Joined {
        Joined(match F::Tuple::FAMILY {
            Number::Ipv4 => cold::join4(owner.0, word.0, now),
            Number::Ipv6 => cold::join6(owner.0, word.0, now),
        })
    }

    #[inline(always)]
    fn rival<F: Family>(&self, places: &Places, but: u32) -> u32 {
        match F::Tuple::FAMILY {
            Number::Ipv4 => cold::rival4(places.to_bits(), but),
            Number::Ipv6 => cold::rival6(places.to_bits(), but),
        }
    }

    #[inline(always)]
    fn retire(&self, slot: Slot, flow: Word) -> bool {
        cold::retire(slot.0, flow.0) != 0
    }

    #[inline(always)]
    fn end(&self, link: Link, back: Link) {
        cold::end(link.0, back.0);
    }

    #[inline(always)]
    fn mirror(&self, slot: Slot, flow: Word) {
        cold::mirror(slot.0, flow.0);
    }
}

//! The maps and the clock.

use std::{
    collections::HashMap,
    sync::{Mutex, OnceLock},
};

use core::{
    cell::UnsafeCell,
    sync::atomic::{
        AtomicU32, AtomicU64,
        Ordering::{Relaxed, SeqCst},
    },
};

use lvs_common::{
    Reason,
    flow::{Link, Slot, Tuple, Tuple4, Tuple6, WAYS, Word},
    map::{
        Address, Backend, Counters, Endpoint, FLUSH_CHUNK, FlowEvent, Flush, FlushTarget,
        GatewayKey, Interface, NOTICE_BUCKETS, NextHop, Notice, RingChunk, SWEEP_CHUNK, Service,
        ServiceKey, Settings, Sweep, Timeouts, TunnelSource,
    },
};

use super::{
    counts::Counts,
    flows::{AnyTuple, Flow},
};
use crate::{
    Action,
    kernel::{Frame, Scratch, Tables},
    packet::Shape,
    slow::{Message, is_slow, slow},
    table, walk,
};

const HALF4: usize = WAYS * <Tuple4 as Tuple>::ENTRY_WORDS;
const HALF6: usize = WAYS * <Tuple6 as Tuple>::ENTRY_WORDS;

/// A half bucket, on cache lines of its own.
#[derive(Debug)]
#[repr(C, align(64))]
struct Half<const WORDS: usize>([AtomicU64; WORDS]);

impl<const WORDS: usize> Half<WORDS> {
    fn table(halves: u32) -> Box<[Self]> {
        (0..halves)
            .map(|_| Self(core::array::from_fn(|_| AtomicU64::new(0))))
            .collect()
    }

    fn first_word(&self) -> *mut u64 {
        let words: *const AtomicU64 = self.0.as_ptr();
        words.cast::<u64>().cast_mut()
    }
}

/// An entry that the walk reads through a pointer.
#[derive(Debug)]
pub(super) struct Entry<T>(UnsafeCell<T>);

// SAFETY: changed through `&mut` alone.
unsafe impl<T: Sync> Sync for Entry<T> {}

impl<T: Copy> Entry<T> {
    pub(super) const fn new(value: T) -> Self {
        Self(UnsafeCell::new(value))
    }

    fn get(&self) -> T {
        // SAFETY: nobody changes it while there is a shared reference.
        unsafe { *self.0.get() }
    }
}

/// Active and inactive flows of a backend.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// Flows that count as active in IPVS's sense.
    pub active: u32,
    /// All other flows.
    pub inactive: u32,
}

impl Load {
    /// Both, in this order.
    pub const fn new(active: u32, inactive: u32) -> Self {
        Self { active, inactive }
    }

    /// As it stands in an entry of LOAD.
    pub const fn from_bits(bits: u64) -> Self {
        Self::new((bits >> 32) as u32, bits as u32)
    }
}

/// What a sweep of the whole table has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Expired flows that it freed.
    pub retired: u32,
    /// Flows that it left.
    pub live: u32,
}

/// The maps, the clock and the counters; any number of threads may walk packets through them.
///
/// [`Setup`](super::Setup) makes one.
#[derive(Debug)]
pub struct Memory {
    pub(super) settings: Settings,
    pub(super) timeouts: Vec<Timeouts>,
    now: AtomicU32,
    pub(super) interfaces: Vec<Interface>,
    pub(super) keys: Vec<(ServiceKey, u32)>,
    pub(super) services: Vec<Entry<Service>>,
    pub(super) rings: Vec<RingChunk>,
    pub(super) backends: Vec<Entry<Backend>>,
    pub(super) next_hops: Vec<NextHop>,
    pub(super) locals: Vec<Address>,
    endpoints: Vec<Endpoint>,
    tunnel_sources: Vec<(TunnelSource, u32)>,
    /// The next hops back to gateways, each filled once.
    gateways: Vec<OnceLock<NextHop>>,
    gateway_ids: Mutex<HashMap<[u32; 4], u32>>,
    cursors: Vec<AtomicU64>,
    backend_cursors: Vec<AtomicU64>,
    buckets: Vec<AtomicU64>,
    loads: Vec<AtomicU64>,
    halves4: Box<[Half<HALF4>]>,
    halves6: Box<[Half<HALF6>]>,
    counts: Counts,
}

/// What [`Setup`](super::Setup) hands over.
#[derive(Debug)]
pub(super) struct Parts {
    pub(super) settings: Settings,
    pub(super) timeouts: Vec<Timeouts>,
    pub(super) now: u32,
    pub(super) interfaces: Vec<Interface>,
    pub(super) keys: Vec<(ServiceKey, u32)>,
    pub(super) services: Vec<Service>,
    pub(super) rings: Vec<RingChunk>,
    pub(super) backends: Vec<Backend>,
    pub(super) next_hops: Vec<NextHop>,
    pub(super) locals: Vec<Address>,
    pub(super) endpoints: Vec<Endpoint>,
    /// Each with the number of its bits, as in a key of `TUNNEL_SOURCES`.
    pub(super) tunnel_sources: Vec<(TunnelSource, u32)>,
    pub(super) gateways: u32,
}

thread_local! {
    /// What the kernel has per CPU.
    static SCRATCH: UnsafeCell<Scratch> = const {
        UnsafeCell::new(Scratch {
            packet: Tuple6::new([0; 4], [0; 4], 0, 0),
            reply: Tuple6::new([0; 4], [0; 4], 0, 0),
            answer: (Slot(0), Word::FREE, Shape(0)),
            frame_len: 0,
            reason: 0,
            notice: (Message::NONE, 0),
            mtu: 0,
            answerer: 0,
        })
    };
}

fn words(len: usize) -> Vec<AtomicU64> {
    (0..len).map(|_| AtomicU64::new(0)).collect()
}

impl Memory {
    pub(super) fn new(parts: Parts) -> Self {
        Self {
            now: AtomicU32::new(parts.now),
            interfaces: parts.interfaces,
            keys: parts.keys,
            rings: parts.rings,
            next_hops: parts.next_hops,
            locals: parts.locals,
            endpoints: parts.endpoints,
            tunnel_sources: parts.tunnel_sources,
            gateways: (0..parts.gateways).map(|_| OnceLock::new()).collect(),
            gateway_ids: Mutex::default(),
            cursors: words(parts.services.len()),
            buckets: words(1 + NOTICE_BUCKETS as usize),
            backend_cursors: words(parts.backends.len()),
            loads: words(parts.backends.len()),
            halves4: Half::table(parts.settings.mask4 + 1),
            halves6: Half::table(parts.settings.mask6 + 1),
            counts: Counts::new(parts.services.len(), parts.backends.len()),
            settings: parts.settings,
            timeouts: parts.timeouts,
            services: parts.services.into_iter().map(Entry::new).collect(),
            backends: parts.backends.into_iter().map(Entry::new).collect(),
        }
    }

    /// Sets the clock.
    pub fn set_now(&self, ticks: u32) {
        self.now.store(ticks, SeqCst);
    }

    /// Lets the clock go on, across its wrap if need be.
    pub fn pass(&self, ticks: u32) {
        self.now.fetch_add(ticks, SeqCst);
    }

    /// Walks a frame and counts its reason, as the XDP program does.
    ///
    /// # Errors
    /// The reason why it is not sent.
    pub fn receive<X: Frame>(&self, frame: X) -> Result<Action, Reason> {
        let len = frame.end() as usize - frame.start() as usize;
        let (reason, action) = match walk(self, frame) {
            Ok(action) => (action.reason(), Some(action)),
            Err(reason) if is_slow(reason) => slow(self, frame, reason),
            Err(reason) => (reason, None),
        };
        self.counts.reason(reason, len as u64);
        action.ok_or(reason)
    }

    /// Sweeps the tables of both families, in requests of the size that the director makes.
    pub fn sweep_all(&self) -> Swept {
        let mut swept = Swept::default();
        let tables = [
            (lvs_common::Family::Ipv4, self.halves4.len() as u32),
            (lvs_common::Family::Ipv6, self.halves6.len() as u32),
        ];
        for (family, halves) in tables {
            for first in (0..halves).step_by(SWEEP_CHUNK as usize) {
                let count = SWEEP_CHUNK.min(halves - first);
                let mut request = Sweep::request(family as u32, first, count);
                for index in 0..count {
                    table::sweep(self, &mut request, index);
                }
                swept.retired += request.retired;
                swept.live += request.live;
            }
        }
        swept
    }

    /// Every entry that is a flow, expired ones too. Exact when no other thread walks.
    pub fn flows(&self) -> Vec<Flow> {
        let mut flows = Vec::new();
        for (number, half) in self.halves4.iter().enumerate() {
            scan::<Tuple4>(&half.0, number as u32, &mut flows);
        }
        for (number, half) in self.halves6.iter().enumerate() {
            scan::<Tuple6>(&half.0, number as u32, &mut flows);
        }
        flows
    }

    /// The flow of this client and service that has not expired, if there is one.
    pub fn flow(&self, tuple: &AnyTuple) -> Option<Flow> {
        self.flows()
            .into_iter()
            .find(|flow| flow.tuple == *tuple && !self.has_expired(flow.word))
    }

    /// Whether a flow with this word has been silent for longer than its timeout.
    pub fn has_expired(&self, word: Word) -> bool {
        word.has_expired(self.now())
    }

    /// The last tick of a flow in this state that stays silent from now on, of a backend that has no
    /// timeouts of its own.
    pub fn deadline(&self, state: u8) -> u32 {
        table::deadline(&self.timeouts[0], state, self.now())
    }

    /// Ends these flows, in requests of the size that user space makes; how many were still there.
    pub fn flush(&self, flows: &[Flow]) -> u32 {
        let mut ended = 0;
        for chunk in flows.chunks(FLUSH_CHUNK) {
            let mut request = Flush {
                count: chunk.len() as u32,
                ended: 0,
                flows: [FlushTarget::NONE; FLUSH_CHUNK],
            };
            for (target, flow) in request.flows.iter_mut().zip(chunk) {
                *target = FlushTarget::new(flow.slot, flow.word);
            }
            for index in 0..request.count {
                table::flush(self, &mut request, index);
            }
            ended += request.ended;
        }
        ended
    }

    /// Sets the timeouts of all backends that have none of their own; flows keep theirs until their
    /// next packet.
    pub fn set_timeout(&mut self, state: u8, ticks: u32) {
        self.timeouts[0][usize::from(state)] = ticks;
    }

    /// What LOAD says of a backend.
    pub fn load_of(&self, backend: u16) -> Load {
        let word = self.loads.get(usize::from(backend));
        Load::from_bits(word.map_or(0, |word| word.load(SeqCst)))
    }

    /// What becomes of TCP segments of a service's unknown flows, [`MidStream`](lvs_common::MidStream)
    /// number.
    pub(super) fn mid_stream(&self, service: u32) -> Option<u8> {
        let service = self.services.get(service as usize)?;
        Some(service.get().mid_stream)
    }

    /// The next hops back to all gateways that were seen.
    pub(super) fn gateways(&self) -> impl Iterator<Item = &NextHop> {
        self.gateways.iter().filter_map(OnceLock::get)
    }

    /// Ids of all backends.
    pub fn backend_ids(&self) -> impl Iterator<Item = u16> + use<> {
        1..self.backends.len() as u16
    }

    /// A backend by its id, which must exist.
    pub fn backend_entry(&self, id: u16) -> Backend {
        self.backends[usize::from(id)].get()
    }

    /// What was counted for a service.
    pub fn service_counters(&self, id: u32) -> Counters {
        self.counts.of_service(id)
    }

    /// What was counted for a backend.
    pub fn backend_counters(&self, id: u16) -> Counters {
        self.counts.of_backend(u32::from(id))
    }

    /// What was counted for a reason; bytes are those of frames.
    pub fn reason_counters(&self, reason: Reason) -> Counters {
        self.counts.of_reason(reason)
    }

    /// How often an event of the flow table was counted.
    pub fn event(&self, event: FlowEvent) -> u64 {
        self.counts.of_event(event)
    }

    /// How many notices of a kind were sent, or withheld.
    pub fn notice(&self, notice: Notice) -> u64 {
        self.counts.of_notice(notice)
    }

    /// Makes a next hop of a backend the one with this id, 0: unresolved. The id need not exist.
    pub fn set_next_hop(&mut self, backend: u16, id: u32) {
        self.backends[usize::from(backend)].0.get_mut().next_hop = id;
    }

    /// Replaces the ring of a service by `backends` in this order.
    pub fn set_ring(&mut self, service: u32, backends: &[u16]) {
        let ring = super::setup::append(&mut self.rings, backends);
        self.services[service as usize].0.get_mut().ring = ring.to_bits();
    }
}

/// Adds the flows of a half bucket.
fn scan<T: Tuple + Into<AnyTuple>>(words: &[AtomicU64], half: u32, flows: &mut Vec<Flow>) {
    for (way, entry) in (0..).zip(words.chunks_exact(T::ENTRY_WORDS)) {
        let word = Word(entry[0].load(SeqCst));
        if !word.is_live() {
            continue;
        }
        let body: Vec<u64> = entry.iter().map(|word| word.load(SeqCst)).collect();
        if let Some(tuple) = T::from_words(&body[1..T::LINK]) {
            flows.push(Flow {
                slot: Slot::new(T::FAMILY, half, way),
                word,
                tuple: tuple.into(),
                link: Link(body[T::LINK]),
            });
        }
    }
}

impl Tables for Memory {
    fn settings(&self) -> Option<&Settings> {
        Some(&self.settings)
    }

    fn timeouts(&self, number: u32) -> Option<&Timeouts> {
        self.timeouts.get(number as usize)
    }

    fn now(&self) -> u32 {
        self.now.load(Relaxed)
    }

    fn interface(&self, index: u32) -> Option<&Interface> {
        self.interfaces.get(index as usize)
    }

    fn half4(&self, half: u32) -> Option<*mut u64> {
        self.halves4.get(half as usize).map(Half::first_word)
    }

    fn half6(&self, half: u32) -> Option<*mut u64> {
        self.halves6.get(half as usize).map(Half::first_word)
    }

    fn service_id(&self, key: &ServiceKey) -> Option<u32> {
        let found = self.keys.iter().find(|(known, _)| known == key);
        found.map(|(_, id)| *id)
    }

    fn service(&self, id: u32) -> Option<*const Service> {
        let entry = self.services.get(id as usize)?;
        Some(entry.0.get())
    }

    fn ring(&self, chunk: u32) -> Option<&RingChunk> {
        self.rings.get(chunk as usize)
    }

    fn cursor(&self, service: u32) -> Option<*mut u64> {
        self.cursors.get(service as usize).map(AtomicU64::as_ptr)
    }

    fn backend(&self, id: u32) -> Option<*const Backend> {
        let entry = self.backends.get(id as usize)?;
        Some(entry.0.get())
    }

    fn load(&self, backend: u32) -> Option<*mut u64> {
        self.loads.get(backend as usize).map(AtomicU64::as_ptr)
    }

    fn next_hop(&self, id: u32) -> Option<&NextHop> {
        self.next_hops.get(id as usize)
    }

    fn scratch(&self) -> Option<*mut Scratch> {
        Some(SCRATCH.with(UnsafeCell::get))
    }

    fn gateway(&self, id: u32) -> Option<&NextHop> {
        self.gateways.get(id as usize)?.get()
    }

    fn gateway_id(&self, key: &GatewayKey, by: &Interface) -> Option<u32> {
        let tags = u32::from(key.tags[0]) | u32::from(key.tags[1]) << 16;
        let words = [key.interface, key.mac_head, key.mac_tail.into(), tags];
        let mut ids = self.gateway_ids.lock().ok()?;
        let next = ids.len() as u32 + 1;
        if let Some(id) = ids.get(&words) {
            return Some(*id);
        }
        let entry = self.gateways.get(next as usize)?;
        entry.get_or_init(|| key.next_hop(by));
        ids.insert(words, next);
        Some(next)
    }

    fn local(&self, number: u32) -> Option<&Address> {
        self.locals.get(number as usize)
    }

    fn backend_cursor(&self, backend: u32) -> Option<*mut u64> {
        self.backend_cursors
            .get(backend as usize)
            .map(AtomicU64::as_ptr)
    }

    fn is_endpoint(&self, endpoint: &Endpoint) -> bool {
        self.endpoints.contains(endpoint)
    }

    fn may_tunnel(&self, source: &TunnelSource) -> bool {
        self.tunnel_sources
            .iter()
            .any(|(prefix, bits)| begins_alike(prefix, source, *bits))
    }

    fn count_answer(&self, service: u32, backend: u32, bytes: u64) {
        self.counts.answer(service, backend, bytes);
    }

    fn count_packet(&self, service: u32, backend: u32, bytes: u64) {
        self.counts.packet(service, backend, bytes);
    }

    fn count_connection(&self, service: u32, backend: u32) {
        self.counts.connection(service, backend);
    }

    fn count_event(&self, event: FlowEvent) {
        self.counts.event(event);
    }

    fn bucket(&self, number: u32) -> Option<*mut u64> {
        self.buckets.get(number as usize).map(AtomicU64::as_ptr)
    }

    fn count_notice(&self, number: u32) {
        self.counts.notice(number);
    }
}

/// Whether two keys of `TUNNEL_SOURCES` have so many bits in common, from their first byte's highest on.
fn begins_alike(a: &TunnelSource, b: &TunnelSource, bits: u32) -> bool {
    let words = |key: &TunnelSource| -> Vec<u32> {
        let words = core::iter::once(key.family).chain(key.address.words);
        words.map(u32::swap_bytes).collect()
    };
    let mut left = bits;
    words(a).iter().zip(words(b)).all(|(a, b)| {
        let of_word = left.min(32);
        left -= of_word;
        (a ^ b).checked_shr(32 - of_word).unwrap_or(0) == 0
    })
}

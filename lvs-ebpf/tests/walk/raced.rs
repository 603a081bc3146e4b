//! A CPU that another one comes in between, at a point of the test's choice.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
};

use lvs_common::{
    flow::{Link, Places, Slot, Word},
    map::{
        Address, Backend, Endpoint, FlowEvent, GatewayKey, Interface, NextHop, RingChunk, Service,
        ServiceKey, Settings, Timeouts, TunnelSource,
    },
};
use lvs_ebpf::{
    Action,
    family::Family,
    host::{Buffer, Memory},
    kernel::{Scratch, Tables},
    table::{self, Claim},
    walk,
};

use crate::farm::{LAN, Site};

type Other<'a> = Box<dyn FnOnce(&Memory) + 'a>;

/// Where another CPU comes in between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Point {
    /// Where the clock is read.
    Clock,
    /// Where a load is changed: of a new flow, after its entry was claimed and before it is there.
    Booking,
    /// After a new flow was published, before its twin is looked for.
    Published,
    /// Where a reused or evicted flow is counted.
    Event,
    /// Before an entry is claimed.
    Claim,
    /// Before a new flow's twin is looked for; it was published, and its reply looked at.
    Settle,
    /// Before a change of a flow is told to the entry of its replies.
    Mirror,
    /// Where the other entry of a pair is to be freed: one was already.
    End,
}

/// The maps as one CPU sees them while another is at work.
pub(crate) struct Raced<'a> {
    memory: &'a Memory,
    has_booked: Cell<bool>,
    others: RefCell<VecDeque<(Point, Other<'a>)>>,
}

impl<'a> Raced<'a> {
    pub(crate) fn new(memory: &'a Memory, point: Point, other: impl FnOnce(&Memory) + 'a) -> Self {
        let cpu = Self {
            memory,
            has_booked: Cell::new(false),
            others: RefCell::default(),
        };
        cpu.then(point, other)
    }

    /// Lets another CPU come in between once more, after all others.
    pub(crate) fn then(self, point: Point, other: impl FnOnce(&Memory) + 'a) -> Self {
        let other: Other<'a> = Box::new(other);
        self.others.borrow_mut().push_back((point, other));
        self
    }

    fn reached(&self, point: Point) {
        let next = self
            .others
            .borrow_mut()
            .pop_front_if(|(at, _)| *at == point);
        if let (Some((_, other)), Some(scratch)) = (next, self.memory.scratch()) {
            // Another CPU has a scratch of its own; here it is this thread's.
            // SAFETY: this thread's, and nobody has a reference to it.
            let kept = unsafe { *scratch };
            other(self.memory);
            // SAFETY: as above.
            unsafe { *scratch = kept };
        }
    }

    /// The first look at the table after a booking is the one for a twin.
    fn looks(&self) {
        if self.has_booked.get() {
            self.reached(Point::Published);
        }
    }

    pub(crate) fn assert_all_had_their_turn(&self) {
        assert!(self.others.borrow().is_empty(), "another CPU had no turn");
    }

    /// Walks a packet on this CPU; yields its backend.
    pub(crate) fn send(&self, site: Site, client: u16, flags: u8) -> u16 {
        let buffer = Buffer::new(LAN, &site.packet(client, flags).frame());
        assert_eq!(walk(self, &buffer), Ok(Action::Send));
        self.assert_all_had_their_turn();
        let frame = buffer.bytes();
        u16::from_be_bytes([frame[4], frame[5]])
    }
}

impl Tables for Raced<'_> {
    fn settings(&self) -> Option<&Settings> {
        self.memory.settings()
    }
    fn timeouts(&self, number: u32) -> Option<&Timeouts> {
        self.memory.timeouts(number)
    }
    fn now(&self) -> u32 {
        self.reached(Point::Clock);
        self.memory.now()
    }
    fn scratch(&self) -> Option<*mut Scratch> {
        self.memory.scratch()
    }
    fn gateway(&self, id: u32) -> Option<&NextHop> {
        self.memory.gateway(id)
    }
    fn gateway_id(&self, key: &GatewayKey, by: &Interface) -> Option<u32> {
        self.memory.gateway_id(key, by)
    }
    fn local(&self, number: u32) -> Option<&Address> {
        self.memory.local(number)
    }
    fn backend_cursor(&self, backend: u32) -> Option<*mut u64> {
        self.memory.backend_cursor(backend)
    }
    fn is_endpoint(&self, endpoint: &Endpoint) -> bool {
        self.memory.is_endpoint(endpoint)
    }

    fn may_tunnel(&self, source: &TunnelSource) -> bool {
        self.memory.may_tunnel(source)
    }

    fn count_answer(&self, service: u32, backend: u32, bytes: u64) {
        self.memory.count_answer(service, backend, bytes);
    }
    fn interface(&self, index: u32) -> Option<&Interface> {
        self.memory.interface(index)
    }
    fn half4(&self, half: u32) -> Option<*mut u64> {
        self.looks();
        self.memory.half4(half)
    }
    fn half6(&self, half: u32) -> Option<*mut u64> {
        self.looks();
        self.memory.half6(half)
    }
    fn service_id(&self, key: &ServiceKey) -> Option<u32> {
        self.memory.service_id(key)
    }
    fn service(&self, id: u32) -> Option<*const Service> {
        self.memory.service(id)
    }
    fn ring(&self, chunk: u32) -> Option<&RingChunk> {
        self.memory.ring(chunk)
    }
    fn cursor(&self, service: u32) -> Option<*mut u64> {
        self.memory.cursor(service)
    }
    fn backend(&self, id: u32) -> Option<*const Backend> {
        self.memory.backend(id)
    }
    fn load(&self, backend: u32) -> Option<*mut u64> {
        self.reached(Point::Booking);
        self.has_booked.set(true);
        self.memory.load(backend)
    }
    fn next_hop(&self, id: u32) -> Option<&NextHop> {
        self.memory.next_hop(id)
    }
    fn count_packet(&self, service: u32, backend: u32, bytes: u64) {
        self.memory.count_packet(service, backend, bytes);
    }
    fn count_connection(&self, service: u32, backend: u32) {
        self.memory.count_connection(service, backend);
    }
    fn bucket(&self, number: u32) -> Option<*mut u64> {
        self.memory.bucket(number)
    }

    fn count_notice(&self, number: u32) {
        self.memory.count_notice(number);
    }

    fn count_event(&self, event: FlowEvent) {
        self.reached(Point::Event);
        self.memory.count_event(event);
    }
    fn try_claim<F: Family>(&self, places: &Places, now: u32) -> Claim {
        self.reached(Point::Claim);
        table::try_claim::<F, Self>(self, places, now)
    }
    fn settle<F: Family>(&self, places: &Places, claim: Claim, own: Word, now: u32) -> Word {
        self.reached(Point::Settle);
        table::settle::<F, Self>(self, places, claim, own, now)
    }
    fn end(&self, link: Link, back: Link) {
        self.reached(Point::End);
        table::end(self, link, back);
    }
    fn mirror(&self, slot: Slot, flow: Word) {
        self.reached(Point::Mirror);
        table::pair::mirror(self, slot, flow);
    }
}

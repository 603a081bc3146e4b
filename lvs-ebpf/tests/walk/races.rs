//! What two CPUs do to each other, step by step: a second packet is walked in the middle of the
//! first, where the first asks for a map or the clock.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    sync::Barrier,
    thread,
};

use lvs_common::{
    Family,
    flow::Stage,
    map::{
        Backend, FlowEvent, Interface, NextHop, RingChunk, Service, ServiceKey, Settings, Sweep,
        Timeouts,
    },
    tcp::{ACK, SYN, State},
};
use lvs_ebpf::{
    Action,
    host::{Buffer, Load, Memory, TICKS_PER_SECOND},
    kernel::Tables,
    table, walk,
};

use crate::farm::{
    LAN, Site, assert_sound, farm, flow, interfaces, only, send, single, with_sites,
};

type Other<'a> = Box<dyn FnOnce(&Memory) + 'a>;

/// Where another CPU comes in between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Point {
    /// Where the clock is read.
    Clock,
    /// Where a load is changed: of a new flow, after its entry was claimed and before it is there.
    Booking,
    /// After a new flow was published, before its twin is looked for.
    Published,
    /// Where a reused or evicted flow is counted.
    Event,
}

/// The maps as one CPU sees them while another is at work.
struct Raced<'a> {
    memory: &'a Memory,
    has_booked: Cell<bool>,
    others: RefCell<VecDeque<(Point, Other<'a>)>>,
}

impl<'a> Raced<'a> {
    fn new(memory: &'a Memory, point: Point, other: impl FnOnce(&Memory) + 'a) -> Self {
        let cpu = Self {
            memory,
            has_booked: Cell::new(false),
            others: RefCell::default(),
        };
        cpu.then(point, other)
    }

    /// Lets another CPU come in between once more, after all others.
    fn then(self, point: Point, other: impl FnOnce(&Memory) + 'a) -> Self {
        let other: Other<'a> = Box::new(other);
        self.others.borrow_mut().push_back((point, other));
        self
    }

    fn reached(&self, point: Point) {
        let next = self
            .others
            .borrow_mut()
            .pop_front_if(|(at, _)| *at == point);
        if let Some((_, other)) = next {
            other(self.memory);
        }
    }

    /// The first look at the table after a booking is the one for a twin.
    fn looks(&self) {
        if self.has_booked.get() {
            self.reached(Point::Published);
        }
    }

    fn assert_all_had_their_turn(&self) {
        assert!(self.others.borrow().is_empty(), "another CPU had no turn");
    }

    /// Walks a packet on this CPU; yields its backend.
    fn send(&self, site: Site, client: u16, flags: u8) -> u16 {
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
    fn count_event(&self, event: FlowEvent) {
        self.reached(Point::Event);
        self.memory.count_event(event);
    }
}

#[test]
fn a_flow_opened_on_two_cpus_is_one() {
    for site in Site::ALL {
        // In a table so small, the halves are in another order for every client.
        for client in 0..50 {
            let memory = with_sites(interfaces().halves(4), 3).build();
            let cpu = Raced::new(&memory, Point::Booking, |memory| {
                send(memory, &site.packet(client, SYN));
            });
            cpu.send(site, client, SYN);
            let flows = memory.flows();
            assert_eq!(flows.len(), 1, "{site:?} {client}");
            assert_eq!(memory.event(FlowEvent::Twin), 1, "{site:?} {client}");
            let stays = send(&memory, &site.packet(client, ACK));
            assert_eq!(stays, flows[0].word.backend(), "{site:?} {client}");
            assert_sound(&memory);
        }
    }
}

/// Both have published before either looks: each sees the other, and the same one gives way.
#[test]
fn two_cpus_that_see_each_other_agree_on_who_gives_way() {
    for site in Site::ALL {
        for client in 0..20 {
            let memory = with_sites(interfaces().halves(4), 3).build();
            let barrier = Barrier::new(2);
            let open = || {
                let meet = |_: &Memory| {
                    barrier.wait();
                };
                // The first meeting is before either can find the other's flow.
                let cpu = Raced::new(&memory, Point::Booking, meet);
                cpu.then(Point::Published, meet).send(site, client, SYN)
            };
            let backends = thread::scope(|scope| {
                let cpus = [scope.spawn(open), scope.spawn(open)];
                cpus.map(|cpu| cpu.join().unwrap())
            });
            let what = format!("{site:?} {client}");
            let stays = flow(&memory, site, client).word.backend();
            assert_eq!(backends, [stays; 2], "{what}");
            assert_eq!(memory.flows().len(), 1, "{what}");
            let connections = memory.service_counters(site.id()).connections;
            assert_eq!(connections, 1, "{what}");
            assert_sound(&memory);
        }
    }
}

#[test]
fn a_finished_flow_reused_on_two_cpus_is_one_new_connection() {
    for client in 0..50 {
        let memory = farm();
        for flags in [SYN, ACK, ACK | 1] {
            send(&memory, &Site::Web.packet(client, flags));
        }
        let cpu = Raced::new(&memory, Point::Event, |memory| {
            send(memory, &Site::Web.packet(client, SYN));
        });
        let backend = cpu.send(Site::Web, client, SYN);
        assert_eq!(memory.flows().len(), 1);
        let word = flow(&memory, Site::Web, client).word;
        assert_eq!(word.backend(), backend);
        assert_eq!(word.stage(), Some(Stage::Tcp(State::SynRecv)));
        assert_sound(&memory);
    }
}

/// The sweep has seen that a flow is about to expire; before it frees it, a packet arrives.
#[test]
fn a_flow_that_a_packet_has_just_saved_is_not_swept() {
    let memory = single();
    for flags in [SYN, ACK] {
        send(&memory, &Site::Web.packet(1, flags));
    }
    memory.pass(900 * TICKS_PER_SECOND);
    let cpu = Raced::new(&memory, Point::Clock, |memory| {
        // In time, but the tick is over before the sweep looks at the clock.
        send(memory, &Site::Web.packet(1, ACK));
        memory.pass(1);
    });
    for half in 0.. {
        if memory.half4(half).is_none() {
            break;
        }
        let mut request = Sweep::request(Family::Ipv4 as u32, half, 1);
        table::sweep(&cpu, &mut request, 0);
    }
    cpu.assert_all_had_their_turn();
    flow(&memory, Site::Web, 1);
    assert_eq!(memory.load_of(only(Site::Web)), Load::new(1, 0));
    assert_sound(&memory);
}

/// A CPU reads the clock once a packet; another may have read it a tick later and been faster.
#[test]
fn a_flow_that_another_cpu_saw_a_tick_later_is_alive() {
    for site in Site::ALL {
        let memory = single();
        send(&memory, &site.packet(1, SYN));
        memory.pass(1);
        send(&memory, &site.packet(1, ACK));
        memory.set_now(memory.now() - 1);
        send(&memory, &site.packet(1, ACK));
        assert_eq!(
            memory.service_counters(site.id()).connections,
            1,
            "{site:?}"
        );
        assert_eq!(memory.flows().len(), 1, "{site:?}");
    }
}

/// As above, where the slower CPU needs a place for a new flow.
#[test]
fn a_flow_that_another_cpu_saw_a_tick_later_is_not_evicted_as_expired() {
    let memory = with_sites(interfaces().halves(4), 1).build();
    for flags in [SYN, ACK, ACK] {
        send(&memory, &Site::Web.packet(1, flags));
    }
    for client in 2..=16 {
        send(&memory, &Site::Web.packet(client, SYN));
    }
    memory.pass(1);
    send(&memory, &Site::Web.packet(1, ACK));
    memory.set_now(memory.now() - 1);
    send(&memory, &Site::Web.packet(17, SYN));
    assert_eq!(memory.event(FlowEvent::Expired), 0);
    memory.pass(1);
    flow(&memory, Site::Web, 1);
}

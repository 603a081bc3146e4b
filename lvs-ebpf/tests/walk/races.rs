//! What two CPUs do to each other, step by step: a second packet is walked in the middle of the
//! first, where the first asks for a map or the clock.

use std::{sync::Barrier, thread};

use lvs_common::{
    Family,
    flow::Stage,
    map::{FlowEvent, Sweep},
    tcp::{ACK, SYN, State},
};
use lvs_ebpf::{
    host::{Load, Memory, TICKS_PER_SECOND},
    kernel::Tables as _,
    table,
};

use crate::{
    farm::{Site, assert_sound, farm, flow, interfaces, only, send, single, with_sites},
    raced::{Point, Raced},
};

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

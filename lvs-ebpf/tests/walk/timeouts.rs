//! When a flow ends: to the tick, in every state, and across the wrap of the clock.

use lvs_common::{
    Reason,
    flow::{Stage, Word},
    map::FlowEvent,
    tcp::{ACK, SYN, State},
};
use lvs_ebpf::{
    host::{Load, Memory, Setup, Swept, TICKS_PER_SECOND},
    kernel::Tables as _,
};

use crate::{
    farm::{
        Site, assert_sound, enter, farm, flow, interfaces, only, refuse, send, single, with_sites,
    },
    kernel::TIMEOUTS,
};

const NOTHING: Load = Load::new(0, 0);

/// One flow that was entered just now, how long it lives, and whose it is.
fn one(site: Site, state: u8) -> Memory {
    let memory = single();
    enter(
        &memory,
        site,
        1,
        Word::open(only(site), state, memory.deadline(state)),
    );
    memory
}

/// Every kind of flow: service, state number, ticks of silence.
fn kinds() -> Vec<(Site, u8, u32)> {
    let mut kinds = vec![
        (Site::Dns, Word::UDP, 300 * TICKS_PER_SECOND),
        (Site::Dns6, Word::UDP, 300 * TICKS_PER_SECOND),
    ];
    for (state, seconds) in TIMEOUTS {
        for site in [Site::Web, Site::Web6] {
            let number = Word::of_tcp(state as u8);
            kinds.push((site, number, seconds * TICKS_PER_SECOND));
        }
    }
    kinds
}

#[test]
fn alive_at_the_timeout_and_gone_a_tick_later() {
    for (site, state, timeout) in kinds() {
        let what = format!("{site:?}, state {state}");
        let memory = one(site, state);
        memory.pass(timeout);
        assert!(memory.flow(&site.tuple(1)).is_some(), "{what}");
        assert_eq!(
            memory.sweep_all(),
            Swept {
                retired: 0,
                live: 1
            },
            "{what}"
        );
        assert_ne!(memory.load_of(only(site)), NOTHING, "{what}");

        memory.pass(1);
        assert!(memory.flow(&site.tuple(1)).is_none(), "{what}");
        assert_eq!(
            memory.sweep_all(),
            Swept {
                retired: 1,
                live: 0
            },
            "{what}"
        );
        assert_eq!(memory.load_of(only(site)), NOTHING, "{what}");
        assert_eq!(memory.event(FlowEvent::Expired), 1, "{what}");
        assert!(memory.flows().is_empty(), "{what}");
    }
}

#[test]
fn a_segment_is_the_flows_at_the_timeout_and_nobodys_a_tick_later() {
    for (state, seconds) in TIMEOUTS {
        let number = Word::of_tcp(state as u8);
        let memory = one(Site::Web, number);
        memory.pass(seconds * TICKS_PER_SECOND);
        send(&memory, &Site::Web.packet(1, ACK));

        let memory = one(Site::Web, number);
        memory.pass(seconds * TICKS_PER_SECOND + 1);
        let reason = refuse(&memory, &Site::Web.packet(1, ACK));
        assert_eq!(reason, Reason::NoFlow, "{state:?}");
    }
}

#[test]
fn packets_keep_a_flow() {
    for (site, ticks) in [(Site::Web, 900), (Site::Dns6, 300)] {
        let ticks = ticks * TICKS_PER_SECOND;
        let memory = farm();
        let backend = send(&memory, &site.packet(1, SYN));
        send(&memory, &site.packet(1, ACK));
        for _ in 0..5 {
            memory.pass(ticks);
            assert_eq!(memory.sweep_all().retired, 0);
            assert_eq!(send(&memory, &site.packet(1, ACK)), backend);
        }
        memory.pass(ticks + 1);
        assert_eq!(memory.sweep_all().retired, 1);
    }
}

#[test]
fn the_timeout_is_that_of_the_state_after_the_packet() {
    let memory = single();
    send(&memory, &Site::Web.packet(1, SYN));
    memory.pass(60 * TICKS_PER_SECOND);
    send(&memory, &Site::Web.packet(1, ACK));
    memory.pass(900 * TICKS_PER_SECOND);
    flow(&memory, Site::Web, 1);
    assert_eq!(memory.sweep_all().live, 1);
}

#[test]
fn an_expired_flow_is_scheduled_anew_whether_it_was_swept_or_not() {
    for swept in [false, true] {
        let memory = farm();
        assert_eq!(send(&memory, &Site::Dns.packet(1, 0)), 6);
        memory.pass(300 * TICKS_PER_SECOND + 1);
        if swept {
            memory.sweep_all();
        }
        assert_eq!(send(&memory, &Site::Dns.packet(1, 0)), 5, "swept: {swept}");
        assert_eq!(memory.service_counters(Site::Dns.id()).connections, 2);
        assert_sound(&memory);
        memory.sweep_all();
        assert_eq!(memory.load_of(6), NOTHING, "swept: {swept}");
        assert_eq!(memory.load_of(5), Load::new(0, 1), "swept: {swept}");
    }
}

#[test]
fn a_sweep_takes_the_expired_ones_and_books_each() {
    let memory = with_sites(interfaces().room_for(1000), 3).build();
    for client in 0..200 {
        for site in Site::ALL {
            send(&memory, &site.packet(client, SYN));
        }
    }
    memory.pass(60 * TICKS_PER_SECOND);
    for client in 0..50 {
        send(&memory, &Site::Web.packet(client, ACK));
        send(&memory, &Site::Web6.packet(client, SYN));
    }
    memory.pass(1);
    // The SYNs of both web services have expired but for those that were seen again.
    assert_eq!(
        memory.sweep_all(),
        Swept {
            retired: 300,
            live: 500
        }
    );
    assert_sound(&memory);
    assert_eq!(memory.event(FlowEvent::Expired), 300);
    assert_eq!(
        memory.sweep_all(),
        Swept {
            retired: 0,
            live: 500
        }
    );
    memory.pass(900 * TICKS_PER_SECOND + 1);
    assert_eq!(
        memory.sweep_all(),
        Swept {
            retired: 500,
            live: 0
        }
    );
    for backend in memory.backend_ids() {
        assert_eq!(memory.load_of(backend), NOTHING);
    }
}

#[test]
fn the_clock_may_wrap_in_the_life_of_a_flow() {
    let setup: Setup = with_sites(interfaces().now(u32::MAX - 5), 1);
    let memory = setup.build();
    send(&memory, &Site::Web.packet(1, SYN));
    memory.pass(10);
    assert_eq!(memory.now(), 4);
    send(&memory, &Site::Web.packet(1, ACK));
    let stage = flow(&memory, Site::Web, 1).word.stage();
    assert_eq!(stage, Some(Stage::Tcp(State::Established)));

    memory.set_now(u32::MAX);
    send(&memory, &Site::Dns.packet(1, 0));
    memory.pass(300 * TICKS_PER_SECOND);
    assert!(memory.flow(&Site::Dns.tuple(1)).is_some());
    memory.pass(1);
    assert!(memory.flow(&Site::Dns.tuple(1)).is_none());
    assert_sound(&memory);
}

#[test]
fn timeouts_are_settings() {
    let udp = interfaces().timeout(Word::UDP, 7);
    let memory = with_sites(udp, 3).build();
    let first = send(&memory, &Site::Dns.packet(1, 0));
    memory.pass(7);
    assert_eq!(send(&memory, &Site::Dns.packet(1, 0)), first);
    memory.pass(8);
    assert_ne!(send(&memory, &Site::Dns.packet(1, 0)), first);
}

#[test]
fn a_backend_may_have_timeouts_of_its_own() {
    let mut setup = with_sites(interfaces(), 1);
    setup.timeouts_of(only(Site::Dns), [7; 16]);
    let memory = setup.build();
    for site in [Site::Dns, Site::Dns6] {
        send(&memory, &site.packet(1, 0));
    }
    memory.pass(7);
    send(&memory, &Site::Dns.packet(1, 0));
    memory.pass(8);
    assert!(memory.flow(&Site::Dns.tuple(1)).is_none());
    flow(&memory, Site::Dns6, 1);
    assert_eq!(memory.sweep_all().retired, 1);
    assert_sound(&memory);
}

/// As in IPVS: a timer that runs is not touched, the next packet sets it anew.
#[test]
fn a_new_timeout_holds_from_the_next_packet_on() {
    let mut memory = single();
    for client in [1, 2] {
        send(&memory, &Site::Dns.packet(client, 0));
    }
    memory.set_timeout(Word::UDP, 7);
    memory.pass(8);
    send(&memory, &Site::Dns.packet(1, 0));
    memory.pass(8);
    assert!(memory.flow(&Site::Dns.tuple(1)).is_none());
    flow(&memory, Site::Dns, 2);
}

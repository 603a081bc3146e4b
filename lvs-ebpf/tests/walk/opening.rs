//! What opens a connection: which segments, and on which old flow.

use lvs_common::{
    Reason,
    flow::{Stage, Word},
    map::FlowEvent,
    tcp::{ACK, FIN, RST, SYN, State},
};
use lvs_ebpf::{host::Load, kernel::Tables as _};

use crate::{
    farm::{Site, assert_sound, enter, farm, flow, refuse, send, single},
    kernel::{self, FINISHED, TIMEOUTS},
};

#[test]
fn syn_without_rst_opens_and_nothing_else_does() {
    for site in [Site::Web, Site::Web6] {
        for flags in kernel::all_flags() {
            let memory = single();
            let packet = site.packet(1, flags);
            if flags & (SYN | RST) == SYN {
                send(&memory, &packet);
                let state = kernel::next(State::None, flags);
                assert_eq!(flow(&memory, site, 1).word.stage(), Some(Stage::Tcp(state)));
                assert_eq!(memory.service_counters(site.id()).connections, 1);
            } else {
                assert_eq!(refuse(&memory, &packet), Reason::NoFlow, "flags {flags:#x}");
                assert!(memory.flows().is_empty(), "flags {flags:#x}");
                assert_eq!(memory.service_counters(site.id()).connections, 0);
            }
        }
    }
}

#[test]
fn other_flags_do_not_matter() {
    let memory = single();
    let mut frame = Site::Web.packet(1, SYN).frame();
    // PSH, URG, ECE and CWR, as a SYN that offers ECN has them.
    frame[47] |= 0xe8;
    crate::farm::walk(&memory, &frame).0.unwrap();
    assert_eq!(
        flow(&memory, Site::Web, 1).word.stage(),
        Some(Stage::Tcp(State::SynRecv))
    );
}

#[test]
fn a_datagram_opens() {
    for site in [Site::Dns, Site::Dns6] {
        let memory = single();
        send(&memory, &site.packet(1, 0));
        assert_eq!(flow(&memory, site, 1).word.stage(), Some(Stage::Udp));
        assert_eq!(memory.service_counters(site.id()).connections, 1);
    }
}

#[test]
fn a_syn_on_a_finished_flow_is_a_new_connection() {
    for site in [Site::Web, Site::Web6] {
        let first = site.id() as u16 * 3 + 1;
        for state in FINISHED {
            let memory = farm();
            let word = Word::open(first, Word::of_tcp(state as u8), memory.now());
            enter(&memory, site, 1, word);
            assert_eq!(memory.load_of(first), Load::new(0, 1), "{state:?}");

            // The first turn is that of the service's last backend.
            assert_eq!(send(&memory, &site.packet(1, SYN)), first + 2, "{state:?}");
            let word = flow(&memory, site, 1).word;
            assert_eq!(word.stage(), Some(Stage::Tcp(State::SynRecv)), "{state:?}");
            assert_eq!(word.packets(), 1, "{state:?}");
            assert_eq!(memory.load_of(first), Load::new(0, 0), "{state:?}");
            assert_eq!(memory.load_of(first + 2), Load::new(1, 0), "{state:?}");
            assert_eq!(memory.event(FlowEvent::Reused), 1, "{state:?}");
            assert_eq!(
                memory.service_counters(site.id()).connections,
                1,
                "{state:?}"
            );
            assert_sound(&memory);
        }
    }
}

#[test]
fn a_syn_on_any_other_flow_is_a_segment_of_it() {
    for (state, _) in TIMEOUTS {
        if FINISHED.contains(&state) {
            continue;
        }
        let memory = farm();
        let word = Word::open(1, Word::of_tcp(state as u8), memory.now());
        enter(&memory, Site::Web, 1, word);
        assert_eq!(send(&memory, &Site::Web.packet(1, SYN)), 1, "{state:?}");
        let after = flow(&memory, Site::Web, 1).word.stage();
        assert_eq!(
            after,
            Some(Stage::Tcp(kernel::next(state, SYN))),
            "{state:?}"
        );
        assert_eq!(memory.event(FlowEvent::Reused), 0, "{state:?}");
        assert_eq!(memory.service_counters(0).connections, 0, "{state:?}");
    }
}

#[test]
fn what_is_not_a_plain_syn_opens_nothing_on_a_finished_flow() {
    for flags in [SYN | ACK, SYN | RST, FIN, FIN | ACK, ACK, RST, 0] {
        let memory = farm();
        let word = Word::open(1, Word::of_tcp(State::TimeWait as u8), memory.now());
        enter(&memory, Site::Web, 1, word);
        assert_eq!(
            send(&memory, &Site::Web.packet(1, flags)),
            1,
            "flags {flags:#x}"
        );
        assert_eq!(
            memory.service_counters(0).connections,
            0,
            "flags {flags:#x}"
        );
    }
}

#[test]
fn a_repeated_syn_is_the_same_connection() {
    let memory = farm();
    let first = send(&memory, &Site::Web.packet(1, SYN));
    for _ in 0..5 {
        assert_eq!(send(&memory, &Site::Web.packet(1, SYN)), first);
    }
    assert_eq!(memory.service_counters(0).connections, 1);
    assert_eq!(memory.load_of(first), Load::new(1, 0));
}

/// Port, address, protocol: each makes a flow of its own.
#[test]
fn flows_are_told_apart_by_every_field() {
    let memory = farm();
    for site in Site::ALL {
        for client in 0..3 {
            send(&memory, &site.packet(client, SYN));
        }
    }
    assert_eq!(memory.flows().len(), 12);
    for site in Site::ALL {
        assert_eq!(memory.service_counters(site.id()).connections, 3);
        for client in 0..3 {
            flow(&memory, site, client);
        }
    }
}

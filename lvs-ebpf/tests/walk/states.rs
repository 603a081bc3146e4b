//! The life of a flow: its state and its backend's active and inactive flows after every packet.

use lvs_common::{
    flow::{Stage, Word},
    tcp::{ACK, FIN, RST, SYN, State},
};
use lvs_ebpf::host::Load;

use crate::{
    farm::{Site, assert_sound, enter, flow, only, send, single},
    kernel::{self, FINISHED, TIMEOUTS},
};

const ACTIVE: Load = Load::new(1, 0);
const INACTIVE: Load = Load::new(0, 1);

/// Sends segments one after the other, a tick apart, and checks state and load after each.
fn live(site: Site, story: &[(u8, State, Load)]) {
    let memory = single();
    for (step, (flags, state, load)) in story.iter().enumerate() {
        memory.pass(1);
        send(&memory, &site.packet(1, *flags));
        let word = flow(&memory, site, 1).word;
        assert_eq!(
            word.stage(),
            Some(Stage::Tcp(*state)),
            "step {step} of {story:?}"
        );
        assert_eq!(
            word.deadline(),
            memory.deadline(word.state()),
            "step {step}"
        );
        assert_eq!(
            usize::from(word.packets()),
            (step + 1).min(3),
            "step {step}"
        );
        assert_eq!(
            memory.load_of(only(site)),
            *load,
            "step {step} of {story:?}"
        );
        assert_sound(&memory);
    }
}

#[test]
fn a_connection_from_syn_to_fin() {
    for site in [Site::Web, Site::Web6] {
        live(
            site,
            &[
                (SYN, State::SynRecv, ACTIVE),
                (ACK, State::Established, ACTIVE),
                (ACK, State::Established, ACTIVE),
                (FIN | ACK, State::FinWait, INACTIVE),
                (ACK, State::FinWait, INACTIVE),
                (ACK, State::FinWait, INACTIVE),
            ],
        );
    }
}

#[test]
fn a_connection_that_is_reset() {
    let reset = [
        (SYN, State::SynRecv, ACTIVE),
        (ACK, State::Established, ACTIVE),
        (RST | ACK, State::Close, INACTIVE),
        (ACK, State::Close, INACTIVE),
    ];
    live(Site::Web, &reset);
}

#[test]
fn a_handshake_that_is_given_up() {
    let refused = [
        (SYN, State::SynRecv, ACTIVE),
        (SYN, State::SynRecv, ACTIVE),
        (RST, State::SynRecv, ACTIVE),
        (FIN, State::TimeWait, INACTIVE),
        (ACK, State::TimeWait, INACTIVE),
    ];
    live(Site::Web, &refused);
}

#[test]
fn a_connection_that_comes_back_to_life_counts_as_active_again() {
    let back = [
        (SYN, State::SynRecv, ACTIVE),
        (ACK, State::Established, ACTIVE),
        (0, State::Close, INACTIVE),
        (SYN | ACK, State::SynRecv, ACTIVE),
        (ACK, State::Established, ACTIVE),
    ];
    live(Site::Web, &back);
}

#[test]
fn every_state_follows_the_kernels_table_on_every_segment() {
    for (state, _) in TIMEOUTS {
        for flags in kernel::all_flags() {
            if FINISHED.contains(&state) && flags & (SYN | RST | ACK) == SYN {
                // A new connection; it has tests of its own.
                continue;
            }
            let memory = single();
            let number = Word::of_tcp(state as u8);
            let word = Word::open(only(Site::Web), number, memory.deadline(number));
            enter(&memory, Site::Web, 1, word);
            send(&memory, &Site::Web.packet(1, flags));
            let next = kernel::next(state, flags);
            let stage = flow(&memory, Site::Web, 1).word.stage();
            assert_eq!(stage, Some(Stage::Tcp(next)), "{state:?} on {flags:#x}");
            let load = if kernel::is_active(next) {
                ACTIVE
            } else {
                INACTIVE
            };
            assert_eq!(
                memory.load_of(only(Site::Web)),
                load,
                "{state:?} on {flags:#x}"
            );
        }
    }
}

#[test]
fn udp_is_never_active() {
    for site in [Site::Dns, Site::Dns6] {
        let memory = single();
        for packets in [1, 2, 3, 3] {
            send(&memory, &site.packet(1, 0));
            let word = flow(&memory, site, 1).word;
            assert_eq!((word.stage(), word.packets()), (Some(Stage::Udp), packets));
            assert_eq!(memory.load_of(only(site)), INACTIVE);
        }
    }
}

#[test]
fn loads_are_sums_over_flows() {
    let memory = single();
    for client in 0..40 {
        send(&memory, &Site::Web.packet(client, SYN));
        if client % 2 == 0 {
            send(&memory, &Site::Web.packet(client, ACK));
        }
        if client % 4 == 0 {
            send(&memory, &Site::Web.packet(client, FIN | ACK));
        }
    }
    assert_eq!(memory.load_of(only(Site::Web)), Load::new(30, 10));
    assert_sound(&memory);
}

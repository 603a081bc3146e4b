//! The TCP state machine, as active and inactive connections show it.

use lvs_common::{
    flow::Stage,
    tcp::{ACK, FIN, RST, SYN, State},
};
use lvs_ctl::datapath::Flow;
use lvs_tests::packet::{Rig, Xdp};

use crate::farm::{SITES, Site, farm};

const ACTIVE: (i64, i64) = (1, 0);
const INACTIVE: (i64, i64) = (0, 1);

/// A segment's flags, the state after it, and active and inactive connections then.
type Step = (u8, State, (i64, i64));

/// Connections as a client may lead them; those that open another one at the end say so.
const LIVES: [(&str, &[Step], bool); 12] = [
    (
        "a handshake",
        &[SYN_SENT, ESTABLISHED, (ACK, State::Established, ACTIVE)],
        false,
    ),
    (
        "a SYN sent again",
        &[SYN_SENT, SYN_SENT, ESTABLISHED],
        false,
    ),
    (
        "the client closes",
        &[
            SYN_SENT,
            ESTABLISHED,
            CLOSED,
            (ACK, State::FinWait, INACTIVE),
        ],
        false,
    ),
    (
        "closed before it was open",
        &[SYN_SENT, (FIN | ACK, State::TimeWait, INACTIVE)],
        false,
    ),
    (
        "reset",
        &[SYN_SENT, ESTABLISHED, RESET, (ACK, State::Close, INACTIVE)],
        false,
    ),
    // As in the kernel's table.
    (
        "reset before it was open",
        &[SYN_SENT, (RST, State::SynRecv, ACTIVE)],
        false,
    ),
    (
        "RST is more than SYN",
        &[SYN_SENT, ESTABLISHED, (RST | SYN, State::Close, INACTIVE)],
        false,
    ),
    (
        "no flag at all",
        &[SYN_SENT, ESTABLISHED, (0, State::Close, INACTIVE)],
        false,
    ),
    (
        "a SYN within",
        &[SYN_SENT, ESTABLISHED, (SYN, State::Established, ACTIVE)],
        false,
    ),
    (
        "the port again after a FIN",
        &[SYN_SENT, ESTABLISHED, CLOSED, SYN_SENT],
        true,
    ),
    (
        "the port again after a RST",
        &[SYN_SENT, ESTABLISHED, RESET, SYN_SENT],
        true,
    ),
    (
        "the port again after both",
        &[SYN_SENT, (FIN, State::TimeWait, INACTIVE), SYN_SENT],
        true,
    ),
];

const SYN_SENT: Step = (SYN, State::SynRecv, ACTIVE);
const ESTABLISHED: Step = (ACK, State::Established, ACTIVE);
const CLOSED: Step = (FIN | ACK, State::FinWait, INACTIVE);
const RESET: Step = (RST, State::Close, INACTIVE);

/// The one flow from this port.
fn flow(rig: &Rig, site: Site, port: u16) -> Flow {
    let flows = rig.flows();
    let mut found = flows.iter().filter(|flow| flow.source == site.client(port));
    let flow = *found.next().expect("a flow of this port");
    assert_eq!(found.next(), None, "a second flow of port {port}");
    assert_eq!(flow.destination, site.address());
    assert_eq!(flow.protocol, site.protocol() as u8);
    flow
}

#[test]
fn of_tcp_follow_the_kernels_table() {
    let rig = farm();
    for site in [Site::Web, Site::Web6] {
        for (port, (life, steps, reused)) in (1..).zip(LIVES) {
            let before = rig.state().expect("the counters");
            for (n, (flags, state, load)) in steps.iter().enumerate() {
                let (verdict, _) = rig
                    .walk(&site.segment(port, *flags).bytes())
                    .expect("a walk");
                assert_eq!(verdict, Xdp::Tx, "{life}, step {n}");
                let changes = rig.state().expect("the counters").since(&before);
                let change = |name: &str| changes.get(name).copied().unwrap_or_default();
                let name = |kind: &str| format!("load.{}.{kind}", site.backend());
                let now = (change(&name("active")), change(&name("inactive")));
                assert_eq!(now, *load, "{life} ({site:?}), step {n}");
                let stage = flow(&rig, site, port).word.stage();
                assert_eq!(
                    stage,
                    Some(Stage::Tcp(*state)),
                    "{life} ({site:?}), step {n}"
                );
            }
            let changes = rig.state().expect("the counters").since(&before);
            let connections = format!("service.{}.connections", site.name());
            assert_eq!(changes[&connections], 1 + i64::from(reused), "{life}");
            let again = changes.get("event.reused").copied().unwrap_or_default();
            assert_eq!(again, i64::from(reused), "{life}");
        }
    }
}

#[test]
fn of_udp_are_inactive() {
    let rig = farm();
    for site in [Site::Dns, Site::Dns6] {
        for _ in 0..3 {
            rig.walk(&site.first(1).bytes()).expect("a walk");
            let state = rig.state().expect("the counters");
            let load = |kind: &str| state.get(&format!("load.{}.{kind}", site.backend()));
            assert_eq!((load("active"), load("inactive")), (0, 1), "{site:?}");
        }
        assert_eq!(flow(&rig, site, 1).word.stage(), Some(Stage::Udp));
    }
}

/// Only a SYN opens: what belongs to no flow is the host's to answer.
#[test]
fn nothing_but_a_syn_opens_a_connection() {
    let rig = farm();
    for site in [Site::Web, Site::Web6] {
        for flags in [0, ACK, FIN, FIN | ACK, RST, RST | ACK, SYN | RST] {
            let frame = site.segment(1, flags).bytes();
            let (verdict, after) = rig.walk(&frame).expect("a walk");
            assert_eq!((verdict, after), (Xdp::Pass, frame), "{flags:#04x}");
        }
        let of_site = |flow: &Flow| flow.destination == site.address();
        assert!(!rig.flows().iter().any(of_site), "{:?}", rig.flows());
        // IPVS opens a connection for it, too; a SYN then belongs to that.
        for flags in [SYN | ACK, SYN] {
            let (verdict, _) = rig.walk(&site.segment(1, flags).bytes()).expect("a walk");
            assert_eq!(verdict, Xdp::Tx, "{flags:#04x}");
        }
        assert_eq!(
            flow(&rig, site, 1).word.stage(),
            Some(Stage::Tcp(State::SynRecv))
        );
    }
}

/// The same numbers are different flows by protocol and family.
#[test]
fn one_client_port_to_every_site_is_as_many_flows() {
    let rig = farm();
    for site in SITES {
        rig.walk(&site.first(9).bytes()).expect("a walk");
    }
    for site in SITES {
        let found = rig
            .flows()
            .into_iter()
            .find(|f| f.destination == site.address());
        let found = found.expect("a flow to the site");
        assert_eq!(rig.backend_of(&found), site.backend());
    }
    assert_eq!(rig.flows().len(), SITES.len());
}

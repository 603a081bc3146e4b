//! Flows that fall silent: gone for who looks them up, and out of the counts once swept.

use std::time::{Duration, Instant};

use lvs_common::{
    Reason,
    flow::Stage,
    tcp::{ACK, FIN, State},
};
use lvs_tests::packet::{Case, Rig, Xdp};

use crate::farm::{SITES, Site, farm};

/// A tick is 160 ms at most; who waits longer waits in vain.
const DEADLINE: Duration = Duration::from_secs(10);

const ESTABLISHED: Stage = Stage::Tcp(State::Established);
const FIN_WAIT: Stage = Stage::Tcp(State::FinWait);

/// Sends these segments or datagrams of a client.
fn send(rig: &Rig, site: Site, port: u16, more: &[u8]) {
    let mut frames = vec![site.first(port)];
    frames.extend(more.iter().map(|flags| site.next(port).flags(*flags)));
    for frame in frames {
        let (verdict, _) = rig.walk(&frame.bytes()).expect("a walk");
        assert_eq!(verdict, Xdp::Tx, "{site:?}, port {port}");
    }
}

/// Sweeps until so many flows were retired, all told.
fn sweep_until(rig: &Rig, retired: u64) {
    let start = Instant::now();
    let mut sum = 0;
    while sum < retired {
        sum += rig.datapath.sweep().expect("a sweep").retired;
        assert!(
            start.elapsed() < DEADLINE,
            "{sum} of {retired} flows were retired; left are {:#?}",
            rig.flows()
        );
    }
    assert_eq!(sum, retired, "flows were retired that should not be");
}

/// Has every flow of these clients, which exists, end after its next packet, and sends that.
fn expire(rig: &mut Rig, site: Site, stage: Stage, ports: impl Iterator<Item = u16>) {
    rig.set_timeout(stage, 0).expect("timeouts");
    for port in ports {
        let (verdict, _) = rig.walk(&site.next(port).bytes()).expect("a walk");
        assert_eq!(verdict, Xdp::Tx, "{site:?}, port {port}");
    }
}

/// Waits until the next tick, by a datagram whose flow says what time it is.
fn wait_a_tick(rig: &Rig) {
    let clock = || {
        send(rig, Site::Dns6, 65_000, &[]);
        let flows = rig.flows().into_iter();
        let clock = flows.filter(|flow| flow.source.port() == 65_000);
        clock.map(|flow| flow.word.deadline()).next()
    };
    let (start, then) = (Instant::now(), clock());
    while clock() == then {
        assert!(start.elapsed() < DEADLINE, "the clock stands still");
    }
}

fn load(rig: &Rig, site: Site) -> (u64, u64) {
    let state = rig.state().expect("the counters");
    let load = |kind: &str| state.get(&format!("load.{}.{kind}", site.backend()));
    (load("active"), load("inactive"))
}

#[test]
fn a_sweep_frees_what_expired_and_books_it_out() {
    let mut rig = farm();
    for site in SITES {
        for port in 1..=20 {
            send(&rig, site, port, &[ACK]);
        }
    }
    assert_eq!(rig.flows().len(), 80);
    for site in [Site::Dns, Site::Dns6] {
        expire(&mut rig, site, Stage::Udp, 1..=20);
    }
    sweep_until(&rig, 40);
    assert_eq!(
        SITES.map(|site| load(&rig, site)),
        [(20, 0), (0, 0), (20, 0), (0, 0)]
    );

    for site in [Site::Web, Site::Web6] {
        expire(&mut rig, site, ESTABLISHED, 1..=20);
    }
    sweep_until(&rig, 40);
    assert_eq!(SITES.map(|site| load(&rig, site)), [(0, 0); 4]);
    assert_eq!(rig.flows(), []);
    assert_eq!(rig.state().expect("the counters").get("event.expired"), 80);
}

#[test]
fn each_state_has_a_timeout_of_its_own() {
    let mut rig = farm();
    rig.set_timeout(FIN_WAIT, 0).expect("timeouts");
    for site in [Site::Web, Site::Web6] {
        send(&rig, site, 1, &[]);
        send(&rig, site, 2, &[ACK]);
        send(&rig, site, 3, &[ACK, FIN | ACK]);
        send(&rig, site, 4, &[ACK, FIN | ACK]);
    }
    sweep_until(&rig, 4);
    let swept = rig.datapath.sweep().expect("a sweep");
    assert_eq!((swept.retired, swept.live), (0, 4));
    for site in [Site::Web, Site::Web6] {
        assert_eq!(load(&rig, site), (2, 0), "{site:?}");
    }
}

#[test]
fn a_sweep_leaves_flows_that_last() {
    let rig = farm();
    for site in SITES {
        send(&rig, site, 1, &[ACK]);
    }
    wait_a_tick(&rig);
    let swept = rig.datapath.sweep().expect("a sweep");
    // The clock's own flow is the fifth.
    assert_eq!((swept.retired, swept.live), (0, 5));
}

/// Before any sweep: a segment of an expired flow belongs to none, and a SYN opens a new one.
#[test]
fn an_expired_flow_is_none() {
    for site in [Site::Web, Site::Web6] {
        let mut rig = farm();
        send(&rig, site, 1, &[ACK]);
        expire(&mut rig, site, ESTABLISHED, 1..=1);
        wait_a_tick(&rig);
        let (ack, syn) = (site.next(1), site.first(1));
        let opens = Case::sent("a SYN", &syn, site.backend(), &site.hop());
        // The old one is booked out when the new one is: it has the same tuple.
        let opens = opens
            .opens_active(site.backend())
            .and(&format!("load.{}.active", site.backend()), -1)
            .and("event.expired", 1);
        rig.run([
            Case::untouched("an ACK", ack.bytes(), Reason::NoFlow),
            opens,
            Case::sent("a SYN again", &syn, site.backend(), &site.hop()),
        ]);
        let swept = rig.datapath.sweep().expect("a sweep");
        assert_eq!((swept.retired, swept.live), (0, 2), "the clock's flow too");
        assert_eq!(load(&rig, site), (1, 0), "{site:?}");
    }
}

/// A table full of expired flows has room for as many new ones, which book the old ones out.
#[test]
fn new_flows_take_the_places_of_expired_ones() {
    let mut rig = Rig::with_halves(&SITES.map(Site::service), 4);
    for port in 1..=16 {
        send(&rig, Site::Web, port, &[ACK]);
    }
    assert_eq!(load(&rig, Site::Web), (16, 0));
    expire(&mut rig, Site::Web, ESTABLISHED, 1..=16);
    wait_a_tick(&rig);
    for port in 17..=32 {
        send(&rig, Site::Web, port, &[]);
    }
    let state = rig.state().expect("the counters");
    assert_eq!(load(&rig, Site::Web), (16, 0), "\n{state}");
    assert_eq!(state.get("event.expired"), 16, "\n{state}");
    assert_eq!(
        state.sum("event.", ""),
        16,
        "nothing else happened\n{state}"
    );
}

/// Where there is none, the flow that is worth least goes; the counts say what it was.
#[test]
fn a_full_table_gives_up_what_is_worth_least() {
    let rig = Rig::with_halves(&SITES.map(Site::service), 4);
    for port in 1..=12 {
        send(&rig, Site::Web, port, &[ACK, ACK]);
    }
    send(&rig, Site::Web, 13, &[ACK]);
    send(&rig, Site::Web, 14, &[]);
    send(&rig, Site::Web, 15, &[ACK, FIN | ACK]);
    send(&rig, Site::Web, 16, &[ACK, ACK]);
    assert_eq!(load(&rig, Site::Web), (15, 1));
    for (port, event) in [
        (17, "evicted-closing"),
        (18, "evicted-half-open"),
        (19, "evicted-young"),
        (20, "evicted-proven"),
    ] {
        let before = rig.state().expect("the counters");
        // It is proven before the next one comes.
        send(&rig, Site::Web, port, &[ACK, ACK]);
        let mut changes = rig.state().expect("the counters").since(&before);
        changes.retain(|name, _| name.starts_with("event."));
        let expected = [(format!("event.{event}"), 1)];
        assert_eq!(changes, expected.into(), "port {port}");
        assert_eq!(load(&rig, Site::Web), (16, 0), "port {port}");
    }
    assert_eq!(rig.flows().len(), 16);
}

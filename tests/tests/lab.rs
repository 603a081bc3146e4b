//! The lab by itself, without a balancer: what the other scenarios stand on.

use std::net::{IpAddr, SocketAddr};
use std::ops::ControlFlow;
use std::time::Duration;

use lvs_tests::lab::{Farm, Host, Namespace, Segment, VIP4, VIP6, http, ping, udp, wait};

fn both(host: &Host) -> [IpAddr; 2] {
    [host.ipv4.into(), host.ipv6.into()]
}

#[test]
fn every_machine_reaches_every_other() {
    let segment = Segment::builder().build().expect("a segment");
    let all: Vec<&Host> = [&segment.client, &segment.balancer]
        .into_iter()
        .chain(&segment.backends)
        .collect();
    for from in &all {
        for to in &all {
            for address in both(to) {
                ping::ping(&from.namespace, address, 1400)
                    .unwrap_or_else(|error| panic!("{}: {error:#}", from.name));
            }
        }
    }
}

#[test]
fn the_balancer_alone_answers_for_the_vips() {
    let segment = Segment::builder().build().expect("a segment");
    for vip in [VIP4.into(), VIP6.into()] {
        ping::ping(&segment.client.namespace, vip, 56).expect("an answer");
        let neighbours = segment.client.ip("neigh show").expect("neighbours");
        let entry = neighbours
            .lines()
            .find(|line| line.starts_with(&format!("{vip} ")))
            .expect("an entry");
        assert!(entry.contains(&segment.balancer.mac.to_string()), "{entry}");
    }
}

#[test]
fn addresses_and_mac_addresses_are_the_documented_ones() {
    let segment = Segment::builder().backends(14).build().expect("a segment");
    let shown: Vec<String> = segment
        .backends
        .iter()
        .map(|host| format!("{} {} {} {}", host.name, host.ipv4, host.ipv6, host.mac))
        .collect();
    assert_eq!(shown[0], "backend-17 10.0.0.17 fd00::17 02:00:0a:00:00:11");
    assert_eq!(
        shown[12], "backend-30 10.0.0.30 fd00::30 02:00:0a:00:00:1e",
        "29 is the VIP"
    );
    let link = segment.balancer.ip("link show lb0").expect("lb0");
    assert!(link.contains("02:00:0a:00:00:02"), "{link}");
}

#[test]
fn requests_and_datagrams_get_answers_from_the_backend_asked() {
    let segment = Segment::builder().build().expect("a segment");
    let farm = Farm::start(&segment.backends).expect("servers");
    let client = &segment.client.namespace;
    for (backend, server) in segment.backends.iter().zip(&farm.http) {
        for address in both(backend) {
            let web = SocketAddr::new(address, Farm::HTTP);
            let tally =
                http::load(client, web, 100, |_| ControlFlow::Continue(())).expect("a load");
            assert_eq!(
                (tally.of(&backend.name), tally.failures.as_slice()),
                (100, [].as_slice()),
                "{web}"
            );
            assert_eq!(
                http::download(client, web, 5_000_000).expect("a download"),
                backend.name
            );

            let echo = SocketAddr::new(address, Farm::ECHO);
            let report = udp::echo(client, echo, 30, 10).expect("an echo");
            assert_eq!((report.answered, report.ports.len()), (300, 30), "{echo}");
            assert!(report.unsteady().is_empty(), "{report:?}");
            assert_eq!(
                report.ports_per_backend().get(backend.name.as_str()),
                Some(&30),
                "{report:?}"
            );
        }
        assert_eq!(server.requests(), 202, "{}", backend.name);
    }
}

#[test]
fn a_client_never_uses_a_port_twice() {
    let segment = Segment::builder().backends(1).build().expect("a segment");
    let _farm = Farm::start(&segment.backends).expect("servers");
    let web = SocketAddr::new(segment.backends[0].ipv4.into(), Farm::HTTP);
    let tally = http::load(&segment.client.namespace, web, 3000, |_| {
        ControlFlow::Continue(())
    })
    .expect("a load");
    assert_eq!(
        (tally.answered(), tally.failures.as_slice()),
        (3000, [].as_slice())
    );
    // TIME-WAIT on the client's side, for every connection there was: what keeps its port from being used.
    // The server's part of closing may still be under way.
    wait::until("every connection to rest", Duration::from_secs(20), || {
        let sockets = segment
            .client
            .namespace
            .run(|| Ok(std::fs::read_to_string("/proc/thread-self/net/tcp")?))?;
        let states = sockets.lines().map(|line| line.split_whitespace().nth(3));
        Ok(states.filter(|state| *state == Some("06")).count() == 3000)
    })
    .expect("all connections in TIME-WAIT");
}

#[test]
fn a_load_can_be_stopped() {
    let segment = Segment::builder().backends(1).build().expect("a segment");
    let _farm = Farm::start(&segment.backends).expect("servers");
    let web = SocketAddr::new(segment.backends[0].ipv4.into(), Farm::HTTP);
    let stop = |ended| {
        if ended >= 50 {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    };
    let tally = http::load(&segment.client.namespace, web, 100_000, stop).expect("a load");
    assert!((50..60).contains(&tally.answered()), "{tally:?}");
}

#[test]
fn an_unplugged_backend_is_silent_until_it_is_plugged_in() {
    let segment = Segment::builder().unplugged(1).build().expect("a segment");
    let (absent, present) = (&segment.backends[1], &segment.backends[2]);
    for address in both(present) {
        ping::ping(&segment.client.namespace, address, 56).expect("this one is there");
    }
    let web = SocketAddr::new(absent.ipv4.into(), Farm::HTTP);
    let _farm = Farm::start(&segment.backends).expect("servers");
    for address in both(absent) {
        ping::ping(&segment.client.namespace, address, 56).expect_err("this one is not");
    }
    absent.plug().expect("plugs");
    for address in both(absent) {
        ping::ping(&segment.client.namespace, address, 56).expect("now it is");
    }
    assert_eq!(
        http::get(&segment.client.namespace, web).expect("an answer"),
        absent.name
    );
    absent.unplug().expect("unplugs");
    ping::ping(&segment.client.namespace, absent.ipv4.into(), 56).expect_err("gone again");
}

#[test]
fn the_balancers_cable_ends_in_an_xdp_program_and_no_other_does() {
    let segment = Segment::builder().backends(1).build().expect("a segment");
    assert!(segment.balancer.port_has_xdp().expect("a port"));
    assert!(!segment.client.port_has_xdp().expect("a port"));
    assert!(!segment.balancer.has_xdp("lb0").expect("lb0"));
}

#[test]
fn a_namespace_is_gone_with_its_last_holder() {
    let namespace = Namespace::new().expect("a namespace");
    let path = namespace.path();
    let inode = std::fs::read_link(&path).expect("a link");
    let clone = namespace.clone();
    drop(namespace);
    assert_eq!(
        std::fs::read_link(&path).expect("a link"),
        inode,
        "the clone holds it"
    );
    drop(clone);
    assert_ne!(std::fs::read_link(&path).ok(), Some(inode));
}

#[test]
fn a_panic_inside_comes_out() {
    let namespace = Namespace::new().expect("a namespace");
    let caught = std::panic::catch_unwind(|| {
        namespace.run(|| -> anyhow::Result<()> { panic!("on purpose") })
    });
    assert_eq!(
        caught.expect_err("a panic").downcast_ref(),
        Some(&"on purpose")
    );
}

#[test]
fn a_child_dies_with_the_thread_that_started_it() {
    let namespace = Namespace::new().expect("a namespace");
    let mut child = std::thread::scope(|scope| {
        scope
            .spawn(|| {
                namespace
                    .command("sleep")
                    .arg("1000")
                    .spawn()
                    .expect("a child")
            })
            .join()
            .expect("no panic")
    });
    // Returns at once, or never.
    assert!(!child.wait().expect("waits").success());
}

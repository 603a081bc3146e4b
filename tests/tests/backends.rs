//! What the director makes of backends, and tells an operator of them.

use std::net::TcpListener;
use std::time::Duration;

use lvs_tests::lab::{Director, Segment, wait};

const DEADLINE: Duration = Duration::from_secs(20);

/// A configuration with one service, whose fields but its address are given.
fn yaml(fields: &str) -> String {
    format!("interfaces: [lb0]\nservices:\n- {{name: web, address: '10.0.0.29:80', {fields}}}\n")
}

fn start(segment: &Segment, yaml: &str) -> Director {
    Director::start(&segment.balancer.namespace, yaml).expect("a director")
}

/// The states of the service's backends.
fn states(director: &Director) -> Vec<String> {
    let stats = director.stats().expect("statistics");
    let service = stats.service("web").expect("the service");
    let backends = service.backends.iter();
    backends.map(|backend| backend.state.clone()).collect()
}

#[test]
fn a_backend_may_be_the_balancer_itself_unless_both_ends_would_be() {
    let segment = Segment::builder().backends(0).build().expect("a segment");
    for (mode, state) in [
        ("dr", "up"),
        ("tun", "up"),
        ("nat", "up"),
        ("fullnat, local_addresses: [10.0.0.200]", "unreachable"),
    ] {
        let fields = format!("mode: {mode}, backends: [{{address: 10.0.0.2}}]");
        let director = start(&segment, &yaml(&fields));
        assert_eq!(states(&director), [state], "{mode}: {}", director.said());
        assert!(
            director.said().contains("this machine"),
            "{}",
            director.said()
        );
    }
}

#[test]
fn a_local_address_that_the_host_uses_itself_is_refused_until_it_does_not() {
    let segment = Segment::builder().backends(1).build().expect("a segment");
    let fields =
        "mode: fullnat, local_addresses: [10.0.0.2, 10.0.0.200], backends: [{address: 10.0.0.17}]";
    let director = start(&segment, &yaml(fields));
    assert_eq!(states(&director), ["unreachable"], "{}", director.said());
    director_says(&director, "come from 10.0.0.2, which is a local address");

    for line in [
        "address add 10.0.0.3/32 dev lb0",
        "route change 10.0.0.0/24 dev lb0 src 10.0.0.3",
    ] {
        segment.balancer.ip(line).expect("a route");
    }
    wait::until("the backend to be taken in", DEADLINE, || {
        Ok(states(&director) == ["up"])
    })
    .expect("it is taken in");
    segment
        .balancer
        .ip("route change 10.0.0.0/24 dev lb0 src 10.0.0.2")
        .expect("a route");
    wait::until("the backend to be left out", DEADLINE, || {
        Ok(states(&director) == ["unreachable"])
    })
    .expect("it is left out");
}

#[test]
fn sockets_on_a_local_address_and_missing_endpoints_are_warned_of() {
    let segment = Segment::builder().backends(1).build().expect("a segment");
    segment
        .balancer
        .ip("address add 10.0.0.200/32 dev lb0")
        .expect("an address");
    let _socket = segment
        .balancer
        .namespace
        .run(|| Ok(TcpListener::bind("10.0.0.200:6000")?))
        .expect("a socket");
    let service =
        yaml("mode: fullnat, local_addresses: [10.0.0.200], backends: [{address: 10.0.0.17}]");
    let decap = "decap: {endpoints: [10.0.0.2, 10.0.0.9], from: [10.0.0.0/24]}\n";
    let director = start(&segment, &format!("{decap}{service}"));
    director_says(&director, "local address 10.0.0.200, tcp port 6000");
    director_says(
        &director,
        "tunnels are to end at 10.0.0.9, which is no address",
    );
    assert!(!director.said().contains("end at 10.0.0.2,"));
    assert_eq!(states(&director), ["up"]);
}

#[test]
fn a_backend_with_a_mac_address_is_not_asked_for_it() {
    let segment = Segment::builder()
        .unplugged(0)
        .unplugged(1)
        .build()
        .expect("a segment");
    let fields = "backends: [{address: 10.0.0.17, vlan: 7}, \
                  {address: 10.0.0.18, vlan: [100, 7], mac: '02:00:0a:00:00:12'}]";
    let director = start(&segment, &yaml(fields));
    assert_eq!(
        states(&director),
        ["unreachable", "up"],
        "{}",
        director.said()
    );
    director_says(&director, "give the backend's `mac`");
    let neighbours = segment.balancer.ip("neighbour show").expect("neighbours");
    assert!(!neighbours.contains("10.0.0.18 "), "{neighbours}");
}

fn director_says(director: &Director, words: &str) {
    let said = director.said();
    assert!(said.contains(words), "no {words:?} in {said}");
}

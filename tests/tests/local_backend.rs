//! A balancer that is one of its own backends.

use std::net::{IpAddr, SocketAddr};
use std::ops::ControlFlow;

use lvs_tests::lab::{Director, Farm, HttpServer, Segment, VIP4, VIP6, config, http, verdict};

/// Two backends and the balancer itself, in turn, by direct routing: all listen on the VIP.
fn answers_too(vip: IpAddr) {
    let segment = Segment::builder().backends(2).build().expect("a segment");
    let farm = Farm::start(&segment.backends).expect("servers");
    let balancer = &segment.balancer;
    let own = HttpServer::start(&balancer.namespace, &balancer.name, Farm::HTTP).expect("a server");
    let service =
        Farm::web(&segment.backends, vip, &[1, 1]).backend(balancer.address(vip.into()), 1);
    let yaml = config::yaml(&[balancer.device], &[service]);
    let director = Director::start(&balancer.namespace, &yaml).expect("a director");

    let client = &segment.client.namespace;
    let web = SocketAddr::new(vip, Farm::HTTP);
    let tally = http::load(client, web, 3000, |_| ControlFlow::Continue(())).expect("a load");
    let stats = director.stats().expect("statistics");
    verdict::all_answered(&tally).expect("all answered");
    let service = stats.service("web").expect("the service");
    let hosts = segment.backends.iter().chain([balancer]);
    for (host, server) in hosts.zip(farm.http.iter().chain([&own])) {
        let backend = service
            .backend(host.address(vip.into()))
            .expect("a backend");
        assert_eq!(
            (backend.connections, tally.of(&host.name), server.requests()),
            (1000, 1000, 1000),
            "{}: {service:?}",
            host.name
        );
        // Its connections are seen to their end as those of others are.
        assert_eq!((backend.active, backend.inactive), (0, 1000), "{backend:?}");
    }
    assert!(stats.reason("local") > 4 * 1000, "{stats:?}");

    // In turn: one of three goes to the balancer itself.
    let answered: Vec<String> = (0..3)
        .map(|_| http::download(client, web, 10_000_000).expect("10 MB, identical"))
        .collect();
    assert!(answered.contains(&balancer.name), "{answered:?}");
}

#[test]
fn ipv4() {
    answers_too(VIP4.into());
}

#[test]
fn ipv6() {
    answers_too(VIP6.into());
}

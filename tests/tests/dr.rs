//! DR from client to backend and back, with real TCP and UDP, the same over IPv4 and IPv6.

use std::net::{IpAddr, SocketAddr};
use std::ops::ControlFlow;

use lvs_tests::lab::{Director, Farm, Segment, VIP4, VIP6, config, http, udp};

fn wrr_is_exact(vip: IpAddr) {
    let segment = Segment::builder().build().expect("a segment");
    let farm = Farm::start(&segment.backends).expect("servers");
    let yaml = config::yaml(&["lb0"], &[Farm::web(&segment.backends, vip, &[3, 2, 1])]);
    let director = Director::start(&segment.balancer.namespace, &yaml).expect("a director");

    let web = SocketAddr::new(vip, Farm::HTTP);
    let tally = http::load(&segment.client.namespace, web, 10_200, |_| {
        ControlFlow::Continue(())
    })
    .expect("a load");
    assert!(
        tally.failures.is_empty(),
        "{} failed: {:?}",
        tally.failures.len(),
        tally.failures.first()
    );

    let stats = director.stats().expect("statistics");
    let service = stats.service("web").expect("the service");
    assert_eq!(service.connections, 10_200, "{stats:?}");
    for ((host, server), expected) in segment
        .backends
        .iter()
        .zip(&farm.http)
        .zip([5100, 3400, 1700])
    {
        let backend = service
            .backend(host.address(vip.into()))
            .expect("a backend");
        assert_eq!(
            backend.connections, expected,
            "the balancer's count of {}: {service:?}",
            host.name
        );
        assert_eq!(
            tally.of(&host.name),
            expected,
            "the client's count of {}",
            host.name
        );
        assert_eq!(server.requests(), expected, "{}'s own count", host.name);
        // SYN, ACK, request, ACK or two, FIN: every connection is a few packets towards the backend.
        assert!(backend.packets >= 5 * expected, "{backend:?}");
        assert!(backend.bytes > backend.packets * 40, "{backend:?}");
        // The client closed every connection, so none is established any more.
        assert_eq!(
            (backend.active, backend.inactive),
            (0, expected),
            "{backend:?}"
        );
    }
}

fn a_big_download_is_identical(vip: IpAddr) {
    let segment = Segment::builder().build().expect("a segment");
    let _farm = Farm::start(&segment.backends).expect("servers");
    let yaml = config::yaml(
        &["lb0"],
        &[Farm::web(&segment.backends, vip, &[1, 1, 1]).scheduler("rr")],
    );
    let director = Director::start(&segment.balancer.namespace, &yaml).expect("a director");

    let web = SocketAddr::new(vip, Farm::HTTP);
    let backend =
        http::download(&segment.client.namespace, web, 100_000_000).expect("100 MB, identical");

    let stats = director.stats().expect("statistics");
    let service = stats.service("web").expect("the service");
    assert_eq!(service.connections, 1, "{service:?}");
    let host = segment
        .backends
        .iter()
        .find(|host| host.name == backend)
        .expect("one of ours");
    assert_eq!(
        service
            .backend(host.address(vip.into()))
            .expect("a backend")
            .connections,
        1,
        "{service:?}"
    );
    // DR: the 100 MB do not come through the balancer, only their acknowledgements go.
    assert!(service.bytes < 20_000_000, "{service:?}");
}

fn a_udp_port_stays_with_its_backend(vip: IpAddr) {
    let segment = Segment::builder().build().expect("a segment");
    let _farm = Farm::start(&segment.backends).expect("servers");
    let yaml = config::yaml(
        &["lb0"],
        &[Farm::echo(&segment.backends, vip, &[1, 1, 1]).scheduler("rr")],
    );
    let director = Director::start(&segment.balancer.namespace, &yaml).expect("a director");

    let echo = SocketAddr::new(vip, Farm::ECHO);
    let report = udp::echo(&segment.client.namespace, echo, 100, 100).expect("answers");
    assert_eq!((report.answered, report.ports.len()), (10_000, 100));
    assert!(
        report.unsteady().is_empty(),
        "answered by several: {:?}",
        report.unsteady()
    );
    // rr over 100 flows: 34, 33, 33.
    let per_backend = report.ports_per_backend();
    assert_eq!(per_backend.len(), 3, "{per_backend:?}");
    assert!(
        per_backend.values().all(|ports| (33..=34).contains(ports)),
        "{per_backend:?}"
    );

    let stats = director.stats().expect("statistics");
    let service = stats.service("echo").expect("the service");
    assert_eq!(service.connections, 100, "{service:?}");
    assert_eq!(
        service.packets,
        report.answered + report.resent,
        "{service:?}"
    );
    for host in &segment.backends {
        let backend = service
            .backend(host.address(vip.into()))
            .expect("a backend");
        assert_eq!(
            backend.connections,
            per_backend[host.name.as_str()] as u64,
            "{service:?}"
        );
    }
}

fn two_services_do_not_mix(vip: IpAddr) {
    let segment = Segment::builder().backends(2).build().expect("a segment");
    let _farm = Farm::start(&segment.backends).expect("servers");
    let services = [
        Farm::web(&segment.backends, vip, &[1, 0]),
        Farm::echo(&segment.backends, vip, &[0, 1]),
    ];
    let director = Director::start(
        &segment.balancer.namespace,
        &config::yaml(&["lb0"], &services),
    )
    .expect("a director");

    let client = &segment.client.namespace;
    let (web, echo) = (
        SocketAddr::new(vip, Farm::HTTP),
        SocketAddr::new(vip, Farm::ECHO),
    );
    let tally = http::load(client, web, 20, |_| ControlFlow::Continue(())).expect("a load");
    let report = udp::echo(client, echo, 20, 1).expect("answers");
    assert_eq!(
        tally.of(&segment.backends[0].name),
        20,
        "weight 0 takes nothing: {tally:?}"
    );
    assert_eq!(
        report
            .ports_per_backend()
            .get(segment.backends[1].name.as_str()),
        Some(&20),
        "{report:?}"
    );
    let stats = director.stats().expect("statistics");
    for name in ["web", "echo"] {
        assert_eq!(
            stats.service(name).expect("the service").connections,
            20,
            "{stats:?}"
        );
    }
}

mod ipv4 {
    use super::VIP4;

    #[test]
    fn wrr_is_exact() {
        super::wrr_is_exact(VIP4.into());
    }

    #[test]
    fn a_big_download_is_identical() {
        super::a_big_download_is_identical(VIP4.into());
    }

    #[test]
    fn a_udp_port_stays_with_its_backend() {
        super::a_udp_port_stays_with_its_backend(VIP4.into());
    }

    #[test]
    fn two_services_do_not_mix() {
        super::two_services_do_not_mix(VIP4.into());
    }
}

mod ipv6 {
    use super::VIP6;

    #[test]
    fn wrr_is_exact() {
        super::wrr_is_exact(VIP6.into());
    }

    #[test]
    fn a_big_download_is_identical() {
        super::a_big_download_is_identical(VIP6.into());
    }

    #[test]
    fn a_udp_port_stays_with_its_backend() {
        super::a_udp_port_stays_with_its_backend(VIP6.into());
    }

    #[test]
    fn two_services_do_not_mix() {
        super::two_services_do_not_mix(VIP6.into());
    }
}

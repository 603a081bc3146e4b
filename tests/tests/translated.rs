//! NAT and FULLNAT from client to backend and back, with real TCP and UDP, the same over IPv4 and IPv6.
//! Services have other ports than their backends.

use std::net::{IpAddr, SocketAddr};
use std::ops::ControlFlow;

use lvs_tests::lab::{Director, Farm, Host, Mode, Segment, VIP4, VIP6, config, http, udp};

fn address(host: &Host, vip: IpAddr) -> IpAddr {
    if vip.is_ipv4() {
        host.ipv4.into()
    } else {
        host.ipv6.into()
    }
}

fn segment(mode: Mode) -> Segment {
    let segment = Segment::builder().build().expect("a segment");
    mode.prepare(&segment).expect("routes and addresses");
    segment
}

fn service(
    mode: Mode,
    segment: &Segment,
    web: bool,
    vip: IpAddr,
    weights: &[u32],
) -> (config::Service, SocketAddr) {
    let (name, protocol, port) = if web {
        ("web", "tcp", Farm::HTTP)
    } else {
        ("echo", "udp", Farm::ECHO)
    };
    let vip = mode.service(vip, port);
    let backends = segment.backends.iter().zip(weights);
    let service = backends.fold(
        config::Service::new(name, protocol, vip),
        |service, (host, weight)| service.backend(address(host, vip.ip()), *weight),
    );
    (mode.configure(service, port), vip)
}

fn wrr_is_exact(mode: Mode, vip: IpAddr) {
    let segment = segment(mode);
    let farm = Farm::start(&segment).expect("servers");
    let (service, web) = service(mode, &segment, true, vip, &[3, 2, 1]);
    let yaml = config::yaml(&["lb0"], &[service]);
    let director = Director::start(&segment.balancer.namespace, &yaml).expect("a director");

    let client = &segment.client.namespace;
    let tally = http::load(client, web, 6000, |_| ControlFlow::Continue(())).expect("a load");
    assert!(
        tally.failures.is_empty(),
        "{} failed: {:?}\n{:?}",
        tally.failures.len(),
        tally.failures.first(),
        director.stats()
    );
    let stats = director.stats().expect("statistics");
    let service = stats.service("web").expect("the service");
    for ((host, server), expected) in segment
        .backends
        .iter()
        .zip(&farm.http)
        .zip([3000, 2000, 1000])
    {
        let backend = service.backend(address(host, vip)).expect("a backend");
        assert_eq!(backend.connections, expected, "{service:?}");
        assert_eq!(server.requests(), expected, "{}", host.name);
        assert_eq!(tally.of(&host.name), expected, "{}", host.name);
        // Both directions were seen to their end.
        assert_eq!(
            (backend.active, backend.inactive),
            (0, expected),
            "{backend:?}"
        );
        assert!(backend.packets_out >= 4 * expected, "{backend:?}");
    }
}

fn a_big_download_is_identical(mode: Mode, vip: IpAddr) {
    let segment = segment(mode);
    let _farm = Farm::start(&segment).expect("servers");
    let (service, web) = service(mode, &segment, true, vip, &[1, 1, 1]);
    let yaml = config::yaml(&["lb0"], &[service]);
    let director = Director::start(&segment.balancer.namespace, &yaml).expect("a director");
    http::download(&segment.client.namespace, web, 100_000_000).expect("100 MB, identical");
    let stats = director.stats().expect("statistics");
    let service = stats.service("web").expect("the service");
    assert_eq!(service.connections, 1, "{service:?}");
    // All of it came through the balancer.
    assert!(service.bytes_out > 100_000_000, "{service:?}");
}

fn datagrams_are_answered(mode: Mode, vip: IpAddr) {
    let segment = segment(mode);
    let _farm = Farm::start(&segment).expect("servers");
    let (service, echo) = service(mode, &segment, false, vip, &[1, 1, 1]);
    let yaml = config::yaml(&["lb0"], &[service.scheduler("rr")]);
    let _director = Director::start(&segment.balancer.namespace, &yaml).expect("a director");
    let report = udp::echo(&segment.client.namespace, echo, 100, 100).expect("answers");
    assert_eq!((report.answered, report.ports.len()), (10_000, 100));
    assert!(report.unsteady().is_empty(), "{:?}", report.unsteady());
    let per_backend = report.ports_per_backend();
    assert!(
        per_backend.len() == 3 && per_backend.values().all(|ports| (33..=34).contains(ports)),
        "{per_backend:?}"
    );
}

macro_rules! scenarios {
    ($($name:ident: $mode:ident, $vip:ident;)+) => {
        $(mod $name {
            use super::{Mode, $vip};

            #[test]
            fn wrr_is_exact() {
                super::wrr_is_exact(Mode::$mode, $vip.into());
            }

            #[test]
            fn a_big_download_is_identical() {
                super::a_big_download_is_identical(Mode::$mode, $vip.into());
            }

            #[test]
            fn datagrams_are_answered() {
                super::datagrams_are_answered(Mode::$mode, $vip.into());
            }
        })+
    };
}

scenarios! {
    nat_ipv4: Nat, VIP4;
    nat_ipv6: Nat, VIP6;
    fullnat_ipv4: FullNat, VIP4;
    fullnat_ipv6: FullNat, VIP6;
}

//! NAT and FULLNAT from client to backend and back, with real TCP and UDP, the same over IPv4 and IPv6, and
//! FULLNAT between them. Services have other ports than their backends.
//!
//! All are on one Ethernet segment. FULLNAT's client is on the network of the backends too, NAT's on another
//! one, without or with a router between.

use std::net::{IpAddr, SocketAddr};
use std::ops::ControlFlow;

use lvs_common::Family;
use lvs_tests::lab::{
    Director, Farm, Mode, Outside, Segment, Trial, VIP4, VIP6, config, http, udp,
};

fn segment(mode: Mode) -> Segment {
    let segment = Segment::builder().build().expect("a segment");
    mode.prepare(&segment).expect("routes and addresses");
    segment
}

fn service(
    mode: Mode,
    segment: &Segment,
    web: bool,
    (vip, family): (IpAddr, Family),
    weights: &[u32],
) -> (config::Service, SocketAddr) {
    let (name, protocol, port) = if web {
        ("web", "tcp", Farm::HTTP)
    } else {
        ("echo", "udp", Farm::ECHO)
    };
    let vip = mode.service(vip, port);
    let service =
        config::Service::new(name, protocol, vip).hosts(&segment.backends, family, weights);
    (mode.configure(service, port, &segment.network), vip)
}

fn wrr_is_exact(mode: Mode, vip: IpAddr, family: Family) {
    let segment = segment(mode);
    let farm = Farm::start(&segment.backends).expect("servers");
    let (service, web) = service(mode, &segment, true, (vip, family), &[3, 2, 1]);
    let yaml = config::yaml(&["lb0"], &[service]);
    let director = Director::start(&segment.balancer.namespace, &yaml).expect("a director");

    let client = &segment.client.namespace;
    let tally = http::load(client, web, 10_200, |_| ControlFlow::Continue(())).expect("a load");
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
        .zip([5100, 3400, 1700])
    {
        let backend = service.backend(host.address(family)).expect("a backend");
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

fn big_files_are_identical(mode: Mode, vip: IpAddr, family: Family) {
    let segment = segment(mode);
    let _farm = Farm::start(&segment.backends).expect("servers");
    let (service, web) = service(mode, &segment, true, (vip, family), &[1, 1, 1]);
    let yaml = config::yaml(&["lb0"], &[service]);
    let director = Director::start(&segment.balancer.namespace, &yaml).expect("a director");
    http::download(&segment.client.namespace, web, 100_000_000).expect("100 MB, identical");
    http::upload(&segment.client.namespace, web, 100_000_000).expect("100 MB, identical");
    let stats = director.stats().expect("statistics");
    let service = stats.service("web").expect("the service");
    assert_eq!(service.connections, 2, "{service:?}");
    // All of it came through the balancer.
    assert!(service.bytes_out > 100_000_000, "{service:?}");
    assert!(service.bytes > 100_000_000, "{service:?}");
}

fn datagrams_are_answered(mode: Mode, vip: IpAddr, family: Family) {
    let segment = segment(mode);
    let _farm = Farm::start(&segment.backends).expect("servers");
    let (service, echo) = service(mode, &segment, false, (vip, family), &[1, 1, 1]);
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

/// The client is on a network of its own, from which a router leads to the segment.
fn a_client_beyond_a_router_is_served(vip: IpAddr) {
    let segment = Segment::builder().build().expect("a segment");
    let outside = Outside::beyond(&segment.network, 1).expect("another network");
    let balancer = &segment.balancer;
    balancer
        .route_by(outside.router.ipv4, outside.router.ipv6)
        .expect("a default route");
    for backend in &segment.backends {
        backend
            .route_by(balancer.ipv4, balancer.ipv6)
            .expect("a default route");
    }
    let trial = Trial {
        mode: Mode::Nat,
        vip,
        family: vip.into(),
        client: &outside.client,
        balancer,
        interfaces: &["lb0"],
        backends: &segment.backends,
        network: &segment.network,
    };
    let stats = trial.run().expect("all answered");
    let service = stats.service("web").expect("the service");
    assert!(service.bytes_out > 100_000_000, "{service:?}");
}

macro_rules! scenarios {
    ($($name:ident: $mode:ident, $vip:ident, $family:ident;)+) => {
        $(mod $name {
            use super::{Family, Mode, $vip};

            #[test]
            fn wrr_is_exact() {
                super::wrr_is_exact(Mode::$mode, $vip.into(), Family::$family);
            }

            #[test]
            fn big_files_are_identical() {
                super::big_files_are_identical(Mode::$mode, $vip.into(), Family::$family);
            }

            #[test]
            fn datagrams_are_answered() {
                super::datagrams_are_answered(Mode::$mode, $vip.into(), Family::$family);
            }
        })+
    };
}

scenarios! {
    nat_ipv4: Nat, VIP4, Ipv4;
    nat_ipv6: Nat, VIP6, Ipv6;
    fullnat_ipv4: FullNat, VIP4, Ipv4;
    fullnat_ipv6: FullNat, VIP6, Ipv6;
    fullnat_ipv6_to_ipv4: FullNat, VIP6, Ipv4;
}

mod nat_beyond_a_router {
    use super::{VIP4, VIP6};

    #[test]
    fn ipv4() {
        super::a_client_beyond_a_router_is_served(VIP4.into());
    }

    #[test]
    fn ipv6() {
        super::a_client_beyond_a_router_is_served(VIP6.into());
    }
}

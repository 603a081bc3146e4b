//! FULLNAT between families: clients of one, backends of the other, with real connections.

use std::net::{IpAddr, SocketAddr};
use std::ops::ControlFlow;

use lvs_tests::lab::{Director, Farm, Segment, VIP4, VIP6, config, http};

/// Clients of `vip` reach backends of the other family, from `local`.
fn reaches_all(vip: IpAddr, local: IpAddr) {
    let segment = Segment::builder().build().expect("a segment");
    let _farm = Farm::start(&segment.backends).expect("servers");
    // Of IPv6, deprecated: the machine's own connections do not come from it.
    let (bits, mark) = if local.is_ipv6() {
        (128, "nodad preferred_lft 0")
    } else {
        (32, "")
    };
    segment
        .balancer
        .ip(&format!("address add {local}/{bits} dev lb0 {mark}"))
        .expect("a local address");
    let web = SocketAddr::new(vip, Farm::HTTP);
    let service = config::Service::new("web", "tcp", web)
        .mode("fullnat")
        .local_address(local);
    let service = segment.backends.iter().fold(service, |service, host| {
        let address: IpAddr = if local.is_ipv6() {
            host.ipv6.into()
        } else {
            host.ipv4.into()
        };
        service.backend(address, 1)
    });
    let yaml = config::yaml(&["lb0"], &[service]);
    let director = Director::start(&segment.balancer.namespace, &yaml).expect("a director");

    let tally = http::load(&segment.client.namespace, web, 300, |_| {
        ControlFlow::Continue(())
    })
    .expect("a load");
    assert_eq!(tally.failures, Vec::<String>::new(), "{}", director.said());
    for host in &segment.backends {
        assert_eq!(tally.of(&host.name), 100, "{}", host.name);
    }
    // A flow's entry is in one family's table, that of its answers in the other's.
    let both = "1048576 entries for IPv4, 1048576 for IPv6";
    assert!(director.said().contains(both), "{}", director.said());
}

#[test]
fn ipv6_clients_reach_ipv4_backends() {
    reaches_all(VIP6.into(), "10.0.0.200".parse().expect("an address"));
}

#[test]
fn ipv4_clients_reach_ipv6_backends() {
    reaches_all(VIP4.into(), "fd00::200".parse().expect("an address"));
}

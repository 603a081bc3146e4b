//! `lvs-ctl decap` on backends, with real connections: what it takes out of tunnels, refuses, and says.

use std::net::{IpAddr, SocketAddr};
use std::ops::ControlFlow;

use lvs_tests::lab::{Decapsulator, Director, Farm, Segment, VIP4, VIP6, http, verdict};

/// A configuration with one service in mode `tun`, whose other fields are given.
fn yaml(web: SocketAddr, fields: &str) -> String {
    format!(
        "interfaces: [lb0]\nservices:\n- {{name: web, address: '{web}', mode: tun, {fields}}}\n"
    )
}

/// Tunnels come from this prefix, each flow's from an address of its own.
fn from_a_prefix(vip: IpAddr, prefix: &str) {
    let segment = Segment::builder().build().expect("a segment");
    let _farm = Farm::start(&segment.backends).expect("servers");
    let web = SocketAddr::new(vip, Farm::HTTP);
    let addresses = segment.backends.iter().map(|host| host.address(vip.into()));
    let from = [prefix.to_owned()];
    let ends: Vec<_> = segment
        .backends
        .iter()
        .zip(addresses.clone())
        .map(|(host, address)| Decapsulator::of(host, &[address], &from).expect("lvs-ctl decap"))
        .collect();
    let backends: Vec<_> = addresses.map(|ip| format!("{{address: '{ip}'}}")).collect();
    let fields = format!(
        "scheduler: rr, tunnel_source: '{prefix}', backends: [{}]",
        backends.join(", ")
    );
    let director = Director::start(&segment.balancer.namespace, &yaml(web, &fields));
    let director = director.expect("a director");
    let client = &segment.client.namespace;
    let tally = http::load(client, web, 300, |_| ControlFlow::Continue(())).expect("a load");
    verdict::all_answered(&tally).expect("all answered");
    for (end, host) in ends.into_iter().zip(&segment.backends) {
        assert_eq!(tally.of(&host.name), 100, "{}", director.said());
        assert!(!end.said().contains("no address"), "{}", end.said());
        let said = end.stop().expect("it ends");
        assert!(said.contains("taken out of tunnels, 0 refused"), "{said}");
        assert!(!said.contains("\n0 packets"), "{said}");
        assert!(!host.has_xdp(host.device).expect("the device"));
    }
}

#[test]
fn sources_may_vary_within_a_prefix() {
    from_a_prefix(VIP4.into(), "172.16.0.0/16");
    from_a_prefix(VIP6.into(), "fd00:1::/96");
}

#[test]
fn a_tunnel_from_elsewhere_is_refused_and_counted() {
    let segment = Segment::builder().backends(1).build().expect("a segment");
    let _farm = Farm::start(&segment.backends).expect("servers");
    let backend = &segment.backends[0];
    let end = Decapsulator::of(backend, &[backend.ipv4.into()], &["10.9.9.9".to_owned()]);
    let end = end.expect("lvs-ctl decap");
    let web = SocketAddr::new(VIP4.into(), Farm::HTTP);
    let fields = format!("backends: [{{address: {}}}]", backend.ipv4);
    let _director = Director::start(&segment.balancer.namespace, &yaml(web, &fields));
    assert!(http::get(&segment.client.namespace, web).is_err());
    let said = end.stop().expect("it ends");
    assert!(said.contains("0 packets taken out"), "{said}");
    assert!(said.contains("refused: tunnel-source"), "{said}");
}

#[test]
fn a_backend_is_told_what_it_lacks() {
    let segment = Segment::builder().backends(1).build().expect("a segment");
    let backend = &segment.backends[0];
    for line in ["address flush dev lo", "address add 127.0.0.1/8 dev lo"] {
        backend.ip(line).expect("lo");
    }
    let strict = || {
        std::fs::write("/proc/sys/net/ipv4/conf/eth0/rp_filter", "1")?;
        Ok(())
    };
    backend.namespace.run(strict).expect("a setting");
    let elsewhere = ["10.0.0.99".parse().expect("an address")];
    let end = Decapsulator::of(backend, &elsewhere, &["10.0.0.2".to_owned()]);
    let said = end.expect("lvs-ctl decap").stop().expect("it ends");
    for words in [
        "10.0.0.99, which is no address of this machine",
        "ip address add VIP/32 dev lo",
        "sysctl -w net.ipv4.conf.eth0.rp_filter=2",
    ] {
        assert!(said.contains(words), "no {words:?} in {said}");
    }
}

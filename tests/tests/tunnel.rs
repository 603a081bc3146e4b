//! TUN from client to backend and back, with real TCP and UDP, packets and tunnels of either family. On every
//! backend `lvs-ctl decap` takes packets out.

use std::net::IpAddr;

use lvs_common::Family;
use lvs_tests::lab::{Mode, Segment, Trial, VIP4, VIP6};

fn passes(vip: IpAddr, family: Family) {
    let segment = Segment::builder().build().expect("a segment");
    let _tunnels = Mode::Tun.prepare(&segment).expect("ends of tunnels");
    let trial = Trial {
        mode: Mode::Tun,
        vip,
        family,
        client: &segment.client,
        balancer: &segment.balancer,
        interfaces: &["lb0"],
        backends: &segment.backends,
        network: &segment.network,
    };
    let stats = trial.run().expect("all answered");
    // Answers go to the client directly.
    let service = stats.service("web").expect("the service");
    assert_eq!(service.bytes_out, 0, "{service:?}");
}

#[test]
fn ipv4_in_ipv4() {
    passes(VIP4.into(), Family::Ipv4);
}

#[test]
fn ipv6_in_ipv6() {
    passes(VIP6.into(), Family::Ipv6);
}

#[test]
fn ipv4_in_ipv6() {
    passes(VIP4.into(), Family::Ipv6);
}

#[test]
fn ipv6_in_ipv4() {
    passes(VIP6.into(), Family::Ipv4);
}

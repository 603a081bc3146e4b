//! A balancer between the network of the clients and that of the backends, an interface in each, with real
//! TCP and UDP, the same over IPv4 and IPv6.
//!
//! ```text
//!   client ---+                                        +--- backend-1.17
//!             +--- 10.0.0.2 lb0 balancer lb1 10.0.1.2 -+--- backend-1.18
//!   (router)--+                                        +--- backend-1.19
//!       |                                              |
//!       +----------------------------------------------+   for DR
//! ```

use std::net::IpAddr;

use lvs_tests::lab::stats::Stats;
use lvs_tests::lab::{Inside, Mode, Segment, Trial, VIP4, VIP6};

/// Clients on network 0, whose VIPs the balancer has on lb0, and backends on network 1.
fn pass(mode: Mode, vip: IpAddr) -> Stats {
    let segment = Segment::builder().backends(0).build().expect("a segment");
    let inside = Inside::behind(&segment.balancer, 1, 3).expect("another network");
    let _router = match mode {
        Mode::Nat => inside.answer_by_balancer().map(|()| None),
        Mode::FullNat => inside.add_locals(&segment.balancer).map(|()| None),
        Mode::Dr => inside.answer_by_router(&segment.network).map(Some),
        Mode::Tun => unreachable!("tunnels do not mind where a backend is"),
    }
    .expect("a way back");
    let trial = Trial {
        mode,
        vip,
        family: vip.into(),
        client: &segment.client,
        balancer: &segment.balancer,
        interfaces: &["lb0", "lb1"],
        backends: &inside.backends,
        network: &inside.network,
    };
    let stats = trial.run().expect("all answered");
    // Nothing goes out by where it came in.
    assert_eq!(stats.reason("sent"), 0, "{stats:?}");
    stats
}

/// The whole of a download came back through the balancer.
fn passes_both_ways(mode: Mode, vip: IpAddr) {
    let stats = pass(mode, vip);
    let service = stats.service("web").expect("the service");
    assert!(service.bytes_out > 100_000_000, "{service:?}");
}

/// Of a download the acknowledgements went through the balancer, the rest by the router.
fn passes_one_way(vip: IpAddr) {
    let stats = pass(Mode::Dr, vip);
    let service = stats.service("web").expect("the service");
    assert_eq!(service.bytes_out, 0, "{service:?}");
}

mod ipv4 {
    use super::{Mode, VIP4};

    #[test]
    fn nat() {
        super::passes_both_ways(Mode::Nat, VIP4.into());
    }

    #[test]
    fn fullnat() {
        super::passes_both_ways(Mode::FullNat, VIP4.into());
    }

    #[test]
    fn dr() {
        super::passes_one_way(VIP4.into());
    }
}

mod ipv6 {
    use super::{Mode, VIP6};

    #[test]
    fn nat() {
        super::passes_both_ways(Mode::Nat, VIP6.into());
    }

    #[test]
    fn fullnat() {
        super::passes_both_ways(Mode::FullNat, VIP6.into());
    }

    #[test]
    fn dr() {
        super::passes_one_way(VIP6.into());
    }
}

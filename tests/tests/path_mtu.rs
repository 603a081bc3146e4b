//! Path MTU discovery through the balancer: a link that carries less than the others, on the client's side and
//! on the backend's. Both ends send full-sized segments until a router complains, and the complaint has to
//! find its way.
//!
//! ```text
//!   client --- 1400 --- router ---+--- balancer ---+--- backends
//!   client ---+--- balancer ---+--- router --- 1400 --- backend
//! ```

use std::net::IpAddr;
use std::slice;

use lvs_tests::lab::config::Service;
use lvs_tests::lab::{
    Decapsulator, Director, Farm, Host, Mode, Outside, Segment, VIP4, VIP6, config, http,
};

const MTU: u32 = 1400;
const BYTES: u64 = 1_000_000;

/// A megabyte each way between a client and one of these backends.
fn exchange(mode: Mode, vip: IpAddr, segment: &Segment, client: &Host, backends: &[Host]) {
    let _farm = Farm::start(backends).expect("servers");
    let web = mode.service(vip, Farm::HTTP);
    let service = Service::new("web", "tcp", web).hosts(backends, vip.into(), &[1]);
    let service = mode.configure(service, Farm::HTTP, &segment.network);
    let yaml = config::yaml(&[segment.balancer.device], &[service]);
    let director = Director::start(&segment.balancer.namespace, &yaml).expect("a director");
    let seen = |what: &str, done: anyhow::Result<String>| {
        let stats = director.stats().map(|stats| format!("{stats:?}"));
        assert!(done.is_ok(), "{what}: {done:?}\n{stats:?}");
    };
    let client = &client.namespace;
    seen("download", http::download(client, web, BYTES));
    seen("upload", http::upload(client, web, BYTES));
}

/// The narrow link is the client's.
fn before_the_client(mode: Mode, vip: IpAddr) {
    let segment = Segment::builder().backends(1).build().expect("a segment");
    let outside = Outside::beyond(&segment.network, 1).expect("a client behind a router");
    outside.narrow(MTU).expect("a narrow link");
    let ends = if mode == Mode::FullNat || mode == Mode::Tun {
        mode.prepare(&segment).expect("what the mode needs")
    } else {
        Vec::new()
    };
    let router = &outside.router;
    let balancer = &segment.balancer;
    balancer
        .route_by(router.ipv4, router.ipv6)
        .expect("a route");
    let (via4, via6) = match mode {
        Mode::Nat => (balancer.ipv4, balancer.ipv6),
        Mode::Dr | Mode::Tun | Mode::FullNat => (router.ipv4, router.ipv6),
    };
    segment.backends[0].route_by(via4, via6).expect("a route");
    exchange(mode, vip, &segment, &outside.client, &segment.backends);
    drop(ends);
}

/// The narrow link is the backend's, so the mode is one that takes packets over routers.
fn before_the_backend(mode: Mode, vip: IpAddr) {
    let segment = Segment::builder().backends(0).build().expect("a segment");
    let outside = Outside::beyond(&segment.network, 1).expect("a backend behind a router");
    outside.narrow(MTU).expect("a narrow link");
    let (router, backend) = (&outside.router, &outside.client);
    let balancer = &segment.balancer;
    balancer
        .route_by(router.ipv4, router.ipv6)
        .expect("a route");
    for vip in [VIP4.into(), VIP6.into()] {
        let length = if IpAddr::is_ipv4(&vip) { 32 } else { 128 };
        backend.add_address("lo", vip, length).expect("a VIP");
    }
    let mut end = None;
    match mode {
        Mode::Tun => {
            let from = [balancer.ipv4.into(), balancer.ipv6.into()];
            end = Some(Decapsulator::start(backend, &from).expect("lvs-ctl decap"));
        }
        // The router is what backends otherwise are: who sends answers by the balancer.
        Mode::Nat => {
            mode.prepare(&segment).expect("what the mode needs");
            for (client, via) in [
                ("192.0.2.100/32", balancer.ipv4.to_string()),
                ("2001:db8::100/128", balancer.ipv6.to_string()),
            ] {
                let route = format!("route add {client} via {via}");
                router.ip(&route).expect("a route");
            }
        }
        Mode::Dr | Mode::FullNat => {
            mode.prepare(&segment).expect("what the mode needs");
        }
    }
    exchange(
        mode,
        vip,
        &segment,
        &segment.client,
        slice::from_ref(backend),
    );
    drop(end);
}

macro_rules! each {
    ($($name:ident: $side:ident($mode:ident);)+) => {
        $(mod $name {
            use super::{Mode, VIP4, VIP6};

            #[test]
            fn ipv4() {
                super::$side(Mode::$mode, VIP4.into());
            }

            #[test]
            fn ipv6() {
                super::$side(Mode::$mode, VIP6.into());
            }
        })+
    };
}

each! {
    nat_before_the_client: before_the_client(Nat);
    dr_before_the_client: before_the_client(Dr);
    tun_before_the_client: before_the_client(Tun);
    fullnat_before_the_client: before_the_client(FullNat);
    nat_before_the_backend: before_the_backend(Nat);
    tun_before_the_backend: before_the_backend(Tun);
    fullnat_before_the_backend: before_the_backend(FullNat);
}

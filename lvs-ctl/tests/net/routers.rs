//! Routers of the kernel's routes: that they are asked for and kept, and let go.

use std::{
    net::IpAddr,
    time::{Duration, Instant},
};

use lvs_ctl::net::{self, Resolver};

use super::{
    address, at, becomes,
    lab::{PATIENCE, THEIRS, ip, lab},
    settled,
};

/// A resolver of backends that keeps the routers behind `lb0` as well.
async fn keeper(backends: &[&str]) -> Resolver {
    let lb0 = net::link_by_name(&net::connect().unwrap(), "lb0").await;
    let mut resolver = super::resolver(backends).await;
    resolver.keep_routers([lb0.unwrap().index]).unwrap();
    resolver
}

fn entry(text: &str) -> String {
    ip(&format!("-d neighbour show to {text}"))
}

/// Whether the kernel keeps the entry, and has an answer.
fn is_known(text: &str) -> bool {
    let entry = entry(text);
    entry.contains("managed") && entry.contains("02:00:00:00:00:17")
}

/// Has the resolver go on until it has come to that.
async fn until(resolver: &mut Resolver, what: &str, is_so: impl Fn() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(
            start.elapsed() < PATIENCE,
            "{what}: {}",
            ip("-d neighbour show")
        );
        let step = tokio::time::timeout(Duration::from_millis(20), resolver.changed()).await;
        if let Ok(changes) = step {
            changes.unwrap();
        }
    }
}

#[test]
fn routers_of_every_route_are_kept() {
    lab(async |peer| {
        for host in 18..=21 {
            peer.run(move || {
                ip(&format!("address add 10.0.0.{host}/24 dev host0"));
                ip(&format!("address add fd00::{host}/64 dev host0 nodad"));
            });
        }
        ip("route add default via 10.0.0.17");
        ip("route add 10.8.0.0/16 nexthop via 10.0.0.18 dev lb0 nexthop via 10.0.0.19 dev lb0");
        ip("route add 10.9.0.0/16 via 10.0.0.20 table 100");
        ip("nexthop add id 7 via 10.0.0.21 dev lb0");
        ip("route add 10.12.0.0/16 nhid 7");
        ip("route add fd08::/64 nexthop via fd00::18 nexthop via fd00::19");
        ip("route add fd09::/64 via fd00::20 table 100");
        ip("route add 10.10.0.0/16 via inet6 fd00::17 dev lb0");
        // By an interface that the data plane is not on.
        ip("link add other0 type veth peer name other1");
        ip("link set other1 up");
        ip("address add 10.7.0.29/24 dev other0");
        ip("link set other0 up");
        ip("route add 10.11.0.0/16 via 10.7.0.1");

        let mut resolver = keeper(&[]).await;
        assert_eq!(settled(&mut resolver).await, [], "nothing is told");
        let v4 = (17..=21).map(|host| format!("10.0.0.{host}"));
        let v6 = (17..=20).map(|host| format!("fd00::{host}"));
        let routers: Vec<_> = v4.chain(v6).collect();
        for text in &routers {
            assert!(is_known(text), "{text}: {:?}", entry(text));
        }
        assert_eq!(entry("10.7.0.1"), "");

        resolver.release().await.unwrap();
        for text in routers {
            assert_eq!(entry(&text), "", "{text} was made here");
        }
    });
}

#[test]
fn routes_that_come_and_go_are_followed() {
    lab(async |peer| {
        peer.ip("address add 10.0.0.18/24 dev host0");
        let mut resolver = keeper(&["10.0.0.17"]).await;
        let backend = [("10.0.0.17".to_owned(), at("10.0.0.17", THEIRS))];
        assert_eq!(settled(&mut resolver).await, backend);
        assert_eq!(entry("10.0.0.18"), "");

        ip("route add default via 10.0.0.18");
        until(&mut resolver, "a new router", || is_known("10.0.0.18")).await;
        ip("route add fd08::/64 via fd00::17");
        until(&mut resolver, "one of IPv6", || is_known("fd00::17")).await;

        // A backend that is a router, too, is still a backend when it is a router no more.
        ip("route replace default via 10.0.0.17");
        until(&mut resolver, "a router less", || {
            entry("10.0.0.18").is_empty()
        })
        .await;
        ip("route del default");
        ip("route del fd08::/64");
        until(&mut resolver, "no router", || entry("fd00::17").is_empty()).await;
        assert!(is_known("10.0.0.17"), "{:?}", entry("10.0.0.17"));

        // And the other way round.
        ip("route add default via 10.0.0.17");
        resolver.watch(std::iter::empty::<IpAddr>()).await.unwrap();
        until(&mut resolver, "a router again", || is_known("10.0.0.17")).await;
        resolver.release().await.unwrap();
        assert_eq!(entry("10.0.0.17"), "");
    });
}

#[test]
fn a_silent_router_holds_nothing_up_for_long_and_is_asked_again() {
    lab(async |peer| {
        ip("route add default via 10.0.0.18");
        let mut resolver = keeper(&["10.0.0.17"]).await;
        let start = Instant::now();
        let backend = [("10.0.0.17".to_owned(), at("10.0.0.17", THEIRS))];
        assert_eq!(settled(&mut resolver).await, backend, "told as ever");
        assert!(start.elapsed() < Duration::from_secs(3), "settling ends");
        assert!(entry("10.0.0.18").contains("managed"), "it is asked");

        peer.ip("address add 10.0.0.18/24 dev host0");
        until(&mut resolver, "it is there", || is_known("10.0.0.18")).await;

        // With its interface it goes, and comes again.
        ip("link set lb0 down");
        until(&mut resolver, "no interface", || !is_known("10.0.0.18")).await;
        ip("link set lb0 up");
        ip("route replace default via 10.0.0.18");
        until(&mut resolver, "it is back", || is_known("10.0.0.18")).await;
        let backend = address("10.0.0.17");
        if resolver.resolutions().get(&backend.into()) != Some(&at("10.0.0.17", THEIRS)) {
            becomes(&mut resolver, "10.0.0.17", at("10.0.0.17", THEIRS)).await;
        }
        resolver.release().await.unwrap();
    });
}

#[test]
fn entries_that_were_there_are_left_as_they_were() {
    lab(async |_peer| {
        ip("route add default via 10.0.0.18");
        ip("route add 10.8.0.0/16 via 10.0.0.19");
        ip("neighbour add 10.0.0.18 lladdr 02:00:00:00:00:18 dev lb0 nud stale");
        ip("neighbour add 10.0.0.19 lladdr 02:00:00:00:00:19 dev lb0 nud permanent");
        let mut resolver = keeper(&[]).await;
        settled(&mut resolver).await;
        assert!(
            entry("10.0.0.18").contains("managed"),
            "{:?}",
            entry("10.0.0.18")
        );
        resolver.release().await.unwrap();
        let before = entry("10.0.0.18");
        assert!(
            !before.is_empty() && !before.contains("managed"),
            "{before:?}"
        );
        assert!(
            entry("10.0.0.19").contains("PERMANENT"),
            "{:?}",
            entry("10.0.0.19")
        );
    });
}

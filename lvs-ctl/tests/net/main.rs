//! The resolver against a real kernel: two network namespaces, a veth pair between them, and what
//! happens to it.
//!
//! Needs root. Each test has namespaces of its own, without names, that end with its threads.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod addresses;
mod lab;
mod routers;

use std::{
    net::IpAddr,
    time::{Duration, Instant},
};

use lvs_ctl::net::{self, Cause, NetError, NextHop, Resolution, Resolver};

use self::lab::{OURS, PATIENCE, THEIRS, ip, lab, sysctl};

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// The resolution of a host on the link, whose address is of the same family as `text`.
fn at(text: &str, mac: [u8; 6]) -> Resolution {
    let ours = if text.contains(':') {
        "fd00::29"
    } else {
        "10.0.0.29"
    };
    Resolution::Resolved(NextHop {
        ifindex: ip("-o link show lb0")
            .split(':')
            .next()
            .unwrap()
            .parse()
            .unwrap(),
        interface: "lb0".to_owned(),
        source_mac: OURS,
        destination_mac: mac,
        mtu: 1500,
        gateway: None,
        source: Some(address(ours)),
    })
}

/// What is known of an address.
fn known(resolver: &Resolver, text: &str) -> Option<Resolution> {
    resolver.resolutions().get(&address(text).into()).cloned()
}

fn silent(via: &str) -> Resolution {
    Resolution::Unresolved(Cause::NoNeighbour {
        interface: "lb0".to_owned(),
        via: address(via),
    })
}

async fn resolver(addresses: &[&str]) -> Resolver {
    Resolver::new(addresses.iter().map(|text| address(text)))
        .await
        .unwrap()
}

/// The state of each address after the grace period.
async fn settled(resolver: &mut Resolver) -> Vec<(String, Resolution)> {
    let changes = resolver.settle(Duration::from_secs(1)).await.unwrap();
    changes
        .into_iter()
        .map(|change| (change.target.address.to_string(), change.resolution))
        .collect()
}

/// Waits for the change of one address to this resolution. Each report must be news.
async fn becomes(resolver: &mut Resolver, text: &str, expected: Resolution) {
    let waiting = async {
        let mut before = known(resolver, text);
        loop {
            for change in resolver.changed().await.unwrap() {
                if change.target == address(text).into() {
                    assert_ne!(Some(&change.resolution), before.as_ref(), "reported twice");
                    if change.resolution == expected {
                        return;
                    }
                    before = Some(change.resolution);
                }
            }
        }
    };
    let outcome = tokio::time::timeout(PATIENCE, waiting).await;
    assert!(
        outcome.is_ok(),
        "{text} did not become {expected:?}, but is {:?}",
        resolver.resolutions()
    );
}

#[test]
fn hosts_own_addresses_and_no_route() {
    lab(async |_peer| {
        let mut resolver = resolver(&[
            "10.0.0.17",
            "10.0.0.29",
            "10.9.9.9",
            "fd00::17",
            "fd00::29",
            "fd99::9",
        ])
        .await;
        let local = || Resolution::Local {
            interface: "lb0".to_owned(),
        };
        let none = || Resolution::Unresolved(Cause::NoRoute);
        let expected = [
            ("10.0.0.17", at("10.0.0.17", THEIRS)),
            ("10.0.0.29", local()),
            ("10.9.9.9", none()),
            ("fd00::17", at("fd00::17", THEIRS)),
            ("fd00::29", local()),
            ("fd99::9", none()),
        ];
        let expected: Vec<_> = expected
            .into_iter()
            .map(|(address, is)| (address.to_owned(), is))
            .collect();
        assert_eq!(settled(&mut resolver).await, expected);
        resolver.release().await.unwrap();
    });
}

#[test]
fn a_host_that_comes_and_goes() {
    lab(async |peer| {
        let mut resolver = resolver(&["10.0.0.18", "fd00::18"]).await;
        let start = Instant::now();
        let first = settled(&mut resolver).await;
        assert!(start.elapsed() < Duration::from_secs(3), "settling ends");
        assert_eq!(
            first,
            [
                ("10.0.0.18".to_owned(), silent("10.0.0.18")),
                ("fd00::18".to_owned(), silent("fd00::18"))
            ]
        );

        peer.ip("address add 10.0.0.18/24 dev host0");
        becomes(&mut resolver, "10.0.0.18", at("10.0.0.18", THEIRS)).await;
        peer.ip("address add fd00::18/64 dev host0 nodad");
        becomes(&mut resolver, "fd00::18", at("fd00::18", THEIRS)).await;

        // The kernel would find out by itself, but only after half a minute.
        peer.ip("address del 10.0.0.18/24 dev host0");
        ip("neighbour del 10.0.0.18 dev lb0");
        becomes(&mut resolver, "10.0.0.18", silent("10.0.0.18")).await;
        resolver.release().await.unwrap();
    });
}

#[test]
fn nothing_is_reported_while_nothing_changes() {
    lab(async |_peer| {
        // Through all states of a neighbour within a second.
        sysctl("ipv4/neigh/lb0/base_reachable_time_ms", "200");
        sysctl("ipv4/neigh/lb0/delay_first_probe_time", "0");
        let mut resolver = resolver(&["10.0.0.17"]).await;
        assert_eq!(
            settled(&mut resolver).await,
            [("10.0.0.17".to_owned(), at("10.0.0.17", THEIRS))]
        );
        let more = tokio::time::timeout(Duration::from_secs(3), resolver.changed()).await;
        assert!(more.is_err(), "{more:?}");
        resolver.release().await.unwrap();
    });
}

#[test]
fn a_link_that_goes_down() {
    lab(async |peer| {
        let mut resolver = resolver(&["10.0.0.17", "fd00::17"]).await;
        settled(&mut resolver).await;

        let down = |up| {
            Resolution::Unresolved(Cause::LinkDown {
                interface: "lb0".to_owned(),
                up,
            })
        };
        peer.ip("link set host0 down");
        becomes(&mut resolver, "10.0.0.17", down(true)).await;
        peer.ip("link set host0 up");
        becomes(&mut resolver, "10.0.0.17", at("10.0.0.17", THEIRS)).await;

        ip("link set lb0 down");
        becomes(&mut resolver, "10.0.0.17", down(false)).await;
        assert_eq!(known(&resolver, "fd00::17"), Some(down(false)));
        ip("link set lb0 up");
        becomes(&mut resolver, "10.0.0.17", at("10.0.0.17", THEIRS)).await;
        // The IPv6 address went with the link.
        ip("address add fd00::29/64 dev lb0 nodad");
        peer.ip("address replace fd00::17/64 dev host0 nodad");
        becomes(&mut resolver, "fd00::17", at("fd00::17", THEIRS)).await;
        resolver.release().await.unwrap();
    });
}

#[test]
fn mac_addresses_that_change() {
    const NEW: [u8; 6] = [2, 0, 0, 0, 0, 0x99];
    lab(async |peer| {
        let mut resolver = resolver(&["10.0.0.17", "fd00::17"]).await;
        settled(&mut resolver).await;
        // The host announces its new address, as one that took over from another does.
        peer.run(|| {
            sysctl("ipv4/conf/host0/arp_notify", "1");
            sysctl("ipv6/conf/host0/ndisc_notify", "1");
            ip("link set host0 address 02:00:00:00:00:99");
        });
        becomes(&mut resolver, "10.0.0.17", at("10.0.0.17", NEW)).await;
        if known(&resolver, "fd00::17") != Some(at("fd00::17", NEW)) {
            becomes(&mut resolver, "fd00::17", at("fd00::17", NEW)).await;
        }

        ip("link set lb0 address 02:00:00:00:00:77");
        let Resolution::Resolved(hop) = at("10.0.0.17", NEW) else {
            unreachable!()
        };
        let moved = Resolution::Resolved(NextHop {
            source_mac: [2, 0, 0, 0, 0, 0x77],
            ..hop
        });
        becomes(&mut resolver, "10.0.0.17", moved).await;
        resolver.release().await.unwrap();
    });
}

#[test]
fn routes_of_every_kind() {
    lab(async |_peer| {
        ip("route add 10.1.0.0/16 via 10.0.0.17 mtu 1400");
        ip("route add 10.2.0.0/16 via inet6 fd00::17 dev lb0");
        ip("route add fd01::/64 via fd00::17");
        for (kind, n) in [("blackhole", 3), ("unreachable", 4), ("prohibit", 5)] {
            ip(&format!("route add {kind} 10.{n}.0.0/16"));
            ip(&format!("route add {kind} fd0{n}::/64"));
        }
        ip("link add br0 type bridge");
        ip("address add 10.6.0.29/16 dev br0");
        ip("link set br0 up");
        ip("tuntap add dev tun0 mode tun");
        ip("address add 10.7.0.29/16 dev tun0");
        ip("link set tun0 up");

        let refusing = [
            "10.3.0.1", "10.4.0.1", "10.5.0.1", "fd03::1", "fd04::1", "fd05::1",
        ];
        let routed = ["10.1.0.1", "10.2.0.1", "fd01::1", "10.6.0.1", "10.7.0.1"];
        let mut resolver = resolver(&[routed.as_slice(), &refusing].concat()).await;
        settled(&mut resolver).await;
        let is = |text| known(&resolver, text).unwrap();

        for (text, gateway, mtu) in [
            ("10.1.0.1", "10.0.0.17", 1400),
            ("10.2.0.1", "fd00::17", 1500),
            ("fd01::1", "fd00::17", 1500),
        ] {
            let Resolution::Resolved(hop) = at(text, THEIRS) else {
                unreachable!()
            };
            let expected = NextHop {
                gateway: Some(address(gateway)),
                mtu,
                ..hop
            };
            assert_eq!(is(text), Resolution::Resolved(expected), "{text}");
        }
        for text in refusing {
            assert_eq!(
                is(text),
                Resolution::Unresolved(Cause::Unreachable),
                "{text}"
            );
        }
        let stacked = Cause::StackedDevice {
            interface: "br0".to_owned(),
            kind: "bridge".to_owned(),
        };
        assert_eq!(is("10.6.0.1"), Resolution::Unresolved(stacked));
        let tun = Cause::NotEthernet {
            interface: "tun0".to_owned(),
        };
        assert_eq!(is("10.7.0.1"), Resolution::Unresolved(tun));

        ip("route del 10.1.0.0/16");
        becomes(
            &mut resolver,
            "10.1.0.1",
            Resolution::Unresolved(Cause::NoRoute),
        )
        .await;
        resolver.release().await.unwrap();
    });
}

#[test]
fn release_leaves_the_table_as_it_was() {
    lab(async |peer| {
        peer.ip("address add 10.0.0.18/24 dev host0");
        ip("neighbour add 10.0.0.18 lladdr 02:00:00:00:00:17 dev lb0 nud stale");
        ip("neighbour add 10.0.0.19 lladdr 02:00:00:00:00:19 dev lb0 nud permanent");
        ip("neighbour add 10.0.0.20 dev lb0 managed");
        let entry = |text: &str| ip(&format!("-d neighbour show to {text}"));

        let mut resolver = resolver(&[
            "10.0.0.17",
            "10.0.0.18",
            "10.0.0.19",
            "10.0.0.20",
            "10.0.0.21",
            "fd00::17",
        ])
        .await;
        settled(&mut resolver).await;
        for text in ["10.0.0.17", "10.0.0.18", "10.0.0.21", "fd00::17"] {
            assert!(entry(text).contains("managed"), "{text}: {:?}", entry(text));
        }
        assert!(
            entry("10.0.0.19").contains("PERMANENT"),
            "{:?}",
            entry("10.0.0.19")
        );

        // An address that is not watched any more is let go at once.
        let fewer = [
            "10.0.0.18",
            "10.0.0.19",
            "10.0.0.20",
            "10.0.0.21",
            "fd00::17",
        ];
        resolver.watch(fewer.map(address)).await.unwrap();
        assert_eq!(entry("10.0.0.17"), "");

        resolver.release().await.unwrap();
        for text in ["10.0.0.17", "10.0.0.21", "fd00::17"] {
            assert_eq!(entry(text), "", "made here");
        }
        let before = entry("10.0.0.18");
        assert!(
            before.contains("02:00:00:00:00:17") && !before.contains("managed"),
            "{before:?}"
        );
        assert!(
            entry("10.0.0.19").contains("PERMANENT"),
            "{:?}",
            entry("10.0.0.19")
        );
        assert!(
            entry("10.0.0.20").contains("managed"),
            "{:?}",
            entry("10.0.0.20")
        );
    });
}

#[test]
fn what_a_killed_process_left_is_adopted() {
    lab(async |_peer| {
        let mut killed = resolver(&["10.0.0.17"]).await;
        settled(&mut killed).await;
        drop(killed);
        assert!(ip("-d neighbour show to 10.0.0.17").contains("managed"));
        let mut next = resolver(&["10.0.0.17"]).await;
        settled(&mut next).await;
        next.release().await.unwrap();
        assert_eq!(ip("-d neighbour show to 10.0.0.17"), "");
    });
}

#[test]
fn links_by_name_and_index() {
    lab(async |_peer| {
        ip("link add br0 type bridge");
        ip("link set lb0 master br0");
        let handle = net::connect().unwrap();
        let lb0 = net::link_by_name(&handle, "lb0").await.unwrap();
        assert_eq!(
            (lb0.mac, lb0.mtu, lb0.up, lb0.carrier, lb0.xdp),
            (Some(OURS), 1500, true, true, None)
        );
        assert_eq!((lb0.kind.as_deref(), lb0.vlan), (Some("veth"), None));
        assert_eq!(net::link_by_index(&handle, lb0.index).await.unwrap(), lb0);

        let br0 = net::link_by_name(&handle, "br0").await.unwrap();
        assert_eq!((br0.kind.as_deref(), br0.up), (Some("bridge"), false));
        assert_eq!((lb0.master, br0.master), (Some(br0.index), None));

        let missing = net::link_by_name(&handle, "lb1").await.unwrap_err();
        assert_eq!(
            missing.to_string(),
            "no such interface: lb1 (did you mean lb0?); there are: br0, lb0, lo"
        );
        let missing = net::link_by_index(&handle, 9999).await.unwrap_err();
        assert!(matches!(missing, NetError::NoSuchIndex(9999)));
    });
}

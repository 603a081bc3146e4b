//! Judgement by judgement.

use super::*;
use crate::config;

/// A service with one backend, of which `service` and `backend` say more.
fn service(mode: &str, service: &str, backend: &str) -> Service {
    let text = format!(
        "interfaces: [eth0]\nservices:\n- {{address: '10.0.0.29:80', mode: {mode}, {service}, \
         backends: [{{{backend}}}]}}\n"
    );
    let loaded = config::parse(&text, "lvs.yaml").unwrap_or_else(|found| panic!("{found}"));
    loaded.config.services.into_iter().next().unwrap()
}

fn hop() -> NextHop {
    NextHop {
        ifindex: 3,
        interface: "eth0".to_owned(),
        source_mac: [2, 0, 0, 0, 0, 1],
        destination_mac: [2, 0, 0, 0, 0, 0x17],
        mtu: 1500,
        gateway: None,
        source: Some(ip("10.0.0.1")),
    }
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn judged(service: &Service, resolution: &Resolution) -> Reach {
    judge(service, &service.backends[0], resolution)
}

const PLAIN: &str = "name: web";
const BACKEND: &str = "address: 10.0.0.17";
const POOL: &str = "local_addresses: [10.0.0.200, 10.0.0.201]";

#[test]
fn a_neighbour_and_one_behind_a_router() {
    let near = judged(&service("dr", PLAIN, BACKEND), &Resolution::Resolved(hop()));
    let entry = NextHopEntry {
        source: ip("10.0.0.1").into(),
        ..NextHopEntry::new(3, 1500, [2, 0, 0, 0, 0, 0x17], [2, 0, 0, 0, 0, 1])
    };
    let expected = Reach::by(entry, Level::Info, "is reachable on eth0".to_owned());
    assert_eq!(near, expected);

    let far = Resolution::Resolved(NextHop {
        gateway: Some(ip("10.0.0.254")),
        ..hop()
    });
    let by_dr = judged(&service("dr", PLAIN, BACKEND), &far);
    assert_eq!((by_dr.hop, by_dr.level), (Some(entry), Level::Warn));
    assert!(by_dr.words.contains("behind the router 10.0.0.254"));
    let by_tun = judged(&service("tun", PLAIN, BACKEND), &far);
    assert_eq!((by_tun.hop, by_tun.level), (Some(entry), Level::Info));
    assert_eq!(by_tun.words, "is reachable on eth0 through 10.0.0.254");
}

#[test]
fn tags_go_to_the_frame_and_leave_the_mtu_alone() {
    let tagged = service("dr", "vlan: [100, 7]", BACKEND);
    let entry = judged(&tagged, &Resolution::Resolved(hop())).hop.unwrap();
    assert_eq!((entry.tags, entry.mtu), ([100, 7], 1500));

    let silent = Resolution::Unresolved(Cause::NoNeighbour {
        interface: "eth0".to_owned(),
        via: ip("10.0.0.17"),
    });
    let without = judged(&tagged, &silent);
    assert_eq!(without.hop, None);
    assert!(without.words.contains("give the backend's `mac`"));
    let untagged = judged(&service("dr", PLAIN, BACKEND), &silent);
    assert!(!untagged.words.contains("`mac`"), "{}", untagged.words);
}

#[test]
fn a_tunnel_begins_where_the_service_says_or_the_route_does() {
    let source = |service: &Service, hop: NextHop| {
        let reach = judged(service, &Resolution::Resolved(hop));
        reach.hop.map(|entry| entry.source)
    };
    let plain = service("tun", PLAIN, BACKEND);
    let given = service("tun", "tunnel_source: 172.16.0.0/16", BACKEND);
    let nowhere = || NextHop {
        source: None,
        ..hop()
    };
    assert_eq!(source(&plain, hop()), Some(ip("10.0.0.1").into()));
    assert_eq!(source(&given, hop()), Some(ip("172.16.0.0").into()));
    assert_eq!(source(&given, nowhere()), Some(ip("172.16.0.0").into()));

    // That of the other family is not for this backend.
    let other = service("tun", "tunnel_source: 'fd00::/96'", BACKEND);
    for service in [&plain, &other] {
        let refused = judged(service, &Resolution::Resolved(nowhere()));
        assert_eq!((refused.hop, refused.level), (None, Level::Warn));
        for words in [
            "takes no flows",
            "an address of IPv4",
            "`tunnel_source`",
            "ip address add ADDRESS/32 dev eth0",
        ] {
            assert!(refused.words.contains(words), "{}", refused.words);
        }
    }
    let v6 = service("tun", PLAIN, "address: '2001:db8::17'");
    let link_local = NextHop {
        source: Some(ip("fe80::1")),
        ..hop()
    };
    assert_eq!(source(&v6, link_local), None);
    // Nobody else needs one.
    assert!(source(&service("dr", PLAIN, BACKEND), nowhere()).is_some());
}

#[test]
fn a_backend_that_is_this_machine() {
    let here = Resolution::Local {
        interface: "lo".to_owned(),
    };
    for (mode, level) in [
        ("dr", Level::Info),
        ("tun", Level::Info),
        ("nat", Level::Warn),
    ] {
        let reach = judged(&service(mode, PLAIN, BACKEND), &here);
        assert_eq!(reach.hop, Some(NextHopEntry::LOCAL), "{mode}");
        assert_eq!(reach.level, level, "{mode}: {}", reach.words);
        assert!(reach.words.contains("this machine itself, on lo"));
    }
    let by_fullnat = judged(&service("fullnat", POOL, BACKEND), &here);
    assert_eq!(by_fullnat.hop, None);
    assert!(by_fullnat.words.contains("both ends"));
    let martian = judged(&service("nat", PLAIN, "address: 127.0.0.1"), &here);
    assert_eq!(martian.hop, None);
    assert!(martian.words.contains("loopback address"));
}

#[test]
fn a_local_address_is_not_for_the_hosts_own_connections() {
    let pool = service("fullnat", POOL, BACKEND);
    let from = |source: &str| {
        let hop = NextHop {
            source: Some(ip(source)),
            ..hop()
        };
        judged(&pool, &Resolution::Resolved(hop))
    };
    assert!(from("10.0.0.1").hop.is_some());
    let taken = from("10.0.0.201");
    assert_eq!((taken.hop, taken.level), (None, Level::Warn));
    for words in [
        "come from 10.0.0.201, which is a local address",
        "ip address add 10.0.0.201/32 dev eth0",
        "ip route change NETWORK dev eth0 src ANOTHER",
    ] {
        assert!(taken.words.contains(words), "{}", taken.words);
    }
    // Other modes do not use them.
    let by_dr = service("dr", POOL, BACKEND);
    let own = Resolution::Resolved(NextHop {
        source: Some(ip("10.0.0.200")),
        ..hop()
    });
    assert!(judged(&by_dr, &own).hop.is_some());
}

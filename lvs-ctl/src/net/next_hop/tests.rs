//! The decision, fact by fact.

use super::*;
use crate::net::neighbour::Neighbour;

const OURS: [u8; 6] = [2, 0, 0, 0, 0, 1];
const THEIRS: [u8; 6] = [2, 0, 0, 0, 0, 17];

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn lb0() -> Link {
    Link {
        index: 3,
        name: "lb0".to_owned(),
        mac: Some(OURS),
        mtu: 1500,
        up: true,
        carrier: true,
        xdp: None,
        kind: None,
        vlan: None,
        lower: None,
        master: None,
    }
}

fn out() -> Out {
    Out {
        ifindex: 3,
        ..Out::default()
    }
}

fn hop() -> NextHop {
    NextHop {
        ifindex: 3,
        interface: "lb0".to_owned(),
        source_mac: OURS,
        destination_mac: THEIRS,
        mtu: 1500,
        gateway: None,
        source: None,
    }
}

fn name() -> String {
    "lb0".to_owned()
}

fn link_down(up: bool) -> Cause {
    Cause::LinkDown {
        interface: name(),
        up,
    }
}

fn silent(via: &str) -> Cause {
    Cause::NoNeighbour {
        interface: name(),
        via: ip(via),
    }
}

/// The resolution of 10.0.0.17, whose last route left by lb0, with the entry for `neighbour` in the
/// table.
fn resolve(route: &Route, link: Link, neighbour: &str, mac: Option<[u8; 6]>) -> Resolution {
    let links = BTreeMap::from([(link.index, link)]);
    let key = Key {
        ifindex: 3,
        address: ip(neighbour),
    };
    let table = Neighbours::from([(
        key,
        Neighbour {
            mac,
            ..Neighbour::default()
        },
    )]);
    Way {
        target: ip("10.0.0.17").into(),
        route,
        last: Some(3),
        links: &links,
    }
    .resolve(&table)
}

#[test]
fn good_ways_resolve() {
    let direct = resolve(&Route::Out(out()), lb0(), "10.0.0.17", Some(THEIRS));
    assert_eq!(direct, Resolution::Resolved(hop()));

    for gateway in ["10.0.0.1", "fe80::1"] {
        let route = Route::Out(Out {
            gateway: Some(ip(gateway)),
            ..out()
        });
        let routed = resolve(&route, lb0(), gateway, Some(THEIRS));
        assert_eq!(
            routed,
            Resolution::Resolved(NextHop {
                gateway: Some(ip(gateway)),
                ..hop()
            })
        );
    }

    for (route_mtu, expected) in [(1400, 1400), (9000, 1500)] {
        let route = Route::Out(Out {
            mtu: Some(route_mtu),
            ..out()
        });
        let narrowed = resolve(&route, lb0(), "10.0.0.17", Some(THEIRS));
        assert_eq!(
            narrowed,
            Resolution::Resolved(NextHop {
                mtu: expected,
                ..hop()
            })
        );
    }

    let veth = Link {
        kind: Some("veth".to_owned()),
        ..lb0()
    };
    assert_eq!(
        resolve(&Route::Out(out()), veth, "10.0.0.17", Some(THEIRS)),
        Resolution::Resolved(hop())
    );
}

#[test]
fn bad_ways_say_why() {
    let off = || Link {
        up: false,
        carrier: false,
        ..lb0()
    };
    let unplugged = Link {
        carrier: false,
        ..lb0()
    };
    let tunnel = Link { mac: None, ..lb0() };
    let vlan = Link {
        kind: Some("vlan".to_owned()),
        ..lb0()
    };
    let direct = || Route::Out(out());
    let gateway = Route::Out(Out {
        gateway: Some(ip("10.0.0.1")),
        ..out()
    });
    let wrapped = Route::Out(Out {
        encapsulated: true,
        ..out()
    });
    let elsewhere = Route::Out(Out {
        ifindex: 99,
        ..out()
    });
    let stacked = Cause::StackedDevice {
        interface: name(),
        kind: "vlan".to_owned(),
    };
    let table = [
        (Route::None, lb0(), Cause::NoRoute),
        (Route::None, off(), link_down(false)),
        (Route::Refusing, lb0(), Cause::Unreachable),
        (direct(), off(), link_down(false)),
        (direct(), unplugged, link_down(true)),
        (direct(), tunnel, Cause::NotEthernet { interface: name() }),
        (direct(), vlan, stacked),
        (wrapped, lb0(), Cause::Encapsulated { interface: name() }),
        (elsewhere, lb0(), Cause::NoRoute),
        (gateway, lb0(), silent("10.0.0.1")),
    ];
    for (route, link, cause) in table {
        let given = format!("{route:?} {link:?}");
        let outcome = resolve(&route, link, "10.0.0.17", Some(THEIRS));
        assert_eq!(outcome, Resolution::Unresolved(cause), "{given}");
    }
    for (entry, mac) in [("10.0.0.17", None), ("10.0.0.18", Some(THEIRS))] {
        let outcome = resolve(&direct(), lb0(), entry, mac);
        assert_eq!(
            outcome,
            Resolution::Unresolved(silent("10.0.0.17")),
            "{entry} {mac:?}"
        );
    }
}

#[test]
fn a_given_mac_address_needs_no_neighbour() {
    let links = BTreeMap::from([(3, lb0())]);
    let route = Route::Out(Out {
        gateway: Some(ip("10.0.0.1")),
        source: Some(ip("10.0.0.29")),
        ..out()
    });
    let way = |route| Way {
        target: Target {
            address: ip("10.0.0.17"),
            mac: Some(THEIRS),
        },
        route,
        last: None,
        links: &links,
    };
    assert_eq!(way(&route).neighbour(), None);
    assert_eq!(
        way(&route).resolve(&Neighbours::new()),
        Resolution::Resolved(NextHop {
            source: Some(ip("10.0.0.29")),
            ..hop()
        })
    );
    assert_eq!(
        way(&Route::None).resolve(&Neighbours::new()),
        Resolution::Unresolved(Cause::NoRoute)
    );
}

#[test]
fn own_addresses_are_local() {
    let local = |ifindex| resolve(&Route::Local { ifindex }, lb0(), "10.0.0.17", None);
    assert_eq!(local(3), Resolution::Local { interface: name() });
    assert_eq!(
        local(1),
        Resolution::Local {
            interface: "lo".to_owned()
        }
    );
}

#[test]
fn only_ways_that_frames_can_take_need_a_neighbour() {
    let needs = |route: &Route, link: Link| {
        let links = BTreeMap::from([(link.index, link)]);
        Way {
            target: ip("10.0.0.17").into(),
            route,
            last: None,
            links: &links,
        }
        .neighbour()
        .map(|key| key.address)
    };
    let via = Route::Out(Out {
        gateway: Some(ip("10.0.0.1")),
        ..out()
    });
    assert_eq!(needs(&Route::Out(out()), lb0()), Some(ip("10.0.0.17")));
    assert_eq!(needs(&via, lb0()), Some(ip("10.0.0.1")));
    assert_eq!(
        needs(
            &via,
            Link {
                carrier: false,
                ..lb0()
            }
        ),
        None
    );
    assert_eq!(needs(&Route::Local { ifindex: 3 }, lb0()), None);
    assert_eq!(needs(&Route::None, lb0()), None);
}

#[test]
fn causes_read_well() {
    let table = [
        (Cause::NoRoute, "no route to this address"),
        (link_down(false), "interface lb0 is down"),
        (
            silent("10.0.0.17"),
            "no neighbour entry for 10.0.0.17 on lb0: the host does not answer ARP",
        ),
        (
            silent("fd00::17"),
            "no neighbour entry for fd00::17 on lb0: the host does not answer neighbour discovery",
        ),
        (
            Cause::StackedDevice {
                interface: "lb0.10".to_owned(),
                kind: "vlan".to_owned(),
            },
            "the route leaves by lb0.10, a vlan device: XDP cannot send out of it, \
             only out of the interfaces beneath",
        ),
    ];
    for (cause, words) in table {
        assert_eq!(cause.to_string(), words);
    }
}

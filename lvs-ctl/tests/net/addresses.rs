//! Addresses of this machine, and targets whose MAC address is given.

use lvs_ctl::net::{self, NextHop, Resolution, Resolver, Target};

use super::{
    address, at, becomes, known,
    lab::{THEIRS, ip, lab},
    resolver, settled, silent,
};

#[test]
fn the_source_is_the_one_that_the_kernel_would_use() {
    lab(async |_peer| {
        ip("address add 10.0.0.200/32 dev lb0");
        let mut resolver = resolver(&["10.0.0.17", "fd00::17"]).await;
        let expected = ["10.0.0.17", "fd00::17"].map(|text| (text.to_owned(), at(text, THEIRS)));
        assert_eq!(settled(&mut resolver).await, expected);

        let from = |text: &str, source: &str| {
            let Resolution::Resolved(hop) = at(text, THEIRS) else {
                unreachable!()
            };
            Resolution::Resolved(NextHop {
                source: Some(address(source)),
                ..hop
            })
        };
        ip("route change 10.0.0.0/24 dev lb0 src 10.0.0.200");
        becomes(&mut resolver, "10.0.0.17", from("10.0.0.17", "10.0.0.200")).await;
        ip("address add fd00::99/64 dev lb0 nodad");
        ip("address del fd00::29/64 dev lb0");
        becomes(&mut resolver, "fd00::17", from("fd00::17", "fd00::99")).await;
        resolver.release().await.unwrap();
    });
}

#[test]
fn a_given_mac_address_is_not_asked_for() {
    const GIVEN: [u8; 6] = [2, 0, 0, 0, 0, 0x42];
    lab(async |_peer| {
        let given = Target {
            address: address("10.0.0.18"),
            mac: Some(GIVEN),
        };
        let mut resolver = Resolver::new([given]).await.unwrap();
        assert_eq!(
            settled(&mut resolver).await,
            [("10.0.0.18".to_owned(), at("10.0.0.18", GIVEN))]
        );
        assert_eq!(ip("neighbour show to 10.0.0.18"), "");

        // The same address without one is another target.
        let both = [given, address("10.0.0.18").into()];
        resolver.watch(both).await.unwrap();
        assert_eq!(known(&resolver, "10.0.0.18"), Some(silent("10.0.0.18")));
        assert_eq!(
            resolver.resolutions().get(&given),
            Some(&at("10.0.0.18", GIVEN))
        );
        resolver.release().await.unwrap();
    });
}

#[test]
fn addresses_of_the_machine() {
    lab(async |_peer| {
        ip("address add 10.0.0.30/32 dev lo");
        let handle = net::connect().unwrap();
        let lb0 = net::link_by_name(&handle, "lb0").await.unwrap();
        let found = net::addresses(&handle).await.unwrap();
        let on = |text: &str| {
            let found = found.iter().find(|found| found.address == address(text));
            found.map(|found| (found.ifindex == lb0.index, found.bits))
        };
        assert_eq!(on("10.0.0.29"), Some((true, 24)));
        assert_eq!(on("fd00::29"), Some((true, 64)));
        assert_eq!(on("10.0.0.30"), Some((false, 32)));
        assert_eq!(on("127.0.0.1"), Some((false, 8)));
        assert_eq!(on("10.0.0.17"), None);
    });
}

//! What a sound file says of tunnels, VLANs and MAC addresses, and of families.

use super::{VALID, loaded, valid};

#[test]
fn where_tunnels_begin() {
    let sources = |fields: &str| {
        let config = valid(&format!(
            "interfaces: [eth0]\nservices:\n\
             - {{address: '10.0.0.29:80', {fields}, backends: [\
             {{address: 10.0.0.17}}, {{address: '2001:db8::17', mode: tun}}, {{address: 10.0.0.18, mode: dr}}]}}\n"
        ));
        let sources = config.services[0]
            .backends
            .iter()
            .map(|backend| backend.tunnel_source.map(|source| source.to_string()));
        sources.map(Option::unwrap_or_default).collect::<Vec<_>>()
    };
    assert_eq!(sources("mode: tun"), ["", "", ""]);
    assert_eq!(
        sources("mode: tun, tunnel_source: 172.16.0.0/16"),
        ["172.16.0.0/16", "", ""]
    );
    assert_eq!(
        sources("mode: tun, tunnel_source: ['2001:db8:1::/64', 10.0.0.1]"),
        ["10.0.0.1", "2001:db8:1::/64", ""]
    );
    assert_eq!(
        sources("mode: dr, tunnel_source: '2001:db8::29'"),
        ["", "2001:db8::29", ""]
    );
}

#[test]
fn tags_and_mac_addresses_of_frames() {
    let config = valid(
        "interfaces: [eth0]\nservices:\n\
         - {address: '10.0.0.29:80', vlan: 100, backends: [{address: 10.0.0.17}, \
         {address: 10.0.0.18, vlan: [200, 7], mac: '02:00:00:00:00:18'}]}\n\
         - {address: '10.0.0.30:80', backends: [{address: 10.0.0.17}, \
         {address: 10.0.0.18, vlan: [7], mac: 02-00-00-00-00-18}]}\n",
    );
    let backends = config.services.iter().flat_map(|service| &service.backends);
    let said: Vec<_> = backends
        .map(|backend| (backend.tags, backend.mac.map(|mac| mac[5])))
        .collect();
    assert_eq!(
        said,
        [
            ([100, 0], None),
            ([200, 7], Some(0x18)),
            ([0, 0], None),
            ([7, 0], Some(0x18)),
        ]
    );
}

#[test]
fn tunnels_that_end_here() {
    let decap = |section: &str| valid(&format!("decap: {section}\n{VALID}")).decap;
    let Some(found) = decap(
        "{endpoints: [10.0.0.29, '2001:db8::29'], from: [172.16.0.0/16, '2001:db8::/32', 10.0.0.9]}",
    ) else {
        panic!("a section")
    };
    let endpoints: Vec<_> = found.endpoints.iter().map(ToString::to_string).collect();
    assert_eq!(endpoints, ["10.0.0.29", "2001:db8::29"]);
    let from: Vec<_> = found.from.iter().map(ToString::to_string).collect();
    assert_eq!(from, ["172.16.0.0/16", "2001:db8::/32", "10.0.0.9"]);
    // One of each need not be a list; an empty section is none.
    assert!(decap("{endpoints: 10.0.0.1, from: 10.0.0.0/24}").is_some());
    assert_eq!(decap(""), None);
}

#[test]
fn fullnat_takes_backends_of_the_family_of_a_local_address() {
    let config = valid(
        "interfaces: [eth0]\nservices:\n\
         - {address: '[2001:db8::29]:80', mode: fullnat, local_addresses: [10.0.0.200], \
         backends: [{address: 10.0.0.17}]}\n\
         - {address: '10.0.0.29:80', mode: fullnat, local_addresses: ['2001:db8::200'], \
         backends: [{address: '2001:db8::17'}]}\n",
    );
    assert_eq!(config.services.len(), 2);
}

#[test]
fn what_of_tunnels_is_odd_is_a_warning() {
    let service = VALID.replace(
        "10.0.0.29:80",
        "10.0.0.29:80\n    tunnel_source: 172.16.0.0/16",
    );
    let section = |section: &str| format!("decap: {section}\n{VALID}");
    for (text, line, column, words) in [
        (service, 4, 5, "`tunnel_source` is for mode tun"),
        (
            section("{endpoints: 10.0.0.29, from: 0.0.0.0/0}"),
            1,
            37,
            "0.0.0.0/0 lets tunnels come from anywhere",
        ),
        (
            section("{endpoints: [10.0.0.29, 'fd00::29'], from: 10.0.0.0/24}"),
            1,
            32,
            "no tunnel may come to fd00::29: `from` has nothing of IPv6",
        ),
    ] {
        let loaded = loaded(&text);
        let [warning] = &*loaded.warnings else {
            panic!("{:?}", loaded.warnings)
        };
        assert!(warning.message.contains(words), "{warning:?}");
        assert_eq!((warning.line, warning.column), (line, column));
    }
}

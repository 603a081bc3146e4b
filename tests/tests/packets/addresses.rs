//! Which frames are the balancer's at all, and which packets a service's.

use lvs_common::{Reason, tcp};
use lvs_tests::packet::{Case, Frame};

use crate::farm::{SITES, Site, address, farm};

#[test]
fn frames_for_other_mac_addresses_pass() {
    let rig = farm();
    let others = [
        ("a neighbour's", [0x02, 0x1b, 0, 0, 0, 0x02]),
        ("one with another vendor", [0x03, 0x1b, 0, 0, 0, 0x01]),
        ("broadcast", [0xff; 6]),
        ("IPv4 multicast", [0x01, 0x00, 0x5e, 0, 0, 0x12]),
        ("IPv6 multicast", [0x33, 0x33, 0, 0, 0, 1]),
        ("nobody's", [0; 6]),
    ];
    for site in SITES {
        for (whose, mac) in others {
            let frame = site.first(1).to_mac(mac).bytes();
            let description = format!("{}: {whose} MAC address", site.name());
            rig.run([Case::untouched(description, frame, Reason::NotOurFrame)]);
        }
    }
}

/// Everything that differs from a service in one place only.
#[test]
fn packets_for_no_service_pass() {
    let rig = farm();
    let v4 = Site::Web.client(1);
    let v6 = Site::Web6.client(1);
    let tcp = |client, service| Frame::tcp(client, address(service), tcp::SYN);
    let udp = |client, service| Frame::udp(client, address(service));
    rig.run(
        [
            ("another port", tcp(v4, "10.0.0.29:81")),
            ("port 0", tcp(v4, "10.0.0.29:0")),
            ("another address", tcp(v4, "10.0.0.30:80")),
            ("the port of UDP", tcp(v4, "10.0.0.29:53")),
            ("the port of TCP", udp(v4, "10.0.0.29:80")),
            ("SSH to the balancer", tcp(v4, "10.0.0.29:22")),
            ("another port, IPv6", tcp(v6, "[2001:db8::29]:81")),
            ("another address, IPv6", tcp(v6, "[2001:db8::2a]:80")),
            (
                "only the last word of the address",
                tcp(v6, "[2001:db8:1::29]:80"),
            ),
            ("the port of TCP, IPv6", udp(v6, "[2001:db8::29]:80")),
            // 10.0.0.29 stands in a key as these four bytes do.
            ("the other family's same bytes", tcp(v6, "[a00:1d::]:80")),
        ]
        .map(|(what, frame)| Case::untouched(what, frame.bytes(), Reason::NoService)),
    );
}

/// A service's answers have its address as their source: nothing that LVS has to do with here.
#[test]
fn what_a_service_answers_passes() {
    let rig = farm();
    for site in SITES {
        let (client, service) = (site.client(1), site.address());
        let opening = Case::sent("opens", &site.first(1), site.backend(), &site.hop());
        let opening = match site {
            Site::Web | Site::Web6 => opening.opens_active(site.backend()),
            Site::Dns | Site::Dns6 => opening.opens_inactive(site.backend()),
        };
        let answer = match site {
            Site::Web | Site::Web6 => Frame::tcp(service, client, tcp::SYN | tcp::ACK),
            Site::Dns | Site::Dns6 => Frame::udp(service, client),
        };
        rig.run([
            opening,
            Case::untouched("the answer", answer.bytes(), Reason::NoService),
        ]);
    }
}

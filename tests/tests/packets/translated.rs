//! NAT and FULLNAT on the loaded program, over many packets and connections; what becomes of each is in
//! the table of [`modes`](crate::modes).

use std::{
    collections::HashSet,
    net::{IpAddr, SocketAddr},
    thread,
};

use lvs_common::{
    ForwardingMode, Protocol, Reason,
    tcp::{ACK, FIN, SYN},
};
use lvs_tests::{
    packet::{BackendSpec, Frame, Hop, Rig, ServiceSpec, Xdp, source},
    stress::cpus,
};

use crate::farm::{SITES, Site, address};

const MODES: [ForwardingMode; 2] = [ForwardingMode::Nat, ForwardingMode::FullNat];

fn backend_of(site: Site) -> SocketAddr {
    if site.is_ipv6() {
        address("[2001:db8::17]:8080")
    } else {
        address("10.0.0.17:8080")
    }
}

fn locals(site: Site) -> [IpAddr; 2] {
    let texts = if site.is_ipv6() {
        ["2001:db8::200", "2001:db8::201"]
    } else {
        ["10.0.0.200", "10.0.0.201"]
    };
    texts.map(|text| text.parse().expect("an address"))
}

fn service(site: Site, mode: ForwardingMode, hop: Hop) -> ServiceSpec {
    let backend = BackendSpec {
        mode,
        address: Some(backend_of(site)),
        ..BackendSpec::behind(hop)
    };
    ServiceSpec {
        locals: locals(site).to_vec(),
        backends: vec![backend],
        ..site.service()
    }
}

fn frame(site: Site, from: SocketAddr, to: SocketAddr, flags: u8) -> Frame {
    match site.protocol() {
        Protocol::Tcp => Frame::tcp(from, to, flags),
        Protocol::Udp => Frame::udp(from, to),
    }
}

fn source_of(sent: &[u8]) -> SocketAddr {
    source(sent).expect("a packet of TCP or UDP")
}

/// Sends a frame that must be sent on; what it is then.
fn sent(rig: &Rig, frame: &Frame) -> Vec<u8> {
    let (verdict, after) = rig.walk(&frame.bytes()).expect("a walk");
    assert_eq!(verdict, Xdp::Tx, "{frame:?}");
    after
}

#[test]
fn a_connection_counts_as_both_sides_lead_it() {
    for mode in MODES {
        let rig = Rig::new(&[service(Site::Web, mode, Site::Web.hop())]);
        let (site, client) = (Site::Web, Site::Web.client(1));
        let request = |flags| sent(&rig, &frame(site, client, site.address(), flags));
        let origin = source_of(&request(SYN));
        let answer = |flags| sent(&rig, &frame(site, backend_of(site), origin, flags));
        let load = || {
            let state = rig.state().expect("the counters");
            (
                state.get("load.web-1.active"),
                state.get("load.web-1.inactive"),
            )
        };
        answer(SYN | ACK);
        request(ACK);
        assert_eq!(load(), (1, 0), "{mode}");
        answer(FIN | ACK);
        assert_eq!(load(), (0, 1), "{mode}: the backend closes first");
        request(FIN | ACK);
        answer(ACK);
        assert_eq!(load(), (0, 1), "{mode}");
        // Its two entries are one connection.
        assert_eq!(rig.flows().len(), 2, "{mode}");
        request(SYN);
        assert_eq!(load(), (1, 0), "{mode}: a new one");
    }
}

#[test]
fn fifty_thousand_connections_of_one_client_share_no_pair() {
    let site = Site::Web;
    let spec = service(site, ForwardingMode::FullNat, site.hop());
    let rig = Rig::with_halves(&[spec], 1 << 17);
    let mut origins = HashSet::new();
    for port in 1..=50_000 {
        let syn = frame(site, site.client(port), site.address(), SYN);
        let origin = source_of(&sent(&rig, &syn));
        assert!(origins.insert(origin), "{origin} was given out twice");
    }
    let state = rig.state().expect("the counters");
    assert_eq!(state.get("load.web-1.active"), 50_000, "\n{state}");
    assert_eq!(state.sum("event.", ""), 0, "\n{state}");
}

/// Clients on one CPU, backends on the other, on the same connections.
#[test]
fn both_sides_at_once_on_two_cpus() {
    const FLOWS: u16 = 64;
    const PACKETS: usize = 20_000;
    for mode in MODES {
        let rig = Rig::new(&SITES.map(|site| service(site, mode, site.hop())));
        let mut pairs = Vec::new();
        for (site, port) in SITES
            .into_iter()
            .flat_map(|s| (1..=FLOWS).map(move |p| (s, p)))
        {
            let client = site.client(port);
            let syn = frame(site, client, site.address(), SYN);
            let origin = source_of(&sent(&rig, &syn));
            let request = frame(site, client, site.address(), ACK);
            let onward = frame(site, origin, backend_of(site), ACK).forwarded(&site.hop());
            let answer = frame(site, backend_of(site), origin, ACK);
            let backward = frame(site, site.address(), client, ACK).forwarded(&request.back());
            pairs.push([(request, onward.bytes()), (answer, backward.bytes())]);
        }
        thread::scope(|scope| {
            for (side, cpu) in cpus::two().expect("two CPUs").into_iter().enumerate() {
                let (rig, pairs) = (&rig, &pairs);
                scope.spawn(move || {
                    cpus::pin_to(cpu).expect("this thread on one CPU");
                    for (packet, expected) in pairs.iter().map(|p| &p[side]).cycle().take(PACKETS) {
                        assert_eq!(sent(rig, packet), *expected, "{mode}: {packet:?}");
                    }
                });
            }
        });
        let state = rig.state().expect("the counters");
        let flows = u64::from(FLOWS);
        for (backend, kind) in [("web-1", "active"), ("dns-1", "inactive")] {
            assert_eq!(
                state.get(&format!("load.{backend}.{kind}")),
                flows,
                "\n{state}"
            );
        }
        assert_eq!(
            rig.flows().len(),
            2 * SITES.len() * usize::from(FLOWS),
            "\n{state}"
        );
        let back: u64 = state.sum("backend.", ".packets_out");
        assert_eq!(back, PACKETS as u64, "\n{state}");
    }
}

#[test]
fn answers_that_could_not_be_told_apart_are_not_made() {
    let vips = ["10.0.0.29:80", "10.0.0.30:80"].map(address);
    let names = ["web", "shop"];
    let specs = [0, 1].map(|n| {
        let spec = service(Site::Web, ForwardingMode::Nat, Site::Web.hop());
        ServiceSpec {
            name: names[n].to_owned(),
            address: vips[n],
            ..spec
        }
    });
    let rig = Rig::new(&specs);
    let client = Site::Web.client(1);
    sent(&rig, &Frame::tcp(client, vips[0], SYN));
    let (verdict, _) = rig
        .walk(&Frame::tcp(client, vips[1], SYN).bytes())
        .expect("a walk");
    assert_eq!(verdict, Xdp::Drop);
    let state = rig.state().expect("the counters");
    let name = Reason::ReplyTaken.as_str();
    assert_eq!(state.get(&format!("reason.{name}.packets")), 1, "\n{state}");
    assert_eq!(state.get("service.shop.connections"), 0, "\n{state}");
}

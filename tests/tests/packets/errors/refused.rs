//! Packets to a service that has no backend, in each way that it may refuse them.

use std::net::SocketAddr;

use lvs_common::{
    Family, NoBackend, Protocol, Reason,
    map::Notice,
    tcp::{ACK, FIN, RST, SYN},
};
use lvs_tests::packet::{Case, Frame, Rig, ServiceSpec};

use super::{
    kinds::port_unreachable,
    told::{MANY, back, error},
};
use crate::modes::network::{FAMILIES, Tags, client, first, vip};

const POLICIES: [NoBackend; 3] = [NoBackend::Drop, NoBackend::Unreachable, NoBackend::Reset];

const PROTOCOLS: [Protocol; 2] = [Protocol::Tcp, Protocol::Udp];

/// Services by family, protocol and policy.
fn services() -> impl Iterator<Item = (Family, Protocol, NoBackend)> {
    let families = FAMILIES.into_iter();
    let both = families.flat_map(|f| PROTOCOLS.map(|p| (f, p)));
    both.flat_map(|(f, p)| POLICIES.map(|policy| (f, p, policy)))
}

fn address(family: Family, policy: NoBackend) -> SocketAddr {
    vip(family, 80 + policy as u16)
}

fn rig() -> Rig {
    let specs: Vec<ServiceSpec> = services()
        .map(|(family, protocol, policy)| {
            let name = format!("{}:{protocol}:{policy:?}", family.as_str());
            ServiceSpec {
                no_backend: policy,
                ..ServiceSpec::new(name, protocol, address(family, policy), [])
            }
        })
        .collect();
    let mut rig = Rig::new(&specs);
    rig.allow_notices(MANY, MANY).expect("a rate");
    rig
}

const SEQUENCE: u32 = 0xffff_fff0;

/// Packets that open a flow; of TCP with the bytes that they take of the sequence.
fn openings(
    family: Family,
    protocol: Protocol,
    opening: &Frame,
) -> Vec<(&'static str, Frame, u32)> {
    let opening = opening.clone().numbers(SEQUENCE, 0);
    // MSS, SACK permitted, timestamps, window scale (Linux).
    let options = [
        2, 4, 5, 180, 4, 2, 8, 10, 1, 2, 3, 4, 0, 0, 0, 0, 1, 3, 3, 7,
    ];
    let mut openings = vec![
        ("no data", opening.clone().payload(0), 1),
        ("data", opening.clone().payload(333), 334),
        ("most data", opening.clone().payload(1_400), 1_401),
        ("its last hop", opening.clone().payload(0).hops(1), 1),
        ("a class", opening.clone().payload(0).traffic_class(0xbb), 1),
    ];
    if protocol == Protocol::Tcp {
        let bare = opening.clone().payload(0).tcp_options(&options);
        let data = opening.clone().payload(5).tcp_options(&options);
        let ends = opening.clone().payload(3).flags(SYN | FIN);
        openings.extend([
            ("its end, too", ends, 5),
            ("options of TCP", bare, 1),
            ("options of TCP, and data", data, 6),
        ]);
    }
    if family == Family::Ipv4 {
        let short = opening.clone().payload(0).options(&[1; 40]);
        let data = opening.payload(7).options(&[7, 7, 4, 0, 0, 0, 0, 0]);
        openings.extend([
            ("most options", short.dont_fragment(false), 1),
            ("options, and data", data, 8),
        ]);
    }
    openings
}

/// The segment that refuses a connection (RFC 9293 section 3.10.7.1).
fn reset(frame: &Frame, tags: Tags, len: u32) -> Frame {
    let segment = Frame::tcp(frame.destination(), frame.source(), RST | ACK)
        .numbers(0, SEQUENCE.wrapping_add(len))
        .window(0);
    back(segment, frame, tags)
}

#[test]
fn every_policy_in_every_tagging() {
    let rig = rig();
    for (family, protocol, policy) in services() {
        let to = address(family, policy);
        for (port, tags) in (1..).zip(Tags::ALL) {
            let opening = first(protocol, client(family, port), to).tags(tags.header());
            for (what, frame, len) in openings(family, protocol, &opening) {
                let what = format!("{family:?}, {protocol}, {policy:?}, {tags:?}: {what}");
                rig.run([row(&what, &frame, (tags, len), protocol, policy)]);
            }
        }
    }
}

fn row(
    what: &str,
    frame: &Frame,
    (tags, len): (Tags, u32),
    protocol: Protocol,
    policy: NoBackend,
) -> Case {
    let told =
        |message: &Frame, notice| Case::told(what, frame, message, Reason::NoBackend, notice);
    match policy {
        NoBackend::Drop => Case::untouched(what, frame.bytes(), Reason::NoBackend),
        NoBackend::Reset if protocol == Protocol::Tcp => {
            told(&reset(frame, tags, len), Notice::Reset)
        }
        _ => {
            let vip = frame.destination();
            let family = if vip.is_ipv4() {
                Family::Ipv4
            } else {
                Family::Ipv6
            };
            let kind = port_unreachable(family).number;
            told(&error(frame, tags, vip.ip(), kind, 0), Notice::Unreachable)
        }
    }
}

/// IPVS opens a flow for it, for the sake of FTP (`tcp_conn_schedule`).
#[test]
fn what_acknowledges_is_refused_by_its_number() {
    let rig = rig();
    for family in FAMILIES {
        let to = address(family, NoBackend::Reset);
        let frame = Frame::tcp(client(family, 1), to, SYN | ACK).numbers(SEQUENCE, 0x8000_0001);
        let segment = Frame::tcp(to, frame.source(), RST)
            .numbers(0x8000_0001, 0)
            .window(0);
        let segment = back(segment, &frame, Tags::Untagged);
        let (reason, notice) = (Reason::NoBackend, Notice::Reset);
        rig.run([Case::told(family, &frame, &segment, reason, notice)]);
    }
}

/// They may be of a connection that this balancer knows nothing of: the host's.
#[test]
fn segments_that_open_nothing_pass() {
    let rig = rig();
    for (family, policy) in FAMILIES.into_iter().flat_map(|f| POLICIES.map(|p| (f, p))) {
        for flags in [ACK, FIN | ACK, RST, RST | ACK, SYN | RST] {
            let frame = Frame::tcp(client(family, 1), address(family, policy), flags);
            let what = format!("{family:?}, {policy:?}, flags {flags:#04x}");
            rig.run([Case::untouched(what, frame.bytes(), Reason::NoFlow)]);
        }
    }
}

/// Nobody is told who is no single host: a forged source would have others hear of it.
#[test]
fn what_comes_from_no_host_is_dropped() {
    let rig = rig();
    let all = [
        "0.0.0.0",
        "0.1.2.3",
        "127.0.0.1",
        "224.0.0.1",
        "239.1.2.3",
        "255.255.255.255",
        "::",
        "::1",
        "ff02::1",
    ];
    for (text, protocol, policy) in all
        .into_iter()
        .flat_map(|t| PROTOCOLS.map(|p| (t, p)))
        .flat_map(|(t, p)| POLICIES.map(|policy| (t, p, policy)))
    {
        let source = SocketAddr::new(text.parse().expect("an address"), 1);
        let family = if source.is_ipv4() {
            Family::Ipv4
        } else {
            Family::Ipv6
        };
        let frame = first(protocol, source, address(family, policy));
        let what = format!("{source}, {protocol}, {policy:?}");
        rig.run([Case::untouched(what, frame.bytes(), Reason::NoBackend)]);
    }
}

//! Every reason for which a packet leaves the program, provoked once.

use std::collections::BTreeSet;

use lvs_common::{MidStream, Protocol, Reason, tcp};
use lvs_tests::packet::{BackendSpec, Case, Frame, Hop, INGRESS, Rig, ServiceSpec, Xdp};

use crate::farm::{Site, address};

/// The site, and beside it services whose backends cannot be reached, each in a way of its own.
fn services() -> Vec<ServiceSpec> {
    let hop = Hop::neighbour(20);
    let tcp = |name, service, backend: BackendSpec| {
        ServiceSpec::new(name, Protocol::Tcp, address(service), [backend])
    };
    let elsewhere = Hop {
        interface: INGRESS + 1,
        ..hop
    };
    let nowhere = BackendSpec {
        hop: None,
        ..BackendSpec::behind(hop)
    };
    let drained = BackendSpec {
        weight: 0,
        ..BackendSpec::behind(hop)
    };
    let strict = ServiceSpec {
        mid_stream: MidStream::Drop,
        ..tcp("strict", "10.0.0.35:80", BackendSpec::behind(hop))
    };
    let sloppy = ServiceSpec {
        mid_stream: MidStream::Schedule,
        ..tcp("sloppy", "10.0.0.36:80", BackendSpec::behind(hop))
    };
    vec![
        strict,
        sloppy,
        Site::Web.service(),
        tcp("far", "10.0.0.31:80", BackendSpec::behind(elsewhere)),
        tcp("nowhere", "10.0.0.33:80", nowhere),
        tcp("drained", "10.0.0.34:80", drained),
    ]
}

/// A row for each reason.
fn table() -> Vec<Case> {
    let site = Site::Web;
    let to = |service: &str, flags| Frame::tcp(site.client(1), address(service), flags);
    let syn = |service: &str| to(service, tcp::SYN);
    let spoilt = |at: usize, byte: u8| {
        let mut frame = site.first(2).bytes();
        frame[at] = byte;
        frame
    };
    let mut short = site.first(2).bytes();
    short.pop();
    let first = site.first(1);
    let far = Hop {
        interface: INGRESS + 1,
        ..Hop::neighbour(20)
    };
    let other = Case::untouched;
    vec![
        Case::sent("a SYN", &first, "web-1", &site.hop()).opens_active("web-1"),
        Case::redirected("elsewhere", &syn("10.0.0.31:80"), "far-1", &far).opens_active("far-1"),
        other("a neighbour's frame", spoilt(5, 0xaa), Reason::NotOurFrame),
        other("an unknown EtherType", spoilt(12, 0x86), Reason::NotIp),
        other("a byte is missing", short, Reason::Truncated),
        other("a header of 16 bytes", spoilt(14, 0x44), Reason::BadHeader),
        other("SCTP", spoilt(23, 132), Reason::OtherProtocol),
        other("more fragments", spoilt(20, 0x20), Reason::Fragment),
        other("port 81", spoilt(37, 81), Reason::NoService),
        other("an ACK of nothing", site.next(2).bytes(), Reason::NoFlow),
        other(
            "an ACK of nothing, to who drops it",
            to("10.0.0.35:80", tcp::ACK).bytes(),
            Reason::MidStream,
        ),
        Case::sent(
            "an ACK of nothing, to who takes it",
            &to("10.0.0.36:80", tcp::ACK),
            "sloppy-1",
            &Hop::neighbour(20),
        )
        .opens_active("sloppy-1"),
        other(
            "an RST of nothing, to who takes segments",
            Frame::tcp(site.client(2), address("10.0.0.36:80"), tcp::RST).bytes(),
            Reason::NoFlow,
        ),
        other("no weight", syn("10.0.0.34:80").bytes(), Reason::NoBackend),
        other(
            "no MAC address",
            syn("10.0.0.33:80").bytes(),
            Reason::NoNextHop,
        )
        .opens_active("nowhere-1"),
        other("TTL 1", site.next(1).hops(1).bytes(), Reason::TtlExceeded),
        other(
            "1501 bytes",
            site.next(1).packet_len(1501).bytes(),
            Reason::TooBig,
        ),
    ]
}

#[test]
fn each_is_counted_once_and_nothing_else_with_it() {
    Rig::new(&services()).run(table());
}

/// The others need maps that contradict each other, which no director writes; a driver without room
/// before frames; another CPU at the same place; are those of translation, tunnels and local backends,
/// which have tables of their own; or those of the program that does nothing but end tunnels.
#[test]
fn the_table_has_every_reason_that_it_can() {
    let number = |reason: Reason| reason as u32;
    let covered: BTreeSet<u32> = table().iter().map(|c| number(c.reason())).collect();
    let all = Reason::ALL.iter().copied();
    let expected = all
        .filter(|reason| {
            !matches!(
                reason,
                Reason::Inconsistent
                    | Reason::NoRoom
                    | Reason::NoPlace
                    | Reason::NoGateway
                    | Reason::ReplyTaken
                    | Reason::NoPort
                    | Reason::Local
                    | Reason::TunnelSource
                    | Reason::TunnelCongested
                    | Reason::TunnelError
                    | Reason::NoChecksum
                    | Reason::Decapsulated
                    | Reason::NoTunnel
            )
        })
        .map(number);
    assert_eq!(covered, expected.collect());
}

/// Whatever the packets: every one is counted under one reason, and what the service got is what its
/// backends got.
#[test]
fn reasons_add_up_to_the_packets_given() {
    let backends = [1, 2, 3].map(|n| BackendSpec {
        weight: 4 - u16::from(n),
        ..BackendSpec::behind(Hop::neighbour(n))
    });
    let service = ServiceSpec {
        backends: backends.to_vec(),
        ..Site::Web.service()
    };
    let rig = Rig::new(&[service]);
    let mut given = 0;
    let mut sent = 0;
    for port in 1..=100 {
        let flags = [tcp::SYN, tcp::ACK, tcp::FIN | tcp::ACK, tcp::RST];
        for frame in flags.map(|flags| Site::Web.segment(port, flags).bytes()) {
            for len in [14, 33, frame.len() - 1, frame.len()] {
                let (verdict, _) = rig.walk(&frame[..len]).expect("a walk");
                given += 1;
                sent += u64::from(verdict == Xdp::Tx);
            }
        }
    }
    let state = rig.state().expect("the counters");
    assert_eq!(state.sum("reason.", ".packets"), given, "\n{state}");
    assert_eq!(state.get("reason.sent.packets"), sent, "\n{state}");
    for (what, expected) in [
        ("packets", sent),
        ("connections", 100),
        ("bytes", 40 * sent),
    ] {
        let service = state.get(&format!("service.web.{what}"));
        let backends = state.sum("backend.", &format!(".{what}"));
        assert_eq!((service, backends), (expected, expected), "{what}\n{state}");
    }
}

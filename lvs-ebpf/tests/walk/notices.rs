//! What the balancer tells senders itself: ICMP errors and RSTs, read back by another library.

use std::net::IpAddr;

use etherparse::{NetSlice, SlicedPacket, TransportSlice};
use lvs_common::{
    NoBackend, Protocol, Reason, Scheduler,
    bucket::{PARTS, Rate},
    map::{NextHop, Notice},
    tcp::{ACK, RST, SYN},
};
use lvs_ebpf::{
    Action,
    host::{Buffer, Memory, Probe, Setup},
};

use crate::farm::{LAN, LAN_MAC, Site, address, interfaces, only, with_sites};

/// Where the tests' clients send from, as [`Probe`] writes it.
const CLIENT_MAC: [u8; 6] = [0x02, 0xc1, 0, 0, 0, 1];
const NETWORK: usize = 14;
const MANY: Rate = Rate {
    per_tick: 100 * PARTS,
    burst: 100 * PARTS,
};

fn balancer(change: impl FnOnce(&mut Setup)) -> Memory {
    let mut setup = with_sites(interfaces(), 1);
    setup.notices(MANY, MANY);
    change(&mut setup);
    setup.build()
}

/// What goes out for a frame that came by the clients' interface.
fn told(memory: &Memory, frame: &[u8]) -> Result<Vec<u8>, Reason> {
    let buffer = Buffer::new(LAN, frame);
    let outcome = memory.receive(&buffer);
    assert!(buffer.is_intact());
    let action = outcome?;
    assert_eq!(action, Action::Send);
    Ok(buffer.bytes())
}

/// The addresses and what was quoted of an ICMP error, with its type, code and size; all checksums right.
fn read_error(frame: &[u8], is_tagged: bool) -> (IpAddr, IpAddr, (u8, u8), u32, Vec<u8>) {
    let start = NETWORK + 4 * usize::from(is_tagged);
    assert_eq!(frame[..6], CLIENT_MAC);
    assert_eq!(frame[6..12], LAN_MAC);
    let packet = SlicedPacket::from_ethernet(frame).unwrap();
    match (packet.net.unwrap(), packet.transport.unwrap()) {
        (NetSlice::Ipv4(ip), TransportSlice::Icmpv4(icmp)) => {
            let header = ip.header();
            assert_eq!(
                header.header_checksum(),
                header.to_header().calc_header_checksum()
            );
            assert_eq!(header.ttl(), 64);
            assert_eq!(usize::from(header.total_len()), frame.len() - start);
            let checksum = icmp.icmp_type().calc_checksum(icmp.payload());
            assert_eq!(icmp.checksum(), checksum);
            let size = u32::from_be_bytes(icmp.bytes5to8());
            let kind = (icmp.type_u8(), icmp.code_u8());
            (
                header.source_addr().into(),
                header.destination_addr().into(),
                kind,
                size,
                icmp.payload().to_vec(),
            )
        }
        (NetSlice::Ipv6(ip), TransportSlice::Icmpv6(icmp)) => {
            let header = ip.header();
            assert!(icmp.is_checksum_valid(header.source(), header.destination()));
            assert_eq!(header.hop_limit(), 64);
            assert_eq!(
                usize::from(header.payload_length()),
                frame.len() - start - 40
            );
            let size = u32::from_be_bytes(icmp.bytes5to8());
            let kind = (icmp.type_u8(), icmp.code_u8());
            (
                header.source_addr().into(),
                header.destination_addr().into(),
                kind,
                size,
                icmp.payload().to_vec(),
            )
        }
        other => panic!("{other:?}"),
    }
}

/// Checks an error about `frame`, from `source`.
fn assert_error(site: Site, source: IpAddr, frame: &[u8], sent: &[u8], kind: (u8, u8), size: u32) {
    let what = format!("{site:?} {kind:?}");
    let is_tagged = frame[12..14] == [0x81, 0];
    let start = NETWORK + 4 * usize::from(is_tagged);
    assert_eq!(sent[12..start], frame[12..start], "{what}");
    let (from, to, got, got_size, quoted) = read_error(sent, is_tagged);
    assert_eq!((from, got, got_size), (source, kind, size), "{what}");
    let most = if site.vip().is_ipv4() { 548 } else { 1232 };
    let len = (frame.len() - start).min(most) & !3;
    assert_eq!(quoted, frame[start..start + len], "{what}");
    assert!(to != source, "{what}");
}

#[test]
fn a_ttl_that_is_used_up() {
    for site in Site::ALL {
        let memory = balancer(|_| {});
        for payload in [0, 3, 100, 700, 1400] {
            let mut packet = site.packet(1, SYN).hops(1).payload(payload);
            if site.vip().is_ipv4() {
                packet = packet.options(&[1; 40]);
            }
            for frame in [packet.frame(), packet.clone().tag(0x8100, 0x6007).frame()] {
                let sent = told(&memory, &frame).unwrap();
                let kind = if site.vip().is_ipv4() {
                    (11, 0)
                } else {
                    (3, 0)
                };
                let mut untagged = frame.clone();
                if frame[12..14] == [0x81, 0] {
                    // The priority is the sender's own matter.
                    untagged[14] &= 0x0f;
                }
                assert_error(site, site.vip().ip(), &untagged, &sent, kind, 0);
            }
        }
        assert_eq!(memory.notice(Notice::TimeExceeded), 10);
        assert_eq!(memory.reason_counters(Reason::TtlExceeded).packets, 10);
    }
}

#[test]
fn what_is_too_big_with_the_size_that_would_do() {
    for site in Site::ALL {
        let kind = if site.vip().is_ipv4() { (3, 4) } else { (2, 0) };
        for (mode, more) in [("dr", 0), ("tun", 20), ("across", 20)] {
            let crosses = mode == "across";
            let is_v6 = site.vip().is_ipv6() != crosses;
            let more = if is_v6 { 2 * more } else { more };
            let memory = balancer(|setup| match mode {
                "tun" => setup.tun(only(site), 0),
                "across" => {
                    let hop = setup.next_hop(NextHop::new(LAN, 1500, [2; 6], LAN_MAC));
                    let other = if is_v6 { "2001:db8::99" } else { "10.0.0.99" };
                    let id = setup.backend(site.id(), other.parse().unwrap(), 60_000, hop);
                    setup.tun(id, 0);
                }
                _ => {}
            });
            let frame = site.packet(1, SYN).payload(1480).frame();
            let sent = told(&memory, &frame).unwrap();
            let size = 1500 - more;
            assert_error(site, site.vip().ip(), &frame, &sent, kind, size);
            assert_eq!(memory.notice(Notice::TooBig), 1);
        }
    }
}

/// RFC 8200 section 5: no link of IPv6 has less.
#[test]
fn nobody_is_told_of_less_than_the_smallest_mtu() {
    for (site, mtu) in [(Site::Web6, 1300), (Site::Web, 87)] {
        let mut setup = with_sites(interfaces(), 1);
        setup.notices(MANY, MANY);
        setup.tun(only(site), 0);
        let hop = setup.next_hop(NextHop::new(LAN, mtu, [2; 6], LAN_MAC));
        let mut memory = setup.build();
        memory.set_next_hop(only(site), hop);
        let frame = site.packet(1, SYN).payload(1400).frame();
        assert_eq!(told(&memory, &frame), Err(Reason::TooBig));
        assert_eq!(memory.notice(Notice::TooBig), 0);
    }
}

/// A service without backends.
fn unserved(site: Site, policy: NoBackend) -> Memory {
    let mut setup = with_sites(interfaces(), 0);
    setup.notices(MANY, MANY);
    setup.no_backend(site.id(), policy);
    setup.build()
}

#[test]
fn a_service_without_a_backend() {
    for site in Site::ALL {
        let frame = site.packet(1, SYN).payload(9).frame();
        let memory = unserved(site, NoBackend::Unreachable);
        let sent = told(&memory, &frame).unwrap();
        let kind = if site.vip().is_ipv4() { (3, 3) } else { (1, 4) };
        assert_error(site, site.vip().ip(), &frame, &sent, kind, 0);
        assert_eq!(memory.notice(Notice::Unreachable), 1);
        let memory = unserved(site, NoBackend::Drop);
        assert_eq!(told(&memory, &frame), Err(Reason::NoBackend));
    }
    for site in [Site::Dns, Site::Dns6] {
        let memory = unserved(site, NoBackend::Reset);
        told(&memory, &site.packet(1, 0).frame()).unwrap();
        assert_eq!(memory.notice(Notice::Unreachable), 1);
    }
}

#[test]
fn a_connection_is_refused() {
    for (site, payload, options) in [(Site::Web, 0, 0), (Site::Web, 9, 40), (Site::Web6, 100, 0)] {
        let memory = unserved(site, NoBackend::Reset);
        let frame = site
            .packet(1, SYN)
            .payload(payload)
            .options(&vec![1; options])
            .frame();
        let sent = told(&memory, &frame).unwrap();
        assert_eq!((&sent[..6], &sent[6..12]), (&CLIENT_MAC[..], &LAN_MAC[..]));
        let packet = SlicedPacket::from_ethernet(&sent).unwrap();
        let Some(TransportSlice::Tcp(tcp)) = packet.transport else {
            panic!("{packet:?}");
        };
        assert_eq!(tcp.slice().len(), 20);
        assert!(tcp.rst() && tcp.ack() && !tcp.syn());
        assert_eq!((tcp.source_port(), tcp.destination_port()), (80, 50_001));
        assert_eq!(tcp.sequence_number(), 0);
        assert_eq!(
            tcp.acknowledgment_number(),
            0x0a0b_0c0d + 1 + payload as u32
        );
        let sum = match packet.net.unwrap() {
            NetSlice::Ipv4(ip) => {
                let header = ip.header();
                assert_eq!(
                    (header.source_addr().into(), header.total_len()),
                    (site.vip().ip(), 40)
                );
                assert_eq!(
                    header.header_checksum(),
                    header.to_header().calc_header_checksum()
                );
                tcp.calc_checksum_ipv4(header.source(), header.destination())
            }
            NetSlice::Ipv6(ip) => {
                let header = ip.header();
                assert_eq!(header.source_addr(), site.vip().ip());
                tcp.calc_checksum_ipv6(header.source(), header.destination())
            }
            NetSlice::Arp(_) => unreachable!(),
        };
        assert_eq!(tcp.checksum(), sum.unwrap());
        assert_eq!(memory.notice(Notice::Reset), 1);
        // What opens nothing is the host's to refuse.
        assert_eq!(
            told(&memory, &site.packet(1, ACK).frame()),
            Err(Reason::NoFlow)
        );
        assert_eq!(
            told(&memory, &site.packet(1, SYN | RST).frame()),
            Err(Reason::NoFlow)
        );
    }
}

#[test]
fn no_more_than_the_rate_to_all_and_to_one() {
    let rate = |per_tick, burst| Rate {
        per_tick: per_tick * PARTS,
        burst: burst * PARTS,
    };
    for site in Site::ALL {
        let mut setup = with_sites(interfaces(), 1);
        setup.notices(rate(2, 10), rate(1, 3));
        let memory = setup.build();
        let send = |client: u16, count: usize| {
            let other = address(if site.vip().is_ipv4() {
                "192.0.2.7:1000"
            } else {
                "[2001:db8:7::7]:1000"
            });
            let from = match client {
                0 => site.client(1),
                _ => other,
            };
            let frame = site.packet_of(from, SYN).hops(1).frame();
            (0..count).filter(|_| told(&memory, &frame).is_ok()).count()
        };
        assert_eq!((send(0, 100), send(1, 100)), (3, 3), "{site:?}");
        memory.pass(1);
        assert_eq!((send(0, 100), send(1, 100)), (1, 1));
        assert_eq!(memory.notice(Notice::Withheld), 2 * 97 + 2 * 99);

        // From everywhere.
        let mut setup = with_sites(interfaces(), 1);
        setup.notices(rate(2, 10), MANY);
        let memory = setup.build();
        let flood = |first: u32| {
            let sent = (0..200).filter(|number| {
                let ip: IpAddr = if site.vip().is_ipv4() {
                    std::net::Ipv4Addr::from(0x0b00_0000 + first + number).into()
                } else {
                    std::net::Ipv6Addr::from(0x2001 << 112 | u128::from(first + number)).into()
                };
                let frame = site.packet_of((ip, 7).into(), SYN).hops(1).frame();
                told(&memory, &frame).is_ok()
            });
            sent.count()
        };
        assert_eq!(flood(0), 10);
        memory.pass(2);
        assert_eq!(flood(1000), 4);
    }
}

#[test]
fn nothing_is_told_to_what_is_no_host() {
    for from in [
        "0.0.0.0:1",
        "127.0.0.1:1",
        "224.0.0.1:1",
        "255.255.255.255:1",
    ] {
        let memory = balancer(|_| {});
        let frame = Site::Web.packet_of(address(from), SYN).hops(1).frame();
        assert_eq!(told(&memory, &frame), Err(Reason::TtlExceeded), "{from}");
    }
    for from in ["[::]:1", "[::1]:1", "[ff02::1]:1"] {
        let memory = balancer(|_| {});
        let frame = Site::Web6.packet_of(address(from), SYN).hops(1).frame();
        assert_eq!(told(&memory, &frame), Err(Reason::TtlExceeded), "{from}");
    }
}

/// Of an answer that cannot be sent on the backend is told, by the balancer's address there.
#[test]
fn backends_are_told_too() {
    for site in Site::ALL {
        let is_v4 = site.vip().is_ipv4();
        let own: IpAddr = if is_v4 { "10.0.0.2" } else { "2001:db8::2" }
            .parse()
            .unwrap();
        let mut setup = with_sites(interfaces(), 1);
        setup.notices(MANY, MANY);
        setup.nat(only(site), Some(8080));
        let mut hop = NextHop::new(LAN, 1500, CLIENT_MAC, LAN_MAC);
        hop.source = own.into();
        let hop = setup.next_hop(hop);
        let mut memory = setup.build();
        memory.set_next_hop(only(site), hop);
        told(&memory, &site.packet(1, SYN).frame()).unwrap();
        let backend = address(if is_v4 {
            "10.0.0.17:8080"
        } else {
            "[2001:db8::11]:8080"
        });
        let answer = match site {
            Site::Web | Site::Web6 => Probe::tcp(LAN_MAC, backend, site.client(1), SYN | ACK),
            Site::Dns | Site::Dns6 => Probe::udp(LAN_MAC, backend, site.client(1)),
        };
        let frame = answer.clone().hops(1).frame();
        let sent = told(&memory, &frame).unwrap();
        let kind = if is_v4 { (11, 0) } else { (3, 0) };
        assert_error(site, own, &frame, &sent, kind, 0);
        let frame = answer.payload(1500).frame();
        let sent = told(&memory, &frame).unwrap();
        let kind = if is_v4 { (3, 4) } else { (2, 0) };
        assert_error(site, own, &frame, &sent, kind, 1500);
    }
}

#[test]
fn those_without_df_may_be_left_untold() {
    for quiet in [false, true] {
        let memory = balancer(|setup| setup.quiet_without_df(quiet));
        let mut frame = Site::Dns.packet(1, 0).payload(1480).frame();
        assert!(told(&memory, &frame).is_ok());
        frame[NETWORK + 6] = 0;
        assert_eq!(told(&memory, &frame).is_ok(), !quiet);
        // There is no such flag in IPv6.
        let frame = Site::Dns6.packet(1, 0).payload(1480).frame();
        assert!(told(&memory, &frame).is_ok());
    }
}

/// Whoever was told last on this CPU: a client hears from the virtual address.
#[test]
fn a_client_hears_from_the_virtual_address_after_a_backend_was_told() {
    let mut setup = with_sites(interfaces(), 1);
    setup.notices(MANY, MANY);
    setup.nat(only(Site::Web), Some(8080));
    let mut hop = NextHop::new(LAN, 1500, CLIENT_MAC, LAN_MAC);
    hop.source = address("10.0.0.2:1").ip().into();
    let hop = setup.next_hop(hop);
    let empty = address("10.0.0.40:80");
    let id = setup.service(Protocol::Tcp, empty.ip(), 80, Scheduler::Wrr);
    setup.no_backend(id, NoBackend::Unreachable);
    let mut memory = setup.build();
    memory.set_next_hop(only(Site::Web), hop);
    told(&memory, &Site::Web.packet(1, SYN).frame()).unwrap();
    let backend = address("10.0.0.17:8080");
    let answer = Probe::tcp(LAN_MAC, backend, Site::Web.client(1), SYN | ACK).hops(1);
    told(&memory, &answer.frame()).unwrap();
    let frame = Probe::tcp(LAN_MAC, Site::Web.client(2), empty, SYN).frame();
    let sent = told(&memory, &frame).unwrap();
    assert_error(Site::Web, empty.ip(), &frame, &sent, (3, 3), 0);
}

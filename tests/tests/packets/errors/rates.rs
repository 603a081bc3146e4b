//! However many packets come, only so many messages go out: to one address, and to all of them.
//!
//! Nothing comes into the buckets here: so what was in them is all that there is, and no clock matters.

use std::net::{IpAddr, SocketAddr};

use lvs_common::{Family, NoBackend, Protocol, Reason, bucket::Rate, map::Notice, tcp::SYN};
use lvs_tests::{
    packet::{Frame, Rig, ServiceSpec, Xdp},
    stress::cpus,
};

use super::told::{MANY, exactly};
use crate::modes::network::{FAMILIES, vip};

/// Services without a backend that refuse connections, with rates.
fn rig(all: Rate, to_one: Rate) -> Rig {
    let service = |family: Family| ServiceSpec {
        no_backend: NoBackend::Reset,
        ..ServiceSpec::new(family.as_str(), Protocol::Tcp, vip(family, 80), [])
    };
    let mut rig = Rig::new(&FAMILIES.map(service));
    rig.allow_notices(all, to_one).expect("rates");
    // Each CPU has buckets of its own.
    let [cpu, _] = cpus::two().expect("a CPU");
    cpus::pin_to(cpu).expect("this thread on one CPU");
    rig
}

/// The number of SYNs of these clients that are answered; the others must be dropped.
fn flood(rig: &Rig, family: Family, clients: impl Iterator<Item = u16>) -> u32 {
    let mut answered = 0;
    for number in clients {
        let frame = Frame::tcp(client(family, number), vip(family, 80), SYN);
        let (verdict, after) = rig.walk(&frame.bytes()).expect("a walk");
        match verdict {
            Xdp::Tx => answered += 1,
            _ => assert_eq!((verdict, after), (Xdp::Drop, frame.bytes())),
        }
    }
    answered
}

fn client(family: Family, number: u16) -> SocketAddr {
    let ip: IpAddr = match family {
        Family::Ipv4 => format!("192.0.{}.{}", number >> 8, number & 0xff).parse(),
        Family::Ipv6 => format!("2001:db8:c::{number:x}").parse(),
    }
    .expect("an address");
    SocketAddr::new(ip, 1_000)
}

fn assert_counts(rig: &Rig, packets: u64, answered: u64) {
    let state = rig.state().expect("the counters");
    let reason = format!("reason.{}.packets", Reason::NoBackend.as_str());
    let notice = format!("notice.{}", Notice::Reset.as_str());
    assert_eq!(state.get(&reason), packets, "\n{state}");
    assert_eq!(state.get(&notice), answered, "\n{state}");
    let withheld = rig.withheld().expect("the counter");
    assert_eq!(withheld, packets - answered, "\n{state}");
}

#[test]
fn a_client_is_told_no_more_often_than_one_may_be() {
    let rig = rig(MANY, exactly(10));
    for family in FAMILIES {
        let from = |client| flood(&rig, family, std::iter::repeat_n(client, 5_000));
        assert_eq!(from(1), 10, "{family:?}");
        // One that floods takes nothing from another.
        assert_eq!(from(2), 10, "{family:?}");
        assert_eq!(from(1), 0, "{family:?}");
    }
    assert_counts(&rig, 30_000, 40);
}

/// Those of both families together.
#[test]
fn all_clients_are_told_no_more_often_than_all_may_be() {
    let rig = rig(exactly(500), MANY);
    assert_eq!(flood(&rig, Family::Ipv6, 1..400), 399);
    assert_eq!(flood(&rig, Family::Ipv4, 1..5_000), 101);
    assert_eq!(flood(&rig, Family::Ipv6, 1..5_000), 0);
    assert_counts(&rig, 399 + 2 * 4_999, 500);
}

#[test]
fn without_a_rate_nobody_is_told() {
    let mut rig = rig(Rate::NONE, MANY);
    assert_eq!(flood(&rig, Family::Ipv4, 1..100), 0);
    rig.allow_notices(MANY, Rate::NONE).expect("rates");
    assert_eq!(flood(&rig, Family::Ipv6, 1..100), 0);
    assert_counts(&rig, 198, 0);
}

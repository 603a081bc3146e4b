//! Bytes behind the packet, as Ethernet fills short frames up: they are no part of what is quoted.

use lvs_common::{ForwardingMode::Nat, Protocol::Tcp, Reason};
use lvs_tests::packet::{Case, Frame, Quote, Rig};

use super::kinds::port_unreachable;
use crate::modes::{
    network::{client, first, near, next},
    stand,
    table::{Pair, V4, V6},
};

/// With a flow of each family's client with port 1.
fn rig() -> Rig {
    let rig = stand::rig(Nat, &[V4, V6]);
    for pair in [V4, V6] {
        let opening = first(Tcp, client(pair.client, 1), pair.vip());
        rig.walk(&opening.bytes()).expect("a walk");
    }
    rig
}

/// As much as fits into the shortest errors.
fn quote(pair: Pair) -> Quote {
    let packet = next(Tcp, pair.vip(), client(pair.client, 1)).payload(100);
    Quote::of(&packet, 1).cut(8)
}

fn error(pair: Pair, quote: &Quote) -> Frame {
    let (router, kind) = (client(pair.client, 1).ip(), port_unreachable(pair.client));
    Frame::icmp(
        router,
        pair.vip().ip(),
        kind.number,
        kind.word,
        quote.bytes(),
    )
}

#[test]
fn is_carried_along() {
    let rig = rig();
    for pair in [V4, V6] {
        let (client, backend) = (client(pair.client, 1), pair.backend(Nat));
        let frame = error(pair, &quote(pair));
        let sent = frame
            .clone()
            .forwarded(&near(pair.backend))
            .between(client, backend)
            .body(quote(pair).between(backend, client).bytes());
        let case = Case::sent(pair, &frame, pair.web(), &near(pair.backend));
        rig.run([case.becoming(&sent).padded(6)]);
    }
}

/// What would be the ports is behind the packet's end, so that the error is about no flow.
#[test]
fn is_not_read() {
    let rig = rig();
    for pair in [V4, V6] {
        let whole = quote(pair);
        let header = whole.clone().cut(0);
        let mut frame = error(pair, &header).bytes();
        frame.extend(&whole.bytes()[header.bytes().len()..]);
        rig.run([Case::untouched(pair, frame, Reason::OtherProtocol)]);
    }
}

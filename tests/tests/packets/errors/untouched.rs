//! What is no error about a packet of a flow is the host's, and comes to it as it was.

use lvs_common::{Family, ForwardingMode, Protocol};
use lvs_tests::packet::{Frame, INGRESS, Quote};

use super::{
    kinds::{others, port_unreachable},
    relayed::{Flow, within},
    shapes::SHORT,
};
use crate::modes::{
    network::{client, first, next},
    stand::{Stand, two_interfaces},
};

type Row = (&'static str, Frame);

/// What may follow the header of an error without naming a flow; `quote` is what would, about `packet`.
fn bodies(packet: &Frame, quote: &Quote) -> Vec<(&'static str, Vec<u8>)> {
    let (from, to) = (packet.source(), packet.destination());
    let header = quote.clone().cut(0).bytes().len();
    let other = |protocol| Quote::of(&first(protocol, from, to), 1).cut(8).bytes();
    let mut stranger = to;
    stranger.set_port(to.port() ^ 0x4000);
    let mut elsewhere = from;
    elsewhere.set_port(from.port() ^ 0x4000);
    let ping = |kind| {
        Frame::icmp(
            from.ip(),
            to.ip(),
            kind,
            0x0007_0001,
            b"still there?".to_vec(),
        )
    };
    let ping = ping(if from.is_ipv4() { (0, 0) } else { (129, 0) });
    let mut other_version = quote.bytes();
    other_version[0] ^= 0x20;
    let mut bodies = vec![
        ("nothing", Vec::new()),
        ("half an IP header", quote.bytes()[..header / 2].to_vec()),
        ("an IP header", quote.clone().cut(0).bytes()),
        ("one byte of the ports", quote.clone().cut(1).bytes()),
        ("three bytes of the ports", quote.clone().cut(3).bytes()),
        (
            "another port of the receiver",
            quote.clone().between(from, stranger).bytes(),
        ),
        (
            "another port of the sender",
            quote.clone().between(elsewhere, to).bytes(),
        ),
        (
            "the receiver's packet",
            quote.clone().between(to, from).bytes(),
        ),
        ("an ICMP message", ping.bytes()[ping.ip_offset()..].to_vec()),
        ("another version of IP", other_version),
    ];
    bodies.push(match packet.protocol() {
        Protocol::Tcp => ("a datagram of UDP", other(Protocol::Udp)),
        Protocol::Udp => ("a segment of TCP", other(Protocol::Tcp)),
    });
    if from.is_ipv4() {
        bodies.extend([
            ("the second fragment", quote.clone().fragment(1).bytes()),
            (
                "the last place of a fragment",
                quote.clone().fragment(0x1fff).bytes(),
            ),
        ]);
    }
    bodies
}

/// Every message that is like an error about a flow, but is none.
fn messages(family: Family, packet: &Frame, error: &Frame, quote: &Quote) -> Vec<Row> {
    let (from, to) = (error.ip().source, error.ip().destination);
    let like = |frame: Frame| {
        let back = error.back();
        frame.to_mac(back.from).from_mac(back.to)
    };
    let mut rows: Vec<Row> = Vec::new();
    for (what, body) in bodies(packet, quote) {
        rows.push((what, error.clone().body(body)));
    }
    for kind in others(family) {
        let frame = Frame::icmp(from, to, kind.number, kind.word, quote.bytes());
        rows.push((kind.what, like(frame)));
    }
    rows
}

#[test]
fn messages_that_are_about_no_flow_pass() {
    let done = two_interfaces().run(|| {
        let cells: Vec<_> = ForwardingMode::ALL
            .iter()
            .flat_map(|m| within(*m))
            .collect();
        let mut stand = Stand::new(&cells);
        for (port, cell) in (1_000..).zip(cells) {
            let flow = Flow::open(&mut stand, cell, port);
            let (far, near) = (cell.pair.client, cell.pair.backend);
            let quote = flow.quoted_far(&SHORT);
            let packet = next(cell.protocol, cell.vip(), flow.client);
            let error = flow.far(&port_unreachable(far), &SHORT, quote.bytes());
            let [by, from] = flow.way();
            for (what, frame) in messages(far, &packet, &error, &quote) {
                let frame = frame.tags(cell.came.header());
                stand.passes(&format!("{cell}: {what}"), by, &frame);
            }
            if !cell.mode.translates() {
                continue;
            }
            let quote = flow.quoted_near(&SHORT);
            let packet = next(cell.protocol, flow.origin, cell.backend());
            let error = flow.near(&port_unreachable(near), &SHORT, quote.bytes());
            for (what, frame) in messages(near, &packet, &error, &quote) {
                let frame = frame.tags(cell.network.header());
                stand.passes(&format!("{cell}, from behind: {what}"), from, &frame);
            }
        }
        stand.finish();
        Ok(())
    });
    done.expect("a thread in the namespace");
}

/// A flow of another client, or of none: errors open nothing.
#[test]
fn errors_without_a_flow_pass() {
    let done = two_interfaces().run(|| {
        let cells: Vec<_> = ForwardingMode::ALL
            .iter()
            .flat_map(|m| within(*m))
            .collect();
        let mut stand = Stand::new(&cells);
        for cell in cells {
            let (family, vip) = (cell.pair.client, cell.vip());
            let packet = next(cell.protocol, vip, client(family, 1));
            let quote = Quote::of(&packet, 1).bytes();
            let kind = port_unreachable(family);
            let router = client(family, 1).ip();
            let frame = Frame::icmp(router, vip.ip(), kind.number, kind.word, quote);
            let frame = frame.tags(cell.came.header());
            for hops in [1, 64] {
                let frame = frame.clone().hops(hops);
                stand.passes(&cell.to_string(), INGRESS, &frame);
            }
        }
        stand.finish();
        Ok(())
    });
    done.expect("a thread in the namespace");
}

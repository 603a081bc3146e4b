//! The table: a flow of each cell, with packets of every kind, and its answers where they come by here.

use std::{collections::BTreeSet, net::SocketAddr};

use lvs_common::{
    Family, ForwardingMode, Reason,
    tcp::{ACK, SYN},
};
use lvs_tests::packet::{Frame, INGRESS};

use super::{
    expected::{self, is_numbered},
    network::{client, first, in_tunnel, local, next},
    stand::{Stand, two_interfaces},
    table::{Cell, loads},
};

/// Whether a packet must have a checksum and has none: from IPv4 to IPv6 alone.
fn lacks_checksum(cell: Cell, load: &str, from_ipv4: bool) -> bool {
    load == "no checksum"
        && from_ipv4
        && cell.pair.crosses()
        && cell.mode == ForwardingMode::FullNat
}

/// What a client's packets come in: a tunnel of this family that ends here, or none.
pub(crate) type Tunnel = Option<Family>;

pub(crate) fn arriving(frame: &Frame, tunnel: Tunnel) -> Frame {
    let frame = frame.clone();
    match tunnel {
        Some(family) => in_tunnel(frame, family),
        None => frame,
    }
}

/// A client's packet, on its way to the backend.
fn request(
    stand: &mut Stand,
    cell: Cell,
    what: &str,
    (frame, tunnel): (&Frame, Tunnel),
    origin: SocketAddr,
) {
    let is_numbered =
        cell.mode == ForwardingMode::Tun && is_numbered(frame.ip(), cell.pair.backend);
    let identification = if is_numbered { stand.number(cell) } else { 0 };
    let expected = expected::request(cell, frame, origin, identification);
    let way = [INGRESS, cell.arms.interface()];
    let arriving = arriving(frame, tunnel);
    stand.sends(&format!("{cell}: {what}"), way, &arriving, &expected);
    stand.count_request(cell, frame);
}

/// Opens the flow of a cell: where its packets seem to come from.
pub(crate) fn open(
    stand: &mut Stand,
    cell: Cell,
    (opening, tunnel): (&Frame, Tunnel),
    client: SocketAddr,
) -> SocketAddr {
    let mut origin = client;
    if cell.mode == ForwardingMode::FullNat {
        // A port of the balancer's choice: the first packet says which, and is then sent again.
        let arriving = arriving(opening, tunnel);
        origin = stand.source_of(cell, &arriving);
        assert_eq!(origin.ip(), local(cell.pair.backend), "{cell}");
        stand.count_request(cell, opening);
    }
    stand.count_flow(cell);
    request(stand, cell, "the first packet", (opening, tunnel), origin);
    origin
}

/// Everything that both sides of a flow may send.
fn exchange(stand: &mut Stand, cell: Cell, port: u16, tunnel: Tunnel) -> SocketAddr {
    let (client, vip, protocol) = (client(cell.pair.client, port), cell.vip(), cell.protocol);
    let opening = first(protocol, client, vip).tags(cell.came.header());
    let origin = open(stand, cell, (&opening, tunnel), client);
    let sent = next(protocol, client, vip).tags(cell.came.header());
    for (what, frame) in loads(cell.pair.client, protocol, &sent) {
        if lacks_checksum(cell, what, vip.is_ipv4()) {
            // Without the tunnel: what is dropped stays as it came, or is out of it, and both are right.
            let what = format!("{cell}: {what}");
            stand.drops(&what, INGRESS, &frame, Reason::NoChecksum);
        } else {
            request(stand, cell, what, (&frame, tunnel), origin);
        }
    }
    if !cell.mode.translates() {
        return origin;
    }
    let backend = cell.backend();
    let answer = first(protocol, backend, origin)
        .flags(SYN | ACK)
        .tags(cell.network.header())
        .from_mac(cell.hop().to)
        .to_mac(cell.arms.mac());
    let mut answers = vec![("the first answer", answer.clone())];
    answers.extend(loads(cell.pair.backend, protocol, &answer.flags(ACK)));
    let by = cell.arms.interface();
    for (load, frame) in answers {
        let what = format!("{cell}: answer, {load}");
        if lacks_checksum(cell, load, backend.is_ipv4()) {
            stand.drops(&what, by, &frame, Reason::NoChecksum);
            continue;
        }
        let expected = expected::answer(cell, &frame, client, &opening);
        stand.sends(&what, [by, INGRESS], &frame, &expected);
        stand.count_answer(cell, &frame);
    }
    origin
}

/// Runs a flow of each cell of a mode by every way that its packets may come.
fn run(mode: ForwardingMode) {
    let done = two_interfaces().run(|| {
        let cells = Cell::of_mode(mode);
        let mut stand = Stand::new(&cells);
        let mut origins = BTreeSet::new();
        let tunnels = [None, Some(Family::Ipv4), Some(Family::Ipv6)];
        let flows = tunnels
            .into_iter()
            .flat_map(|t| cells.iter().map(move |c| (t, *c)));
        for (port, (tunnel, cell)) in (1_000..).zip(flows) {
            let origin = exchange(&mut stand, cell, port, tunnel);
            let is_new = origins.insert((cell.service(), origin));
            assert!(is_new, "{cell}: {origin} twice");
        }
        stand.finish();
        Ok(())
    });
    done.expect("a thread in the namespace");
}

#[test]
fn dr_sends_every_cell_on() {
    run(ForwardingMode::Dr);
}

/// Answers do not come by tunnels: they go to the gateway that the tunnel's frames come from.
#[test]
fn nat_sends_every_cell_on_and_back() {
    run(ForwardingMode::Nat);
}

#[test]
fn fullnat_sends_every_cell_on_and_back() {
    run(ForwardingMode::FullNat);
}

/// With packets that come by tunnels: a balancer behind a balancer.
#[test]
fn tun_sends_every_cell_on() {
    run(ForwardingMode::Tun);
}

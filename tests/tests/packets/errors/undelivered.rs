//! Packets of flows that cannot be sent on: their last hop, or their length.

use std::net::IpAddr;

use lvs_common::{Family, ForwardingMode, Reason, map::Notice};
use lvs_tests::packet::{Frame, INGRESS};

use super::{
    relayed::Flow,
    told::{error, time_exceeded, too_big},
};
use crate::modes::{
    network::{Tags, balancer},
    stand::{Stand, two_interfaces},
    table::{Cell, loads},
};

/// The MTU of all that there is.
const MTU: u32 = 1_500;

const fn header(family: Family) -> u32 {
    match family {
        Family::Ipv4 => 20,
        Family::Ipv6 => 40,
    }
}

/// The longest packet from this family to that one.
const fn room(from: Family, to: Family) -> u32 {
    MTU + header(from) - header(to)
}

/// What may be quoted: lengths around a word's, and around the most.
const LENGTHS: [usize; 7] = [0, 1, 2, 3, 333, 700, 1_400];

/// One side of a flow.
struct Side {
    who: &'static str,
    packet: Frame,
    family: Family,
    /// Interface and tags that its packets come by.
    by: u32,
    tags: Tags,
    /// Who tells it.
    teller: IpAddr,
    /// The longest packet that it may send.
    room: u32,
}

/// The sides whose packets come by here.
fn sides(flow: &Flow) -> Vec<Side> {
    let cell = flow.cell;
    let (near, far) = (cell.pair.backend, cell.pair.client);
    let client = Side {
        who: "client",
        packet: flow.request(),
        family: far,
        by: INGRESS,
        tags: cell.came,
        teller: cell.vip().ip(),
        room: match cell.mode {
            ForwardingMode::Tun => MTU - header(near),
            _ => room(far, near),
        },
    };
    let mut sides = vec![client];
    if cell.mode.translates() {
        sides.push(Side {
            who: "backend",
            packet: flow.answer(),
            family: near,
            by: cell.arms.interface(),
            tags: cell.network,
            // It knows nothing of the virtual address.
            teller: balancer(near),
            room: room(near, far),
        });
    }
    sides
}

#[test]
fn both_sides_are_told_in_every_cell() {
    let done = two_interfaces().run(|| {
        let cells: Vec<Cell> = ForwardingMode::ALL
            .iter()
            .flat_map(|m| Cell::of_mode(*m))
            .collect();
        let mut stand = Stand::new(&cells);
        stand.tell_all();
        for (port, cell) in (1_000..).zip(cells) {
            let flow = Flow::open(&mut stand, cell, port);
            for side in sides(&flow) {
                exceed(&mut stand, cell, &side);
            }
        }
        stand.finish();
        Ok(())
    });
    done.expect("a thread in the namespace");
}

fn exceed(stand: &mut Stand, cell: Cell, side: &Side) {
    let Side {
        who,
        family,
        by,
        tags,
        teller,
        room,
        ..
    } = *side;
    let mut expired: Vec<(String, Frame)> = LENGTHS
        .iter()
        .map(|len| (format!("{len} bytes"), side.packet.clone().payload(*len)))
        .collect();
    let loads = loads(family, cell.protocol, &side.packet);
    expired.extend(loads.into_iter().map(|(what, f)| (what.to_owned(), f)));
    for (hops, (load, frame)) in [0, 1].into_iter().cycle().zip(expired) {
        let frame = frame.hops(hops);
        let what = format!("{cell}: {who}, {hops} hops, {load}");
        let message = error(&frame, tags, teller, time_exceeded(family), 0);
        let outcome = (Reason::TtlExceeded, Notice::TimeExceeded);
        stand.tells(&what, by, &frame, &message, outcome);
    }
    for len in [room as usize + 1, 2_500] {
        let frame = side.packet.clone().packet_len(len);
        let message = error(&frame, tags, teller, too_big(family), room);
        let what = format!("{cell}: {who}, {len} bytes");
        stand.tells(
            &what,
            by,
            &frame,
            &message,
            (Reason::TooBig, Notice::TooBig),
        );
    }
}

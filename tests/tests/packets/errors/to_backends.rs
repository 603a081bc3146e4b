//! Errors about what a service sends its clients, on their way to the backend that sent it.

use lvs_common::{ForwardingMode, Reason};

use super::{
    kinds::{errors, port_unreachable},
    relayed::{Flow, within},
    shapes::{SHORT, shapes},
};
use crate::modes::{
    forwarding::arriving,
    network::FAMILIES,
    stand::{Stand, two_interfaces},
    table::Cell,
};
use lvs_tests::packet::INGRESS;

fn cells() -> Vec<Cell> {
    ForwardingMode::ALL
        .iter()
        .flat_map(|m| within(*m))
        .collect()
}

#[test]
fn every_error_reaches_the_backend() {
    let done = two_interfaces().run(|| {
        let cells = cells();
        let mut stand = Stand::new(&cells);
        for (port, cell) in (1_000..).zip(cells) {
            let flow = Flow::open(&mut stand, cell, port);
            let family = cell.pair.client;
            for shape in shapes(family, cell.protocol) {
                let quote = flow.quoted_far(shape);
                for kind in errors(family) {
                    let frame = flow.far(kind, shape, quote.bytes());
                    let expected = flow.far_sent(&mut stand, &frame, &quote);
                    let what = format!("{cell}: {}, {}", kind.what, shape.what);
                    stand.sends(&what, flow.way(), &frame, &expected);
                    stand.count_request(cell, &frame);
                }
            }
        }
        stand.finish();
        Ok(())
    });
    done.expect("a thread in the namespace");
}

/// A balancer in front may send them by the tunnel that it sends clients' packets by.
#[test]
fn errors_that_come_by_tunnels_do_too() {
    let done = two_interfaces().run(|| {
        let cells = cells();
        let mut stand = Stand::new(&cells);
        for (port, cell) in (1_000..).zip(cells) {
            let flow = Flow::open(&mut stand, cell, port);
            let kind = port_unreachable(cell.pair.client);
            let quote = flow.quoted_far(&SHORT);
            let frame = flow.far(&kind, &SHORT, quote.bytes());
            for tunnel in FAMILIES {
                let expected = flow.far_sent(&mut stand, &frame, &quote);
                let what = format!("{cell}, within {tunnel}");
                let arriving = arriving(&frame, Some(tunnel));
                stand.sends(&what, flow.way(), &arriving, &expected);
                stand.count_request(cell, &frame);
            }
        }
        stand.finish();
        Ok(())
    });
    done.expect("a thread in the namespace");
}

/// Nobody is told about errors (RFC 1122 section 3.2.2).
#[test]
fn the_last_hop_is_not_taken() {
    let done = two_interfaces().run(|| {
        let cells = cells();
        let mut stand = Stand::new(&cells);
        stand.tell_all();
        for (port, cell) in (1_000..).zip(cells) {
            let flow = Flow::open(&mut stand, cell, port);
            let quote = flow.quoted_far(&SHORT).bytes();
            let frame = flow.far(&port_unreachable(cell.pair.client), &SHORT, quote);
            for hops in [0, 1] {
                let frame = frame.clone().hops(hops);
                let what = format!("{cell}: {hops} hops");
                stand.drops(&what, INGRESS, &frame, Reason::TtlExceeded);
            }
        }
        stand.finish();
        Ok(())
    });
    done.expect("a thread in the namespace");
}

//! Errors about what clients send, translated, on their way to the client that sent it.

use lvs_common::Reason;

use super::{
    kinds::{errors, port_unreachable},
    relayed::{Flow, translated},
    shapes::{SHORT, shapes},
};
use crate::modes::stand::{Stand, two_interfaces};

#[test]
fn every_error_reaches_the_client() {
    let done = two_interfaces().run(|| {
        let cells = translated();
        let mut stand = Stand::new(&cells);
        for (port, cell) in (1_000..).zip(cells) {
            let flow = Flow::open(&mut stand, cell, port);
            let [to, by] = flow.way();
            for shape in shapes(cell.pair.backend, cell.protocol) {
                let quote = flow.quoted_near(shape);
                for kind in errors(cell.pair.backend) {
                    let router = flow.near(kind, shape, quote.bytes());
                    let backend = flow.by_backend(&router);
                    for (who, frame) in [("a router", router), ("the backend", backend)] {
                        let what = format!("{cell}: {who}, {}, {}", kind.what, shape.what);
                        let expected = flow.near_sent(&frame, &quote);
                        stand.sends(&what, [by, to], &frame, &expected);
                        stand.count_answer(cell, &frame);
                    }
                }
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
        let cells = translated();
        let mut stand = Stand::new(&cells);
        stand.tell_all();
        for (port, cell) in (1_000..).zip(cells) {
            let flow = Flow::open(&mut stand, cell, port);
            let quote = flow.quoted_near(&SHORT).bytes();
            let frame = flow.near(&port_unreachable(cell.pair.backend), &SHORT, quote);
            for hops in [0, 1] {
                let frame = frame.clone().hops(hops);
                let what = format!("{cell}: {hops} hops");
                stand.drops(&what, cell.arms.interface(), &frame, Reason::TtlExceeded);
            }
        }
        stand.finish();
        Ok(())
    });
    done.expect("a thread in the namespace");
}

//! FULLNAT between families: what the table does not have of the new header (RFC 7915).

use lvs_common::{Family, ForwardingMode, Protocol::Tcp, Reason, tcp::ACK};
use lvs_tests::packet::{Frame, Rig, Xdp, compare, source};

use super::{
    expected::translated,
    network::{client, first, near, next},
    stand::rig,
    table::{Pair, V4_TO_V6, V6_TO_V4},
};

const PAIRS: [Pair; 2] = [V6_TO_V4, V4_TO_V6];

/// Sends a frame, which must be sent on.
fn sent(rig: &Rig, frame: &Frame) -> Vec<u8> {
    let (verdict, after) = rig.walk(&frame.bytes()).expect("a walk");
    assert_eq!(verdict, Xdp::Tx, "{}", compare(&frame.bytes(), &after));
    after
}

/// A frame must become another.
fn becomes(rig: &Rig, what: &str, frame: &Frame, expected: &Frame) {
    let (after, expected) = (sent(rig, frame), expected.bytes());
    assert_eq!(after, expected, "{what}: {}", compare(&expected, &after));
}

/// A flow between families.
struct Flow {
    pair: Pair,
    request: Frame,
    answer: Frame,
}

/// The program with a flow of each pair.
fn flows() -> (Rig, [Flow; 2]) {
    let rig = rig(ForwardingMode::FullNat, &PAIRS);
    let flows = PAIRS.map(|pair| Flow::open(&rig, pair));
    (rig, flows)
}

impl Flow {
    fn open(rig: &Rig, pair: Pair) -> Self {
        let (client, vip) = (client(pair.client, 1), pair.vip());
        let origin = source(&sent(rig, &first(Tcp, client, vip))).expect("a packet of TCP");
        Self {
            pair,
            request: next(Tcp, client, vip),
            answer: next(Tcp, pair.backend(ForwardingMode::FullNat), origin),
        }
    }

    /// What `frame` has to become, if it is the client's.
    fn onward(&self, frame: &Frame) -> Frame {
        let (origin, backend) = (self.answer.destination(), self.answer.source());
        let hop = near(self.pair.backend);
        translated(frame.clone().forwarded(&hop), origin, backend)
    }

    /// What it has to become, if it is the backend's.
    fn back(&self, frame: &Frame) -> Frame {
        let (client, vip) = (self.request.source(), self.request.destination());
        translated(frame.clone().forwarded(&self.request.back()), vip, client)
    }
}

#[test]
fn the_traffic_class_is_the_type_of_service() {
    let (rig, flows) = flows();
    for flow in flows {
        let pair = flow.pair;
        for class in 0..=u8::MAX {
            let what = format!("{pair}, class {class:#04x}");
            let request = flow.request.clone().traffic_class(class);
            becomes(&rig, &what, &request, &flow.onward(&request));
            let answer = flow.answer.clone().traffic_class(class);
            becomes(&rig, &what, &answer, &flow.back(&answer));
        }
    }
}

#[test]
fn the_last_hop_is_not_taken() {
    let (rig, flows) = flows();
    for flow in flows {
        let pair = flow.pair;
        for hops in [0, 1] {
            for frame in [&flow.request, &flow.answer] {
                let frame = frame.clone().hops(hops);
                refused(
                    &rig,
                    &format!("{pair}, {hops} hops"),
                    &frame,
                    Reason::TtlExceeded,
                );
            }
        }
    }
}

fn refused(rig: &Rig, what: &str, frame: &Frame, reason: Reason) {
    let counter = format!("reason.{}.packets", reason.as_str());
    let before = rig.state().expect("the counters").get(&counter);
    let (verdict, after) = rig.walk(&frame.bytes()).expect("a walk");
    let now = rig.state().expect("the counters").get(&counter);
    assert_eq!((verdict, now - before), (Xdp::Drop, 1), "{what}");
    assert_eq!(after, frame.bytes(), "{what}");
}

/// A packet of IPv6 is 20 bytes longer than the same of IPv4. What leaves must fit; what came did.
#[test]
fn packets_fit_the_mtu_as_they_leave() {
    // Of gateways, as of their interface, and of the backends' next hops.
    const MTU: usize = 1_500;
    let (rig, flows) = flows();
    for flow in flows {
        let pair = flow.pair;
        let longest = |family| match family {
            Family::Ipv4 => MTU - 20,
            Family::Ipv6 => MTU + 20,
        };
        let what = |who| format!("{pair}, {who}");
        let fits = flow.request.clone().packet_len(longest(pair.client));
        becomes(&rig, &what("request"), &fits, &flow.onward(&fits));
        let large = flow.request.clone().packet_len(longest(pair.client) + 1);
        refused(&rig, &what("a byte more"), &large, Reason::TooBig);
        let fits = flow.answer.clone().packet_len(longest(pair.backend));
        becomes(&rig, &what("answer"), &fits, &flow.back(&fits));
        let large = flow.answer.clone().packet_len(longest(pair.backend) + 1);
        refused(&rig, &what("a byte more back"), &large, Reason::TooBig);
    }
}

/// Options go, and leave room.
#[test]
fn packets_fit_the_mtu_without_their_options() {
    let (rig, flows) = flows();
    for flow in flows {
        let pair = flow.pair;
        let (frame, is_request) = match pair {
            V4_TO_V6 => (&flow.request, true),
            _ => (&flow.answer, false),
        };
        // 60 bytes of header become 40.
        let frame = frame.clone().options(&[1; 40]).packet_len(1520);
        let expected = if is_request {
            flow.onward(&frame)
        } else {
            flow.back(&frame)
        };
        becomes(&rig, &pair.to_string(), &frame.flags(ACK), &expected);
    }
}

//! No link has less than a certain MTU, so that nobody is told of one (RFC 791 section 3.2, RFC 8200
//! section 5).

use lvs_common::{ForwardingMode, Protocol::Tcp, Reason, map::Notice};
use lvs_tests::packet::{Case, Hop};

use super::told::{MANY, error, too_big};
use crate::modes::{
    network::{Tags, client, first, near},
    stand,
    table::{Pair, V4, V4_TO_V6, V6, V6_TO_V4},
};

/// Pairs, with the header of their tunnels and the smallest MTU of the client's family.
const ROWS: [(Pair, u32, u32); 4] = [
    (V4, 20, 68),
    (V4_TO_V6, 40, 68),
    (V6, 40, 1_280),
    (V6_TO_V4, 20, 1_280),
];

#[test]
fn nobody_is_told_of_less() {
    let mut rig = stand::rig(ForwardingMode::Tun, &Pair::ALL);
    rig.allow_notices(MANY, MANY).expect("a rate");
    for (pair, header, smallest) in ROWS {
        let (hop, vip) = (near(pair.backend), pair.vip());
        let opening = first(Tcp, client(pair.client, 1), vip);
        rig.walk(&opening.bytes()).expect("a walk");
        let frame = opening.packet_len(1_400);
        for room in [smallest, smallest - 1] {
            let mtu = room + header;
            rig.move_backend(pair.web(), Some(Hop { mtu, ..hop }))
                .expect("another link");
            let what = format!("{pair}: MTU {mtu}");
            rig.run([if room < smallest {
                Case::untouched(what, frame.bytes(), Reason::TooBig)
            } else {
                let kind = too_big(pair.client);
                let message = error(&frame, Tags::Untagged, vip.ip(), kind, room);
                Case::told(what, &frame, &message, Reason::TooBig, Notice::TooBig)
            }]);
        }
    }
}

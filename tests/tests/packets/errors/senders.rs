//! What of a packet its sender's message depends on, besides its type.

use lvs_common::{Family, ForwardingMode, Protocol::Tcp, Reason, map::Notice};
use lvs_tests::packet::{Case, Frame, Rig};

use super::told::{MANY, error, time_exceeded, too_big};
use crate::{
    farm::{CUSTOMER, PROVIDER},
    modes::{
        network::{FAMILIES, Tags, client, first, in_tunnel, next},
        stand::{self, end_tunnels},
        table::{Pair, V4, V6},
    },
};

/// With a flow of each family's client with port 1.
fn rig() -> Rig {
    let mut rig = stand::rig(ForwardingMode::Nat, &[V4, V6]);
    rig.allow_notices(MANY, MANY).expect("a rate");
    for pair in [V4, V6] {
        let opening = first(Tcp, client(pair.client, 1), pair.vip());
        rig.walk(&opening.bytes()).expect("a walk");
    }
    rig
}

/// The client's packet.
fn packet(pair: Pair) -> Frame {
    next(Tcp, client(pair.client, 1), pair.vip())
}

fn expired(what: String, pair: Pair, frame: &Frame, tags: Tags) -> Case {
    let kind = time_exceeded(pair.client);
    let message = error(frame, tags, pair.vip().ip(), kind, 0);
    let (reason, notice) = (Reason::TtlExceeded, Notice::TimeExceeded);
    Case::told(what, frame, &message, reason, notice)
}

#[test]
fn every_class() {
    let rig = rig();
    for pair in [V4, V6] {
        rig.run((0..=u8::MAX).map(|class| {
            let frame = packet(pair).hops(1).traffic_class(class);
            let what = format!("{pair}: class {class:#04x}");
            expired(what, pair, &frame, Tags::Untagged)
        }));
    }
}

/// The network stays, the priority is the sender's own matter.
#[test]
fn every_way_to_tag() {
    let rig = rig();
    for pair in [V4, V6] {
        for (tags, header) in [
            (Tags::Untagged, &[(CUSTOMER, 0xa000)][..]),
            (Tags::Vlan, &[(CUSTOMER, 0xe064)]),
            (Tags::Vlan, &[(PROVIDER, 0x0064)]),
            (Tags::QinQ, &[(PROVIDER, 0x612c), (CUSTOMER, 0x70c8)]),
            (Tags::QinQ, &[(CUSTOMER, 0x012c), (CUSTOMER, 0x00c8)]),
        ] {
            let frame = packet(pair).hops(1).tags(header);
            let what = format!("{pair}: {header:x?}");
            rig.run([expired(what, pair, &frame, tags)]);
        }
    }
}

/// They may not know what to do with the message.
#[test]
fn who_does_not_say_df_may_be_left_untold() {
    let mut rig = rig();
    for is_quiet in [false, true] {
        rig.set_quiet_without_df(is_quiet).expect("settings");
        for (pair, says_df) in [V4, V6]
            .into_iter()
            .flat_map(|p| [true, false].map(|d| (p, d)))
        {
            let frame = packet(pair).dont_fragment(says_df).packet_len(1_501);
            let kind = too_big(pair.client);
            let message = error(&frame, Tags::Untagged, pair.vip().ip(), kind, 1_500);
            // There is no such flag in IPv6.
            let is_told = says_df || !is_quiet || pair.client == Family::Ipv6;
            let what = format!("{pair}, quiet: {is_quiet}, DF: {says_df}");
            rig.run([if is_told {
                Case::told(what, &frame, &message, Reason::TooBig, Notice::TooBig)
            } else {
                Case::untouched(what, frame.bytes(), Reason::TooBig)
            }]);
        }
    }
}

/// The way back is that of the tunnel's frames, without the tunnel.
#[test]
fn packets_that_came_by_tunnels() {
    let mut rig = rig();
    end_tunnels(&mut rig);
    for (pair, tunnel) in [V4, V6].into_iter().flat_map(|p| FAMILIES.map(|t| (p, t))) {
        for tags in Tags::ALL {
            let frame = packet(pair).hops(1).tags(tags.header());
            let what = format!("{pair} within {tunnel}, {tags:?}");
            let case = expired(what, pair, &frame, tags);
            rig.run([case.arriving(&in_tunnel(frame, tunnel))]);
        }
    }
}

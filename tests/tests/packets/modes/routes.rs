//! Answers where the host has a route to the client: what the client's packets come from may be another
//! balancer, which is no way back.

use lvs_common::{ForwardingMode, Protocol::Tcp};
use lvs_tests::{
    lab::{Namespace, command::output},
    packet::{Frame, Hop, INGRESS, Rig, Xdp, compare, source},
};

use super::{
    expected::translated,
    network::{DMZ, DMZ_MAC, Tags, client, first, next},
    stand::{rig, two_interfaces},
    table::{Pair, impossible},
};

/// The router that the host's routes to clients lead over.
const ROUTER: &str = "02:99:00:00:00:01";
const ROUTER_MAC: [u8; 6] = [0x02, 0x99, 0, 0, 0, 0x01];

/// A host that forwards, and knows the clients' networks behind [`DMZ`].
fn host() -> Namespace {
    let namespace = two_interfaces();
    let run = |program: &str, line: &str| {
        output(namespace.command(program).args(line.split(' '))).expect("a command of the host");
    };
    for line in ["net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1"] {
        run("sysctl", &format!("-qw {line}"));
    }
    for line in [
        "link set far up",
        "link set dmz up",
        "addr add 203.0.113.1/24 dev dmz",
        "addr add 2001:db8:9::1/64 dev dmz nodad",
        &format!("neigh add 203.0.113.254 lladdr {ROUTER} dev dmz nud permanent"),
        &format!("neigh add 2001:db8:9::fe lladdr {ROUTER} dev dmz nud permanent"),
        "route add 192.0.2.0/24 via 203.0.113.254",
        "route add 2001:db8:c::/64 via 2001:db8:9::fe",
    ] {
        run("ip", line);
    }
    namespace
}

/// Where the answers to packets with these tags must go, and how.
fn way_back(request: &Frame, tags: Tags) -> (Hop, Xdp) {
    if tags != Tags::Untagged {
        // The host knows nothing of networks behind tags.
        return (request.back(), Xdp::Tx);
    }
    let router = Hop {
        interface: DMZ,
        to: ROUTER_MAC,
        from: DMZ_MAC,
        ..Hop::neighbour(0)
    };
    (router, Xdp::Redirect)
}

fn check(rig: &Rig, mode: ForwardingMode, pair: Pair) {
    for (port, tags) in (1..).zip(Tags::ALL) {
        let what = format!("{mode}, {pair}, {tags:?}");
        let (client, vip) = (client(pair.client, port), pair.vip());
        let request = first(Tcp, client, vip).tags(tags.header());
        let (verdict, after) = rig.walk_by(INGRESS, &request.bytes()).expect("a walk");
        assert_eq!(verdict, Xdp::Tx, "{what}");
        let origin = source(&after).expect("a packet of TCP");
        let answer = next(Tcp, pair.backend(mode), origin);
        let (hop, verdict) = way_back(&request, tags);
        let sent = match verdict {
            Xdp::Tx => answer.clone().tags(tags.header()),
            _ => answer.clone(),
        };
        let expected = translated(sent.forwarded(&hop), vip, client).bytes();
        let (got, after) = rig.walk_by(INGRESS, &answer.bytes()).expect("a walk");
        assert_eq!(after, expected, "{what}: {}", compare(&expected, &after));
        assert_eq!(got, verdict, "{what}");
    }
}

#[test]
fn answers_go_where_the_host_routes_them() {
    let done = host().run(|| {
        for mode in [ForwardingMode::Nat, ForwardingMode::FullNat] {
            let pairs = Pair::ALL.into_iter();
            let pairs: Vec<_> = pairs.filter(|p| impossible(mode, *p).is_none()).collect();
            let mut rig = rig(mode, &pairs);
            rig.add_interface(DMZ, DMZ_MAC).expect("another interface");
            for pair in pairs {
                check(&rig, mode, pair);
            }
        }
        Ok(())
    });
    done.expect("a thread in the namespace");
}

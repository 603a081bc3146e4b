//! Backends that are the balancer itself: the host gets the packet.
//!
//! What cannot be seen here is the way back: a NAT backend on this machine answers through the host's
//! stack, which no XDP program of an ingress sees. IPVS has the same (`ip_vs_nat_xmit`, `RTCF_LOCAL`).

use lvs_common::{ForwardingMode, Protocol, Reason};
use lvs_tests::packet::{BackendSpec, Case, Frame, Hop, Rig, ServiceSpec};

use super::{
    network::{Tags, client, first},
    table::{Pair, impossible, loads},
};

const PROTOCOLS: [Protocol; 2] = [Protocol::Tcp, Protocol::Udp];

/// Name of the service of a pair and protocol.
fn name(pair: Pair, protocol: Protocol) -> String {
    format!(
        "{}:{}:{protocol}",
        pair.client.as_str(),
        pair.backend.as_str()
    )
}

fn pairs(mode: ForwardingMode) -> impl Iterator<Item = Pair> {
    let all = Pair::ALL.into_iter();
    all.filter(move |pair| impossible(mode, *pair).is_none())
}

fn rig(mode: ForwardingMode) -> Rig {
    let service = |pair: Pair, protocol| {
        let spec = BackendSpec {
            mode,
            address: Some(pair.backend(mode)),
            ..BackendSpec::behind(Hop::LOCAL)
        };
        ServiceSpec::new(name(pair, protocol), protocol, pair.vip(), [spec])
    };
    let all = pairs(mode).flat_map(|pair| PROTOCOLS.map(|protocol| service(pair, protocol)));
    Rig::new(&all.collect::<Vec<_>>())
}

/// Everything a client may send: also what would not get any further, and what is longer than a frame of
/// any interface.
fn packets(pair: Pair, protocol: Protocol, first: &Frame) -> Vec<(&'static str, Frame)> {
    let mut packets = vec![
        ("as hosts send it", first.clone()),
        ("its last hop", first.clone().hops(1)),
        ("long", first.clone().packet_len(3_000)),
    ];
    packets.extend(loads(pair.client, protocol, first));
    packets
}

/// Runs flows of every kind; `after` says what a frame becomes.
fn run(mode: ForwardingMode, after: impl Fn(&Frame, Pair) -> Frame) {
    let rig = rig(mode);
    for pair in pairs(mode) {
        let mut port = 0;
        for (protocol, tags) in PROTOCOLS
            .into_iter()
            .flat_map(|p| Tags::ALL.map(|t| (p, t)))
        {
            let example = first(protocol, client(pair.client, 1), pair.vip());
            let example = example.tags(tags.header());
            for (what, frame) in packets(pair, protocol, &example) {
                port += 1;
                let frame = frame.between(client(pair.client, port), pair.vip());
                let what = format!("{mode}, {pair}, {protocol}, {tags:?}: {what}");
                let backend = &format!("{}-1", name(pair, protocol));
                let row = |what: &str| {
                    let after = after(&frame, pair);
                    Case::passed(what, &frame, &after, Reason::Local).counted(&frame, backend)
                };
                let opens = match protocol {
                    Protocol::Tcp => row(&what).opens_active(backend),
                    Protocol::Udp => row(&what).opens_inactive(backend),
                };
                rig.run([opens, row(&format!("{what}, again"))]);
            }
        }
    }
}

#[test]
fn dr_leaves_the_frame_as_it_is() {
    run(ForwardingMode::Dr, |frame, _| frame.clone());
}

/// No tunnel leads to where the packet is.
#[test]
fn tun_leaves_the_frame_as_it_is() {
    run(ForwardingMode::Tun, |frame, _| frame.clone());
}

/// It gets no further, so that no hop is taken; the Ethernet header stays.
#[test]
fn nat_gives_the_packet_the_backends_address() {
    run(ForwardingMode::Nat, |frame, pair| {
        frame
            .clone()
            .between(frame.source(), pair.backend(ForwardingMode::Nat))
    });
}

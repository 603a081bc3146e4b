//! What has to come out, from what the packet says.

use std::net::{IpAddr, SocketAddr};

use lvs_common::{Family, ForwardingMode};
use lvs_tests::packet::{Frame, IpHeader};

use super::{network::balancer, table::Cell};

/// ECN's mark of a packet that saw congestion, and one that may (RFC 3168).
pub(crate) const CE: u8 = 3;
pub(crate) const ECT_0: u8 = 2;

/// The header around a packet that is on its way through a tunnel, as the kernel's IPVS writes it
/// (`ip_vs_tunnel_xmit`, with RFC 3168's full functionality), after the packet's hop was taken.
pub(crate) fn outer(
    inner: &IpHeader,
    source: IpAddr,
    destination: IpAddr,
    identification: u16,
) -> IpHeader {
    let ecn = match inner.traffic_class & 3 {
        // The tunnel begins without congestion of its own.
        CE => ECT_0,
        ecn => ecn,
    };
    let dont_fragment = inner.source.is_ipv4() && inner.dont_fragment;
    IpHeader {
        traffic_class: inner.traffic_class & !3 | ecn,
        hops: inner.hops,
        dont_fragment,
        identification: if dont_fragment { 0 } else { identification },
        ..IpHeader::new(source, destination)
    }
}

/// Whether the header around a packet needs an identification of its own.
pub(crate) fn is_numbered(inner: &IpHeader, outer: Family) -> bool {
    outer == Family::Ipv4 && !(inner.source.is_ipv4() && inner.dont_fragment)
}

/// The packet with other addresses and ports. Between families it gets a header without anything that the
/// other has not (RFC 7915, sections 4.1 and 5.1).
pub(crate) fn translated(frame: Frame, from: SocketAddr, to: SocketAddr) -> Frame {
    let crosses = frame.ip().source.is_ipv4() != to.is_ipv4();
    let frame = frame.between(from, to);
    if !crosses {
        return frame;
    }
    frame
        .options(&[])
        .flow_label(0)
        .identification(0)
        .dont_fragment(true)
}

/// A client's packet, as the backend has to get it. Its flow seems to come from `origin`, and its tunnel's
/// header has this identification if it needs one.
pub(crate) fn request(cell: Cell, frame: &Frame, origin: SocketAddr, identification: u16) -> Frame {
    let (hop, backend) = (cell.hop(), cell.backend());
    let sent = frame.clone().tags(cell.network.header()).forwarded(&hop);
    match cell.mode {
        ForwardingMode::Dr => sent,
        ForwardingMode::Tun => {
            let source = balancer(cell.pair.backend);
            let outer = outer(sent.ip(), source, backend.ip(), identification);
            sent.within(outer)
        }
        ForwardingMode::Nat | ForwardingMode::FullNat => translated(sent, origin, backend),
    }
}

/// A backend's packet, as the gateway that the client's `request` came from has to get it.
pub(crate) fn answer(cell: Cell, frame: &Frame, client: SocketAddr, request: &Frame) -> Frame {
    let sent = frame.clone().tags(cell.came.header());
    translated(sent.forwarded(&request.back()), cell.vip(), client)
}

//! The cells: mode, families of client and backend, protocol, tags before and after, arms.

use std::{collections::BTreeSet, fmt, net::SocketAddr};

use lvs_common::{Family, ForwardingMode, Protocol};
use lvs_tests::packet::{Frame, Hop};

use super::network::{Arms, FAMILIES, Tags, backend, hop, vip};

/// Families of the client, whose is the service's, and of the backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pair {
    pub(crate) client: Family,
    pub(crate) backend: Family,
}

pub(crate) const V4: Pair = Pair {
    client: Family::Ipv4,
    backend: Family::Ipv4,
};
pub(crate) const V6: Pair = Pair {
    client: Family::Ipv6,
    backend: Family::Ipv6,
};
pub(crate) const V6_TO_V4: Pair = Pair {
    client: Family::Ipv6,
    backend: Family::Ipv4,
};
pub(crate) const V4_TO_V6: Pair = Pair {
    client: Family::Ipv4,
    backend: Family::Ipv6,
};

impl Pair {
    pub(crate) const ALL: [Self; 4] = [V4, V6, V6_TO_V4, V4_TO_V6];

    pub(crate) fn crosses(self) -> bool {
        self.client != self.backend
    }

    fn number(self) -> u16 {
        2 * u16::from(self.client == Family::Ipv6) + u16::from(self.backend == Family::Ipv6)
    }

    /// Name of the single backend of [`service`](super::stand::service).
    pub(crate) fn web(self) -> &'static str {
        ["web44-1", "web46-1", "web64-1", "web66-1"][usize::from(self.number())]
    }

    /// Address and port of that service.
    pub(crate) fn vip(self) -> SocketAddr {
        vip(self.client, 80 + self.number())
    }

    /// Those of that backend.
    pub(crate) fn backend(self, mode: ForwardingMode) -> SocketAddr {
        let first = if mode.translates() { 8_080 } else { 80 };
        backend(self.backend, first + self.number())
    }
}

impl fmt::Display for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} to {}", self.client.as_str(), self.backend.as_str())
    }
}

/// Why there can be no cells of a mode between these families, if so.
pub(crate) fn impossible(mode: ForwardingMode, pair: Pair) -> Option<&'static str> {
    match mode {
        ForwardingMode::Dr if pair.crosses() => {
            Some("the packet stays as it is, and a host of the other family alone cannot take it")
        }
        ForwardingMode::Nat if pair.crosses() => {
            Some("the source stays the client's, which the other family cannot express")
        }
        _ => None,
    }
}

/// A cell: packets of one flow.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cell {
    pub(crate) mode: ForwardingMode,
    pub(crate) pair: Pair,
    pub(crate) protocol: Protocol,
    /// Tags that the client's frames come with.
    pub(crate) came: Tags,
    /// Those of the backend's network.
    pub(crate) network: Tags,
    pub(crate) arms: Arms,
}

impl Cell {
    /// All of a mode.
    pub(crate) fn of_mode(mode: ForwardingMode) -> Vec<Self> {
        let pairs = Pair::ALL.into_iter();
        let possible = pairs.filter(|pair| impossible(mode, *pair).is_none());
        possible.flat_map(|pair| Self::all(mode, pair)).collect()
    }

    /// All of a mode and a pair.
    pub(crate) fn all(mode: ForwardingMode, pair: Pair) -> Vec<Self> {
        let mut cells = Vec::new();
        for protocol in [Protocol::Tcp, Protocol::Udp] {
            for (network, arms) in Tags::ALL
                .into_iter()
                .flat_map(|t| Arms::ALL.map(|a| (t, a)))
            {
                cells.extend(Tags::ALL.map(|came| Self {
                    mode,
                    pair,
                    protocol,
                    came,
                    network,
                    arms,
                }));
            }
        }
        cells
    }

    /// Number of its service.
    fn number(self) -> u16 {
        let mut number = self.mode as u16;
        for (is_so, choice, choices) in [
            (self.pair.client == Family::Ipv6, 1, 2),
            (self.pair.backend == Family::Ipv6, 1, 2),
            (self.protocol == Protocol::Udp, 1, 2),
            (true, self.network as u16, 3),
            (true, self.arms as u16, 2),
        ] {
            number = number * choices + choice * u16::from(is_so);
        }
        number
    }

    /// Name of its service, which it shares with cells of other tags before.
    pub(crate) fn service(self) -> String {
        let Self {
            mode,
            pair,
            protocol,
            network,
            arms,
            ..
        } = self;
        let (from, to) = (pair.client.as_str(), pair.backend.as_str());
        format!("{mode}:{from}:{to}:{protocol}:{network:?}:{arms:?}")
    }

    /// Address and port of that service.
    pub(crate) fn vip(self) -> SocketAddr {
        vip(self.pair.client, 8_000 + self.number())
    }

    /// Those of its backend.
    pub(crate) fn backend(self) -> SocketAddr {
        let port = match self.mode {
            ForwardingMode::Dr | ForwardingMode::Tun => self.vip().port(),
            _ => 9_000 + self.number(),
        };
        backend(self.pair.backend, port)
    }

    /// The way there.
    pub(crate) fn hop(self) -> Hop {
        hop(self.pair.backend, self.network, self.arms)
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}, {}, {}, {:?} to {:?}, arms: {:?}",
            self.mode, self.pair, self.protocol, self.came, self.network, self.arms
        )
    }
}

/// What a packet must be for a load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Carrier {
    Any,
    Ipv4,
    Ipv6,
    /// A datagram over IPv4: in IPv6 there must be a checksum (RFC 8200).
    Udp4,
}

impl Carrier {
    /// Whether a packet of this family and protocol is that.
    pub(crate) fn fits(self, family: Family, protocol: Protocol) -> bool {
        match self {
            Self::Any => true,
            Self::Ipv4 => family == Family::Ipv4,
            Self::Ipv6 => family == Family::Ipv6,
            Self::Udp4 => family == Family::Ipv4 && protocol == Protocol::Udp,
        }
    }
}

type Load = (&'static str, Carrier, fn(Frame) -> Frame);

/// What differs between the packets of a flow. Both sides send them all.
const LOADS: [Load; 13] = [
    ("no data", Carrier::Any, |frame| frame.payload(0)),
    ("odd data", Carrier::Any, |frame| frame.payload(333)),
    // A tunnel adds up to 40 bytes.
    ("most data", Carrier::Any, |frame| frame.packet_len(1_460)),
    ("two hops left", Carrier::Any, |frame| frame.hops(2)),
    ("most hops", Carrier::Any, |frame| frame.hops(255)),
    ("not ECT", Carrier::Any, |frame| frame.traffic_class(0xb8)),
    ("ECT(1)", Carrier::Any, |frame| frame.traffic_class(0xb9)),
    ("ECT(0)", Carrier::Any, |frame| frame.traffic_class(0xba)),
    ("CE", Carrier::Any, |frame| frame.traffic_class(0xbb)),
    ("may be fragmented", Carrier::Ipv4, |frame| {
        frame.dont_fragment(false).identification(0xfffe)
    }),
    ("options", Carrier::Ipv4, |frame| {
        frame.options(&[7, 7, 4, 0, 0, 0, 0, 0]).payload(5)
    }),
    ("a flow label", Carrier::Ipv6, |frame| {
        frame.flow_label(0xb_eef5)
    }),
    ("no checksum", Carrier::Udp4, Frame::without_checksum),
];

/// Names and variants of a packet of this family and protocol.
pub(crate) fn loads(
    family: Family,
    protocol: Protocol,
    frame: &Frame,
) -> Vec<(&'static str, Frame)> {
    let all = LOADS.iter();
    let chosen = all.filter(|(_, carrier, _)| carrier.fits(family, protocol));
    chosen
        .map(|(what, _, load)| (*what, load(frame.clone())))
        .collect()
}

#[test]
fn every_cell_is_there_or_cannot_be() {
    let all =
        ForwardingMode::ALL.len() * FAMILIES.len().pow(2) * Cell::all(ForwardingMode::Dr, V4).len();
    assert_eq!(all, 4 * 4 * 2 * 3 * 3 * 2);
    let mut there = 0;
    let (mut names, mut vips) = (BTreeSet::new(), BTreeSet::new());
    for (mode, pair) in ForwardingMode::ALL
        .iter()
        .flat_map(|m| Pair::ALL.map(|p| (*m, p)))
    {
        let cells = Cell::all(mode, pair);
        if impossible(mode, pair).is_none() {
            there += cells.len();
        }
        names.extend(cells.iter().map(|cell| cell.service()));
        vips.extend(cells.iter().map(|cell| cell.vip()));
    }
    assert_eq!((there, all - there), (432, 144));
    // Of each combination without the tags before.
    assert_eq!((names.len(), vips.len()), (all / 3, all / 3));
}

//! What errors look like besides their type: what they quote, how much of it, and their own header.

use lvs_common::{Family, Protocol};
use lvs_tests::packet::{Frame, Quote};

use crate::modes::table::Carrier;

/// A way to write an error.
#[derive(Clone, Copy)]
pub(crate) struct Shape {
    pub(crate) what: &'static str,
    carrier: Carrier,
    /// The packet that it is about.
    pub(crate) packet: fn(Frame) -> Frame,
    /// What it has of it.
    pub(crate) quote: fn(Quote) -> Quote,
    /// Its own header.
    pub(crate) error: fn(Frame) -> Frame,
}

/// As most routers of IPv4 write it (RFC 792): the quoted packet says more than there is.
pub(crate) const SHORT: Shape = Shape {
    what: "eight bytes of the transport header",
    carrier: Carrier::Any,
    packet: |frame| frame.payload(100),
    quote: |quote| quote.cut(8),
    error: |frame| frame,
};

/// Options of IPv4: nothing at all, but for the last byte.
const NO_OPERATIONS: [u8; 40] = [1; 40];

const SHAPES: [Shape; 17] = [
    SHORT,
    Shape {
        what: "the ports alone",
        quote: |quote| quote.cut(4),
        ..SHORT
    },
    Shape {
        what: "an odd length",
        quote: |quote| quote.cut(67),
        ..SHORT
    },
    Shape {
        what: "the whole packet",
        quote: |quote| quote,
        ..SHORT
    },
    Shape {
        what: "a whole packet without data",
        packet: |frame| frame.payload(0),
        quote: |quote| quote,
        ..SHORT
    },
    Shape {
        what: "a long quote",
        packet: |frame| frame.payload(1_300),
        quote: |quote| quote.cut(520),
        ..SHORT
    },
    Shape {
        what: "all of a long packet",
        packet: |frame| frame.payload(1_200),
        quote: |quote| quote,
        ..SHORT
    },
    Shape {
        what: "ECN and a DSCP",
        packet: |frame| frame.traffic_class(0xbb),
        error: |frame| frame.traffic_class(0xc0),
        ..SHORT
    },
    Shape {
        what: "two hops left",
        error: |frame| frame.hops(2),
        ..SHORT
    },
    Shape {
        what: "most hops",
        error: |frame| frame.hops(255),
        ..SHORT
    },
    Shape {
        what: "flow labels",
        carrier: Carrier::Ipv6,
        packet: |frame| frame.flow_label(0x1_2345),
        error: |frame| frame.flow_label(0xb_eef5),
        ..SHORT
    },
    Shape {
        what: "may be fragmented",
        carrier: Carrier::Ipv4,
        packet: |frame| frame.dont_fragment(false),
        error: |frame| frame.dont_fragment(false).identification(0xfffe),
        ..SHORT
    },
    Shape {
        what: "options in the quoted packet",
        carrier: Carrier::Ipv4,
        packet: |frame| frame.options(&[7, 7, 4, 0, 0, 0, 0, 0]),
        ..SHORT
    },
    Shape {
        what: "options of its own",
        carrier: Carrier::Ipv4,
        error: |frame| frame.options(&[7, 7, 4, 0, 0, 0, 0, 0]),
        ..SHORT
    },
    Shape {
        what: "most options, and the ports alone",
        carrier: Carrier::Ipv4,
        packet: |frame| frame.options(&NO_OPERATIONS),
        quote: |quote| quote.cut(4),
        error: |frame| frame.options(&NO_OPERATIONS),
    },
    Shape {
        what: "a first fragment",
        carrier: Carrier::Ipv4,
        quote: |quote| quote.cut(64).fragment(0),
        ..SHORT
    },
    Shape {
        what: "no checksum",
        carrier: Carrier::Udp4,
        packet: Frame::without_checksum,
        ..SHORT
    },
];

/// All that there are of errors about packets of this family and protocol.
pub(crate) fn shapes(family: Family, protocol: Protocol) -> impl Iterator<Item = &'static Shape> {
    let all = SHAPES.iter();
    all.filter(move |shape| shape.carrier.fits(family, protocol))
}

//! Types and codes of errors (RFC 792, RFC 1122, RFC 1812, RFC 4443).

use lvs_common::Family;

/// Type and code, and what follows the checksum.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kind {
    pub(crate) what: &'static str,
    pub(crate) number: (u8, u8),
    pub(crate) word: u32,
}

const fn kind(what: &'static str, number: (u8, u8), word: u32) -> Kind {
    Kind { what, number, word }
}

/// Those of IPv4 that IPVS sends on (`ip_vs_in_icmp`).
const V4: &[Kind] = &[
    kind("net unreachable", (3, 0), 0),
    kind("host unreachable", (3, 1), 0),
    kind("port unreachable", (3, 3), 0),
    kind("fragmentation needed", (3, 4), 1_400),
    kind("prohibited", (3, 13), 0),
    kind("source quench", (4, 0), 0),
    kind("time exceeded", (11, 0), 0),
    kind("reassembly time exceeded", (11, 1), 0),
];

/// Of IPv6 all errors (`ip_vs_in_icmp_v6`).
const V6: &[Kind] = &[
    kind("no route", (1, 0), 0),
    kind("prohibited", (1, 1), 0),
    kind("address unreachable", (1, 3), 0),
    kind("port unreachable", (1, 4), 0),
    kind("packet too big", (2, 0), 1_400),
    kind("hop limit exceeded", (3, 0), 0),
    kind("an erroneous field", (4, 0), 7),
    kind("an unknown next header", (4, 1), 6),
];

/// Errors that are sent on.
pub(crate) const fn errors(family: Family) -> &'static [Kind] {
    match family {
        Family::Ipv4 => V4,
        Family::Ipv6 => V6,
    }
}

/// One of them.
pub(crate) const fn port_unreachable(family: Family) -> Kind {
    match family {
        Family::Ipv4 => V4[2],
        Family::Ipv6 => V6[3],
    }
}

const OTHERS_V4: &[Kind] = &[
    kind("an echo reply", (0, 0), 0x0007_0001),
    kind("a redirect", (5, 1), 0xc000_02fe),
    kind("an echo request", (8, 0), 0x0007_0001),
    kind("a router advertisement", (9, 0), 0),
    kind("a parameter problem", (12, 0), 0x1400_0000),
    kind("a timestamp request", (13, 0), 0x0007_0001),
];

const OTHERS_V6: &[Kind] = &[
    kind("an echo request", (128, 0), 0x0007_0001),
    kind("an echo reply", (129, 0), 0x0007_0001),
    kind("a listener report", (131, 0), 0),
    kind("a router solicitation", (133, 0), 0),
    kind("a router advertisement", (134, 0), 0x4000_0708),
    kind("a neighbour solicitation", (135, 0), 0),
    kind("a neighbour advertisement", (136, 0), 0x6000_0000),
    kind("a redirect", (137, 0), 0),
];

/// Messages that are not, whatever follows their header.
pub(crate) const fn others(family: Family) -> &'static [Kind] {
    match family {
        Family::Ipv4 => OTHERS_V4,
        Family::Ipv6 => OTHERS_V6,
    }
}

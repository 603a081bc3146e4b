//! IP headers of either family, by what they say.

use std::net::IpAddr;

use etherparse::{
    IpFragOffset, IpHeaders, IpNumber, Ipv4Extensions, Ipv4Header, Ipv4Options, Ipv6Extensions,
    Ipv6FlowLabel, Ipv6Header,
};

/// An IP header of the family of its addresses; what the other family alone has does not count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IpHeader {
    /// Source address.
    pub source: IpAddr,
    /// Destination address, of the same family.
    pub destination: IpAddr,
    /// Traffic class, or type of service: DSCP in the upper six bits, ECN in the lower two (RFC 3168).
    pub traffic_class: u8,
    /// TTL or hop limit.
    pub hops: u8,
    /// IPv6: flow label, 20 bits.
    pub flow_label: u32,
    /// IPv4: whether it must not be fragmented.
    pub dont_fragment: bool,
    /// IPv4: whether more fragments follow.
    pub more_fragments: bool,
    /// IPv4: where in its datagram a fragment belongs, in units of eight bytes.
    pub fragment_offset: u16,
    /// IPv4: identification.
    pub identification: u16,
    /// IPv4: options, a multiple of four bytes.
    pub options: Vec<u8>,
}

impl IpHeader {
    /// As hosts write them: 64 hops, not to be fragmented, nothing special.
    pub const fn new(source: IpAddr, destination: IpAddr) -> Self {
        Self {
            source,
            destination,
            traffic_class: 0,
            hops: 64,
            flow_label: 0,
            dont_fragment: true,
            more_fragments: false,
            fragment_offset: 0,
            identification: 0x1d05,
            options: Vec::new(),
        }
    }

    /// `EtherType` of its frame.
    pub(super) const fn ether_type(&self) -> u16 {
        if self.source.is_ipv4() {
            0x0800
        } else {
            0x86dd
        }
    }

    /// Protocol number of its packet within another (RFC 2003, RFC 2473).
    pub(super) const fn number(&self) -> IpNumber {
        if self.source.is_ipv4() {
            IpNumber::IPV4
        } else {
            IpNumber::IPV6
        }
    }

    /// For what carries this protocol; lengths and checksum are still to be computed.
    pub(super) fn headers(&self, protocol: IpNumber) -> IpHeaders {
        match (self.source, self.destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                let options = Ipv4Options::try_from(self.options.as_slice());
                let offset = IpFragOffset::try_new(self.fragment_offset);
                let mut header = Ipv4Header {
                    identification: self.identification,
                    dont_fragment: self.dont_fragment,
                    more_fragments: self.more_fragments,
                    fragment_offset: offset.unwrap_or_default(),
                    time_to_live: self.hops,
                    protocol,
                    source: source.octets(),
                    destination: destination.octets(),
                    options: options.unwrap_or_default(),
                    ..Ipv4Header::default()
                };
                (header.dscp, header.ecn) = halves(self.traffic_class);
                IpHeaders::Ipv4(header, Ipv4Extensions::default())
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                let header = Ipv6Header {
                    traffic_class: self.traffic_class,
                    flow_label: Ipv6FlowLabel::try_new(self.flow_label).unwrap_or_default(),
                    hop_limit: self.hops,
                    next_header: protocol,
                    source: source.octets(),
                    destination: destination.octets(),
                    ..Ipv6Header::default()
                };
                IpHeaders::Ipv6(header, Ipv6Extensions::default())
            }
            (source, destination) => unreachable!("{source} and {destination} in one packet"),
        }
    }

    /// Puts it before a packet of this protocol.
    pub(super) fn wrap(&self, protocol: IpNumber, packet: &[u8]) -> Vec<u8> {
        let mut headers = self.headers(protocol);
        let mut whole = Vec::new();
        let fits = headers.set_payload_len(packet.len());
        assert!(fits.is_ok(), "no such packet: {fits:?}");
        let written = headers.write(&mut whole);
        assert!(written.is_ok(), "no such header: {written:?}");
        whole.extend(packet);
        whole
    }
}

/// DSCP and ECN of a traffic class.
fn halves(traffic_class: u8) -> (etherparse::IpDscp, etherparse::IpEcn) {
    let dscp = etherparse::IpDscp::try_new(traffic_class >> 2);
    let ecn = etherparse::IpEcn::try_new(traffic_class & 3);
    (dscp.unwrap_or_default(), ecn.unwrap_or_default())
}

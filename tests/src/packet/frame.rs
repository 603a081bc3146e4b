//! Frames with right lengths and checksums.
//!
//! They are put together by `etherparse`, which computes checksums in full and shares no code with
//! the data plane that updates them.

use std::net::{IpAddr, SocketAddr};

use etherparse::{
    IpFragOffset, IpHeaders, IpNumber, Ipv4Extensions, Ipv4Header, Ipv4Options, Ipv6Extensions,
    Ipv6Header, PacketBuilder, TcpHeader,
};
use lvs_common::{Protocol, tcp};

use super::Hop;

/// The MAC address that rigs give to the interface that frames come by.
pub(super) const BALANCER_MAC: [u8; 6] = [0x02, 0x1b, 0, 0, 0, 0x01];

/// The MAC address of the router that clients' frames come from.
const ROUTER_MAC: [u8; 6] = [0x02, 0x10, 0, 0, 0, 0xfe];

/// Length of an Ethernet header, and of a VLAN tag.
const ETHERNET: usize = 14;
const TAG: usize = 4;

/// A TCP segment or UDP datagram of a client to a service.
#[derive(Clone, Debug)]
pub struct Frame {
    destination_mac: [u8; 6],
    source_mac: [u8; 6],
    tags: Vec<(u16, u16)>,
    source: SocketAddr,
    destination: SocketAddr,
    protocol: Protocol,
    flags: u8,
    hops: u8,
    options: Vec<u8>,
    identification: u16,
    payload: usize,
}

impl Frame {
    /// A TCP segment with these flags (see [`tcp`]) and no data.
    pub const fn tcp(source: SocketAddr, destination: SocketAddr, flags: u8) -> Self {
        Self {
            destination_mac: BALANCER_MAC,
            source_mac: ROUTER_MAC,
            tags: Vec::new(),
            source,
            destination,
            protocol: Protocol::Tcp,
            flags,
            hops: 64,
            options: Vec::new(),
            identification: 0x1d05,
            payload: 0,
        }
    }

    /// A UDP datagram of 32 bytes.
    pub fn udp(source: SocketAddr, destination: SocketAddr) -> Self {
        Self {
            protocol: Protocol::Udp,
            payload: 32,
            ..Self::tcp(source, destination, 0)
        }
    }

    /// With these flags instead.
    #[must_use]
    pub const fn flags(mut self, flags: u8) -> Self {
        self.flags = flags;
        self
    }

    /// With this TTL or hop limit.
    #[must_use]
    pub const fn hops(mut self, hops: u8) -> Self {
        self.hops = hops;
        self
    }

    /// With that many bytes of data.
    #[must_use]
    pub const fn payload(mut self, len: usize) -> Self {
        self.payload = len;
        self
    }

    /// With that much data that its IP packet is `len` bytes long.
    #[must_use]
    pub fn packet_len(mut self, len: usize) -> Self {
        self.payload = 0;
        self.payload = len - self.ip_len();
        self
    }

    /// With these IPv4 options, a multiple of four bytes of them.
    #[must_use]
    pub fn options(mut self, options: &[u8]) -> Self {
        self.options = options.to_vec();
        self
    }

    /// With this IPv4 identification, which is there to choose the header's checksum by.
    #[must_use]
    pub const fn identification(mut self, identification: u16) -> Self {
        self.identification = identification;
        self
    }

    /// With VLAN tags of this `EtherType` and control information, outermost first.
    #[must_use]
    pub fn tags(mut self, tags: &[(u16, u16)]) -> Self {
        self.tags = tags.to_vec();
        self
    }

    /// To this MAC address instead of the balancer's.
    #[must_use]
    pub const fn to_mac(mut self, mac: [u8; 6]) -> Self {
        self.destination_mac = mac;
        self
    }

    /// The frame that a backend behind `hop` has to get: everything as it was but the MAC addresses
    /// and one hop.
    #[must_use]
    pub const fn forwarded(mut self, hop: &Hop) -> Self {
        self.destination_mac = hop.to;
        self.source_mac = hop.from;
        self.hops -= 1;
        self
    }

    /// Bytes of the IP packet.
    pub fn ip_len(&self) -> usize {
        self.bytes().len() - self.ip_offset()
    }

    /// Where the IP packet begins in the frame.
    pub fn ip_offset(&self) -> usize {
        ETHERNET + TAG * self.tags.len()
    }

    /// The frame as it is on the wire.
    pub fn bytes(&self) -> Vec<u8> {
        let mut packet = Vec::new();
        self.write_packet(&mut packet);
        // The builder knows no stacked tags of the same EtherType; so they are put in by hand.
        let (ethernet, packet) = packet.split_at(ETHERNET);
        let mut frame = ethernet[..12].to_vec();
        for (ether_type, control) in &self.tags {
            frame.extend(ether_type.to_be_bytes());
            frame.extend(control.to_be_bytes());
        }
        frame.extend(&ethernet[12..]);
        frame.extend(packet);
        frame
    }

    /// Writes the frame without tags.
    fn write_packet(&self, to: &mut Vec<u8>) {
        let payload: Vec<u8> = (0..self.payload).map(|i| i as u8).collect();
        let (source, destination) = (self.source.port(), self.destination.port());
        let builder =
            PacketBuilder::ethernet2(self.source_mac, self.destination_mac).ip(self.ip_header());
        let written = match self.protocol {
            Protocol::Udp => builder.udp(source, destination).write(to, &payload),
            Protocol::Tcp => {
                let mut header = TcpHeader::new(source, destination, 0x2026_0701, 64_240);
                header.syn = self.flags & tcp::SYN != 0;
                header.ack = self.flags & tcp::ACK != 0;
                header.fin = self.flags & tcp::FIN != 0;
                header.rst = self.flags & tcp::RST != 0;
                builder.tcp_header(header).write(to, &payload)
            }
        };
        assert!(written.is_ok(), "no such frame: {written:?}");
    }

    fn ip_header(&self) -> IpHeaders {
        match (self.source.ip(), self.destination.ip()) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                let options = Ipv4Options::try_from(self.options.as_slice());
                let header = Ipv4Header {
                    identification: self.identification,
                    dont_fragment: true,
                    fragment_offset: IpFragOffset::ZERO,
                    time_to_live: self.hops,
                    protocol: IpNumber(self.protocol as u8),
                    source: source.octets(),
                    destination: destination.octets(),
                    options: options.unwrap_or_default(),
                    ..Ipv4Header::default()
                };
                IpHeaders::Ipv4(header, Ipv4Extensions::default())
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                let header = Ipv6Header {
                    hop_limit: self.hops,
                    next_header: IpNumber(self.protocol as u8),
                    source: source.octets(),
                    destination: destination.octets(),
                    ..Ipv6Header::default()
                };
                IpHeaders::Ipv6(header, Ipv6Extensions::default())
            }
            (source, destination) => unreachable!("{source} and {destination} in one packet"),
        }
    }
}

//! Frames with right lengths and checksums.
//!
//! They are put together by `etherparse`, which computes checksums in full and shares no code with
//! the data plane that updates them.

use std::net::{IpAddr, SocketAddr};

use etherparse::{IpNumber, NetSlice, PacketBuilder, SlicedPacket, TcpHeader, TransportSlice};
use lvs_common::{Protocol, tcp};

use super::{Hop, IpHeader, message::Message};

/// The MAC address that rigs give to the interface that frames come by.
pub const BALANCER_MAC: [u8; 6] = [0x02, 0x1b, 0, 0, 0, 0x01];

/// The MAC address of the router that clients' frames come from.
const ROUTER_MAC: [u8; 6] = [0x02, 0x10, 0, 0, 0, 0xfe];

/// Length of an Ethernet header, and of a VLAN tag.
const ETHERNET: usize = 14;
const TAG: usize = 4;

/// Where the checksum is in a UDP header.
const UDP_CHECKSUM: usize = 6;

/// A TCP segment or UDP datagram of a client to a service, or of a backend to a client; or an ICMP message.
#[derive(Clone, Debug)]
pub struct Frame {
    destination_mac: [u8; 6],
    source_mac: [u8; 6],
    tags: Vec<(u16, u16)>,
    /// Of the tunnel that the packet is in.
    outer: Option<IpHeader>,
    ip: IpHeader,
    /// If there is one, all below is nothing to it.
    message: Option<Message>,
    ports: [u16; 2],
    protocol: Protocol,
    flags: u8,
    /// TCP's sequence and acknowledgment numbers.
    numbers: [u32; 2],
    window: u16,
    tcp_options: Vec<u8>,
    has_checksum: bool,
    payload: usize,
}

impl Frame {
    /// A TCP segment with these flags (see [`tcp`]) and no data.
    pub const fn tcp(source: SocketAddr, destination: SocketAddr, flags: u8) -> Self {
        Self {
            destination_mac: BALANCER_MAC,
            source_mac: ROUTER_MAC,
            tags: Vec::new(),
            outer: None,
            ip: IpHeader::new(source.ip(), destination.ip()),
            message: None,
            ports: [source.port(), destination.port()],
            protocol: Protocol::Tcp,
            flags,
            numbers: [0x2026_0701, 0],
            window: 64_240,
            tcp_options: Vec::new(),
            has_checksum: true,
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

    /// An ICMP message, or one of `ICMPv6`, of a type and code, with this number behind its checksum: the MTU
    /// where it says that a packet is too big.
    pub fn icmp(
        source: IpAddr,
        destination: IpAddr,
        kind: (u8, u8),
        word: u32,
        body: Vec<u8>,
    ) -> Self {
        let nowhere = |address| SocketAddr::new(address, 0);
        Self {
            message: Some(Message { kind, word, body }),
            ..Self::tcp(nowhere(source), nowhere(destination), 0)
        }
    }

    /// An ICMP message with this body instead.
    #[must_use]
    pub fn body(mut self, body: Vec<u8>) -> Self {
        if let Some(message) = &mut self.message {
            message.body = body;
        }
        self
    }

    /// With these flags instead.
    #[must_use]
    pub const fn flags(mut self, flags: u8) -> Self {
        self.flags = flags;
        self
    }

    /// With these sequence and acknowledgment numbers of TCP.
    #[must_use]
    pub const fn numbers(mut self, sequence: u32, acknowledgment: u32) -> Self {
        self.numbers = [sequence, acknowledgment];
        self
    }

    /// With this window of TCP.
    #[must_use]
    pub const fn window(mut self, window: u16) -> Self {
        self.window = window;
        self
    }

    /// With these TCP options, a multiple of four bytes of them.
    #[must_use]
    pub fn tcp_options(mut self, options: &[u8]) -> Self {
        self.tcp_options = options.to_vec();
        self
    }

    /// With this TTL or hop limit.
    #[must_use]
    pub const fn hops(mut self, hops: u8) -> Self {
        self.ip.hops = hops;
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
        self.ip.options = options.to_vec();
        self
    }

    /// With this IPv4 identification, which is there to choose the header's checksum by.
    #[must_use]
    pub const fn identification(mut self, identification: u16) -> Self {
        self.ip.identification = identification;
        self
    }

    /// With this traffic class or type of service.
    #[must_use]
    pub const fn traffic_class(mut self, traffic_class: u8) -> Self {
        self.ip.traffic_class = traffic_class;
        self
    }

    /// With this IPv6 flow label.
    #[must_use]
    pub const fn flow_label(mut self, flow_label: u32) -> Self {
        self.ip.flow_label = flow_label;
        self
    }

    /// With this don't-fragment bit of IPv4; set otherwise.
    #[must_use]
    pub const fn dont_fragment(mut self, is_set: bool) -> Self {
        self.ip.dont_fragment = is_set;
        self
    }

    /// Without a checksum of UDP: 0 instead.
    #[must_use]
    pub const fn without_checksum(mut self) -> Self {
        self.has_checksum = false;
        self
    }

    /// From and to these addresses and ports instead, of whichever family. ICMP messages have no ports.
    #[must_use]
    pub const fn between(mut self, source: SocketAddr, destination: SocketAddr) -> Self {
        self.ip.source = source.ip();
        self.ip.destination = destination.ip();
        self.ports = [source.port(), destination.port()];
        self
    }

    /// In a tunnel with this header.
    #[must_use]
    pub fn within(mut self, outer: IpHeader) -> Self {
        self.outer = Some(outer);
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

    /// From this MAC address instead of the router's.
    #[must_use]
    pub const fn from_mac(mut self, mac: [u8; 6]) -> Self {
        self.source_mac = mac;
        self
    }

    /// The frame that a backend behind `hop` has to get: everything as it was but the MAC addresses
    /// and one hop.
    #[must_use]
    pub const fn forwarded(mut self, hop: &Hop) -> Self {
        self.destination_mac = hop.to;
        self.source_mac = hop.from;
        self.ip.hops -= 1;
        self
    }

    /// Its protocol, if it is no ICMP message.
    pub const fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// The IP header, the inner one of a tunnel.
    pub const fn ip(&self) -> &IpHeader {
        &self.ip
    }

    /// Address and port that the packet comes from.
    pub const fn source(&self) -> SocketAddr {
        SocketAddr::new(self.ip.source, self.ports[0])
    }

    /// Address and port that it goes to.
    pub const fn destination(&self) -> SocketAddr {
        SocketAddr::new(self.ip.destination, self.ports[1])
    }

    /// The way back to where the frame comes from.
    pub fn back(&self) -> Hop {
        let mut hop = Hop {
            to: self.source_mac,
            from: self.destination_mac,
            ..Hop::neighbour(0)
        };
        for (id, (_, control)) in hop.tags.iter_mut().zip(&self.tags) {
            *id = control & 0xfff;
        }
        hop
    }

    /// Bytes of the IP packet, the outer one of a tunnel.
    pub fn ip_len(&self) -> usize {
        self.bytes().len() - self.ip_offset()
    }

    /// Where the IP packet begins in the frame.
    pub fn ip_offset(&self) -> usize {
        ETHERNET + TAG * self.tags.len()
    }

    /// The frame as it is on the wire.
    pub fn bytes(&self) -> Vec<u8> {
        let mut frame = [self.destination_mac, self.source_mac].concat();
        for (ether_type, control) in &self.tags {
            frame.extend(ether_type.to_be_bytes());
            frame.extend(control.to_be_bytes());
        }
        let first = self.outer.as_ref().unwrap_or(&self.ip);
        frame.extend(first.ether_type().to_be_bytes());
        let packet = self.packet();
        match &self.outer {
            Some(outer) => frame.extend(outer.wrap(self.ip.number(), &packet)),
            None => frame.extend(packet),
        }
        frame
    }

    /// The IP packet, the inner one of a tunnel.
    pub(super) fn packet(&self) -> Vec<u8> {
        if let Some(message) = &self.message {
            return message.packet(&self.ip);
        }
        let payload: Vec<u8> = (0..self.payload).map(|i| i as u8).collect();
        let [source, destination] = self.ports;
        let ip = self.ip.headers(IpNumber(self.protocol as u8));
        let transport = ip.header_len();
        let builder = PacketBuilder::ip(ip);
        let mut packet = Vec::new();
        let written = match self.protocol {
            Protocol::Udp => builder
                .udp(source, destination)
                .write(&mut packet, &payload),
            Protocol::Tcp => {
                let [sequence, acknowledgment] = self.numbers;
                let mut header = TcpHeader::new(source, destination, sequence, self.window);
                header.acknowledgment_number = acknowledgment;
                let fits = header.set_options_raw(&self.tcp_options);
                assert!(fits.is_ok(), "no such options: {fits:?}");
                header.syn = self.flags & tcp::SYN != 0;
                header.ack = self.flags & tcp::ACK != 0;
                header.fin = self.flags & tcp::FIN != 0;
                header.rst = self.flags & tcp::RST != 0;
                builder.tcp_header(header).write(&mut packet, &payload)
            }
        };
        assert!(written.is_ok(), "no such packet: {written:?}");
        if self.protocol == Protocol::Udp && !self.has_checksum {
            packet[transport + UDP_CHECKSUM..][..2].fill(0);
        }
        packet
    }
}

/// Address and port that a frame comes from, if it is one of TCP or UDP.
pub fn source(frame: &[u8]) -> Option<SocketAddr> {
    let packet = SlicedPacket::from_ethernet(frame).ok()?;
    let address: IpAddr = match packet.net? {
        NetSlice::Ipv4(ip) => ip.header().source_addr().into(),
        NetSlice::Ipv6(ip) => ip.header().source_addr().into(),
        NetSlice::Arp(_) => return None,
    };
    let port = match packet.transport? {
        TransportSlice::Tcp(tcp) => tcp.source_port(),
        TransportSlice::Udp(udp) => udp.source_port(),
        _ => return None,
    };
    Some(SocketAddr::new(address, port))
}

//! Frames to walk.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use etherparse::{
    IpDscp, IpFragOffset, IpHeaders, Ipv4Extensions, Ipv4Header, Ipv4Options, Ipv6Extensions,
    Ipv6FlowLabel, Ipv6Header, PacketBuilder, TcpHeader,
};
use lvs_common::{Protocol, tcp};

/// Where this client's frames come from.
const CLIENT_MAC: [u8; 6] = [0x02, 0xc1, 0, 0, 0, 1];

/// A packet of a client to a service, with right lengths and checksums.
#[derive(Clone, Debug)]
pub struct Probe {
    mac: [u8; 6],
    tags: Vec<[u16; 2]>,
    client: SocketAddr,
    service: SocketAddr,
    protocol: Protocol,
    flags: u8,
    hops: u8,
    options: Vec<u8>,
    payload: Vec<u8>,
}

impl Probe {
    /// A TCP segment with these flags, to the interface with this MAC address.
    pub fn tcp(mac: [u8; 6], client: SocketAddr, service: SocketAddr, flags: u8) -> Self {
        Self {
            mac,
            tags: Vec::new(),
            client,
            service,
            protocol: Protocol::Tcp,
            flags,
            hops: 64,
            options: Vec::new(),
            payload: Vec::new(),
        }
    }

    /// A UDP datagram with a few bytes, to the interface with this MAC address.
    pub fn udp(mac: [u8; 6], client: SocketAddr, service: SocketAddr) -> Self {
        Self {
            protocol: Protocol::Udp,
            payload: b"which backend?".to_vec(),
            ..Self::tcp(mac, client, service, 0)
        }
    }

    /// With this TTL or hop limit.
    #[must_use]
    pub const fn hops(mut self, hops: u8) -> Self {
        self.hops = hops;
        self
    }

    /// With one more VLAN tag within those it has: its `EtherType` and tag control information.
    #[must_use]
    pub fn tag(mut self, ether_type: u16, control: u16) -> Self {
        self.tags.push([ether_type, control]);
        self
    }

    /// Without the VLAN tags it has.
    #[must_use]
    pub fn without_tags(mut self) -> Self {
        self.tags.clear();
        self
    }

    /// With these IPv4 options, up to 40 bytes, a multiple of four.
    #[must_use]
    pub fn options(mut self, options: &[u8]) -> Self {
        self.options = options.to_vec();
        self
    }

    /// With that many bytes behind the transport header.
    #[must_use]
    pub fn payload(mut self, len: usize) -> Self {
        self.payload = (0..len).map(|i| i as u8).collect();
        self
    }

    /// The frame.
    ///
    /// # Panics
    /// If options or payload are longer than IP allows.
    pub fn frame(&self) -> Vec<u8> {
        let mut frame = [self.mac, CLIENT_MAC].concat();
        for word in self.tags.as_flattened() {
            frame.extend(word.to_be_bytes());
        }
        let (ether_type, headers): (u16, IpHeaders) = match (self.client.ip(), self.service.ip()) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                (0x0800, self.ipv4(source, destination))
            }
            (IpAddr::V4(source), IpAddr::V6(destination)) => {
                (0x86dd, self.ipv6(source.to_ipv6_mapped(), destination))
            }
            (IpAddr::V6(source), IpAddr::V4(destination)) => {
                (0x86dd, self.ipv6(source, destination.to_ipv6_mapped()))
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                (0x86dd, self.ipv6(source, destination))
            }
        };
        frame.extend(ether_type.to_be_bytes());
        let ip = PacketBuilder::ip(headers);
        let mut packet = Vec::new();
        match self.protocol {
            Protocol::Tcp => ip
                .tcp_header(self.tcp_header())
                .write(&mut packet, &self.payload),
            Protocol::Udp => ip
                .udp(self.client.port(), self.service.port())
                .write(&mut packet, &self.payload),
        }
        .expect("it fits into an IP packet");
        frame.extend(packet);
        frame
    }

    fn ipv4(&self, source: Ipv4Addr, destination: Ipv4Addr) -> IpHeaders {
        let mut header = Ipv4Header {
            dscp: IpDscp::ZERO,
            identification: 0xbeef,
            dont_fragment: true,
            fragment_offset: IpFragOffset::ZERO,
            time_to_live: self.hops,
            source: source.octets(),
            destination: destination.octets(),
            ..Ipv4Header::default()
        };
        header.options = Ipv4Options::try_from(self.options.as_slice())
            .expect("options are up to 40 bytes, a multiple of four");
        IpHeaders::Ipv4(header, Ipv4Extensions::default())
    }

    fn ipv6(&self, source: Ipv6Addr, destination: Ipv6Addr) -> IpHeaders {
        let header = Ipv6Header {
            flow_label: Ipv6FlowLabel::ZERO,
            hop_limit: self.hops,
            source: source.octets(),
            destination: destination.octets(),
            ..Ipv6Header::default()
        };
        IpHeaders::Ipv6(header, Ipv6Extensions::default())
    }

    fn tcp_header(&self) -> TcpHeader {
        TcpHeader {
            acknowledgment_number: 0x0102_0304,
            fin: self.flags & tcp::FIN != 0,
            syn: self.flags & tcp::SYN != 0,
            rst: self.flags & tcp::RST != 0,
            ack: self.flags & tcp::ACK != 0,
            ..TcpHeader::new(self.client.port(), self.service.port(), 0x0a0b_0c0d, 0xfaf0)
        }
    }
}

//! Packets as ICMP errors quote them.

use std::net::SocketAddr;

use etherparse::IpNumber;
use lvs_common::Protocol;

use super::{Frame, IpHeader};

/// Length of the ports, which TCP and UDP begin with.
const PORTS: usize = 4;

/// A packet of TCP or UDP that an error is about, or as much of it as the error has.
#[derive(Clone, Debug)]
pub struct Quote {
    ip: IpHeader,
    protocol: Protocol,
    ports: [u16; 2],
    /// What follows the ports, with the checksum that the packet had.
    rest: Vec<u8>,
    /// Bytes behind the IP header that are there.
    len: usize,
}

impl Quote {
    /// All of a packet, as a router got it with so many hops left.
    pub fn of(frame: &Frame, hops: u8) -> Self {
        let packet = frame.packet();
        let ip = IpHeader {
            hops,
            ..frame.ip().clone()
        };
        let protocol = frame.protocol();
        let number = IpNumber(protocol as u8);
        let transport = packet[ip.headers(number).header_len()..].to_vec();
        Self {
            ip,
            protocol,
            ports: [frame.source().port(), frame.destination().port()],
            len: transport.len(),
            rest: transport[PORTS..].to_vec(),
        }
    }

    /// With no more than `len` bytes behind the IP header, which says what the packet had.
    #[must_use]
    pub fn cut(mut self, len: usize) -> Self {
        self.len = self.len.min(len);
        self
    }

    /// A fragment at this place of its datagram, in units of eight bytes; others follow.
    #[must_use]
    pub const fn fragment(mut self, offset: u16) -> Self {
        self.ip.dont_fragment = false;
        self.ip.more_fragments = true;
        self.ip.fragment_offset = offset;
        self
    }

    /// From and to these addresses and ports instead, of the same family: the checksum behind the ports stays
    /// as it was, that of the IP header is right.
    #[must_use]
    pub const fn between(mut self, source: SocketAddr, destination: SocketAddr) -> Self {
        self.ip.source = source.ip();
        self.ip.destination = destination.ip();
        self.ports = [source.port(), destination.port()];
        self
    }

    /// As it stands in the error.
    pub fn bytes(&self) -> Vec<u8> {
        let [source, destination] = self.ports.map(u16::to_be_bytes);
        let transport = [&source[..], &destination, &self.rest].concat();
        let mut packet = self.ip.wrap(IpNumber(self.protocol as u8), &transport);
        packet.truncate(packet.len() - (transport.len() - self.len));
        packet
    }
}

//! The traffic of benchmark and soaks, as the program that writes it and the ones that order it agree.
//!
//! User space includes this file by its path: it is nobody else's business.

/// MAC address of the interface that frames seem to come by.
pub(crate) const OURS: [u8; 6] = [0x02, 0, 0, 0, 0, 0x01];

/// Address of the IPv4 service: 198.18.0.1 (RFC 2544).
pub(crate) const VIP4: [u8; 4] = [198, 18, 0, 1];
/// Address of the IPv6 service: `2001:2::1` (RFC 5180).
pub(crate) const VIP6: [u8; 16] = [0x20, 0x01, 0, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];

/// Bytes of a frame: Ethernet, IPv4 and TCP.
pub(crate) const FRAME4: usize = 14 + IP4_LEN;
/// Bytes of a frame: Ethernet, IPv6 and TCP.
pub(crate) const FRAME6: usize = 14 + 40 + TCP_LEN;
/// Bytes of an IPv4 packet.
pub(crate) const IP4_LEN: usize = 20 + TCP_LEN;
/// Bytes of a TCP segment, or of a UDP datagram.
pub(crate) const TCP_LEN: usize = 20;

/// The only entry of TRAFFIC: what to write.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub(crate) struct Traffic {
    /// Frames that were written; the writer counts on.
    pub(crate) frames: u64,
    /// Number of the first flow.
    pub(crate) first: u32,
    /// How many flows there are, if they come in random order.
    pub(crate) flows: u32,
    /// 1: random flows; 0: one after the other.
    pub(crate) random: u32,
    /// Port of the service, network byte order.
    pub(crate) port: u16,
    /// Flags of TCP.
    pub(crate) tcp_flags: u8,
    /// IANA number of the transport protocol: TCP or UDP.
    pub(crate) protocol: u8,
    /// 1: clients from anywhere, as a forger writes them; 0: neighbours with a few ports each.
    pub(crate) scattered: u32,
    /// 1: every frame is followed by another of its flow, with ACK alone.
    pub(crate) ack_follows: u32,
}

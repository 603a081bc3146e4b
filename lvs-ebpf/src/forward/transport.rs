//! Ports and checksum of a TCP or UDP header that is rewritten.

use core::mem::offset_of;

use lvs_common::{Protocol, checksum::Delta, flow::Tuple as _};
use network_types::udp::UdpHdr;

use crate::{
    atomic::bounded,
    family::Family,
    kernel::Frame,
    packet::Shape,
    parse::{read, write},
};

/// Offset of the checksum in a TCP header; network-types has it behind single bits.
const TCP_CHECKSUM: usize = 16;
const UDP_CHECKSUM: usize = offset_of!(UdpHdr, check);
/// Bytes of both ports, and of a checksum.
const PORTS: usize = 4;
const CHECKSUM: usize = 2;

/// Where what is rewritten of a transport header is.
#[derive(Clone, Copy)]
pub(super) struct Transport {
    ports: *mut u8,
    checksum: *mut u8,
    is_tcp: bool,
}

impl Transport {
    /// Behind the IP header of a frame of that shape; `None` if the frame, as it is now, does not have both
    /// headers: the verifier wants to see once more that it does.
    #[inline(always)]
    pub(super) fn find<F: Family, X: Frame>(
        frame: X,
        network: *mut u8,
        shape: Shape,
    ) -> Option<Self> {
        if network.wrapping_add(F::HEADER) > frame.end() {
            return None;
        }
        Self::behind(frame, network, shape.network(), shape)
    }

    /// Behind an IP header of so many bytes.
    #[inline(always)]
    pub(super) fn behind<X: Frame>(
        frame: X,
        network: *mut u8,
        header: u32,
        shape: Shape,
    ) -> Option<Self> {
        let is_tcp = shape.protocol() == Protocol::Tcp as u8;
        let checksum_at = if is_tcp { TCP_CHECKSUM } else { UDP_CHECKSUM };
        let ports = network.wrapping_add(bounded::<63>(u64::from(header)) as usize);
        let checksum = ports.wrapping_add(bounded::<31>(checksum_at as u64) as usize);
        let reaches = |field: *mut u8, len: usize| field.wrapping_add(len) <= frame.end();
        (reaches(ports, PORTS) && reaches(checksum, CHECKSUM)).then_some(Self {
            ports,
            checksum,
            is_tcp,
        })
    }

    /// The ports, as on the wire.
    ///
    /// # Safety
    /// The frame must not have been moved since the header was found, here and below.
    #[inline(always)]
    pub(super) unsafe fn ports(self) -> u32 {
        // SAFETY: checked when it was found.
        unsafe { read(self.ports, 0) }
    }

    /// The checksum; `None` if there is none (UDP: RFC 768, and over IPv6 RFC 6935).
    ///
    /// # Safety
    /// As above.
    #[inline(always)]
    pub(super) unsafe fn checksum(self) -> Option<u16> {
        // SAFETY: checked when it was found.
        let sum: u16 = unsafe { read(self.checksum, 0) };
        (self.is_tcp || sum != 0).then_some(sum)
    }

    /// Writes the ports.
    ///
    /// # Safety
    /// As above.
    #[inline(always)]
    pub(super) unsafe fn set_ports(self, ports: u32) {
        // SAFETY: checked when it was found.
        unsafe { write(self.ports, 0, ports) };
    }

    /// Writes the checksum. With UDP 0 would mean that there is none (RFC 768).
    ///
    /// # Safety
    /// As above.
    #[inline(always)]
    pub(super) unsafe fn set_checksum(self, sum: u16) {
        let sum = if sum == 0 && !self.is_tcp {
            u16::MAX
        } else {
            sum
        };
        // SAFETY: checked when it was found.
        unsafe { write(self.checksum, 0, sum) };
    }
}

/// Gives a packet the addresses and ports of `to`; yields what that changes for the checksum of the IP
/// header.
///
/// Checksums follow by what was changed (RFC 1624). A UDP datagram that has none gets none: the
/// kernel's IPVS computes one.
///
/// # Safety
/// `network` must point to an IP header that was checked, and `transport` be what was found behind it.
#[inline(always)]
pub(super) unsafe fn rewrite<F: Family>(
    network: *mut u8,
    transport: Transport,
    to: &F::Tuple,
) -> Delta {
    let words = to.words();
    let (last, addresses) = (words[words.len() - 1], &words[..words.len() - 1]);
    let mut addressed = Delta::NONE;
    for (i, new) in addresses.iter().enumerate() {
        let at = F::ADDRESSES + 8 * i;
        // SAFETY: the caller's, here and below.
        unsafe {
            addressed = addressed.replace(read(network, at), *new);
            write(network, at, *new);
        }
    }
    let ports = last as u32;
    // SAFETY: as above.
    unsafe {
        let changed = addressed.replace(transport.ports().into(), ports.into());
        transport.set_ports(ports);
        if let Some(sum) = transport.checksum() {
            transport.set_checksum(changed.apply(sum));
        }
    }
    addressed
}

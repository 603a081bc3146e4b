//! TCP (RFC 9293) and UDP (RFC 768).

use lvs_common::{Protocol, Reason};
use network_types::{tcp::TcpHdr, udp::UdpHdr};

use super::{Cursor, read};

/// What the walk wants of a transport header.
#[derive(Clone, Copy, Debug)]
pub struct Transport {
    /// Source and destination port: the first four bytes, as on the wire.
    pub ports: u32,
    /// The flags byte of TCP; 0 for UDP.
    pub tcp_flags: u8,
}

/// Offset of the flags byte; the header's type has them as single bits.
const TCP_FLAGS: usize = 13;

/// Reads the transport header of a packet of `protocol` with `payload` bytes behind its IP header.
///
/// # Errors
/// [`Reason::OtherProtocol`], [`Reason::Truncated`].
#[inline(always)]
pub fn transport(cursor: &mut Cursor, protocol: u8, payload: u32) -> Result<Transport, Reason> {
    const TCP: u8 = Protocol::Tcp as u8;
    const UDP: u8 = Protocol::Udp as u8;
    match protocol {
        TCP => {
            let header = whole::<{ TcpHdr::LEN }>(cursor, payload)?;
            // SAFETY: the header was checked just above.
            let (ports, tcp_flags) = unsafe { (read(header, 0), read(header, TCP_FLAGS)) };
            Ok(Transport { ports, tcp_flags })
        }
        UDP => {
            let header = whole::<{ UdpHdr::LEN }>(cursor, payload)?;
            // SAFETY: the header was checked just above.
            let ports = unsafe { read(header, 0) };
            Ok(Transport {
                ports,
                tcp_flags: 0,
            })
        }
        _ => Err(Reason::OtherProtocol),
    }
}

/// The header, if both the frame and the IP packet hold it: Ethernet fills short frames up.
#[inline(always)]
fn whole<const LEN: usize>(cursor: &mut Cursor, payload: u32) -> Result<*mut u8, Reason> {
    if payload < LEN as u32 {
        return Err(Reason::Truncated);
    }
    cursor.take::<LEN>()
}

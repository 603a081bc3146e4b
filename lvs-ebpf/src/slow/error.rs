//! An ICMP error as a router wrote it: its headers, and the beginning of the packet that it quotes.

use lvs_common::{Reason, map::Address};

use super::icmp::{self, Icmp};
use crate::{
    family::Family,
    kernel::Frame,
    packet::{Link, Network},
    parse::{Cursor, behind_link, read},
};

/// Bytes of both ports.
const PORTS: usize = 4;

/// What an error says.
pub(super) struct IcmpError {
    /// The Ethernet part of the frame.
    pub(super) link: Link,
    /// The IP header before the message.
    pub(super) outer: Network,
    /// Type and code.
    pub(super) kind: (u8, u8),
    /// The size that would do, where it has one.
    pub(super) size: u32,
    /// What it quotes.
    pub(super) quote: Quote,
}

/// The IP header of a packet that is quoted.
pub(super) struct Quote {
    /// The header.
    pub(super) network: Network,
    /// Where the packet came from.
    pub(super) source: Address,
    /// Where it was to go.
    pub(super) destination: Address,
    /// How many bytes behind the header are quoted: behind those, Ethernet may have filled up the frame.
    pub(super) left: u32,
}

impl IcmpError {
    /// Reads it; the cursor is behind the quoted IP header then.
    ///
    /// # Errors
    /// [`Reason::OtherProtocol`] if it is none, or does not even quote an IP header; those of [`crate::parse`].
    #[inline(always)]
    pub(super) fn read<F: Icmp, X: Frame>(frame: X, link: u64) -> Result<(Self, Cursor), Reason> {
        let (mut cursor, link) = behind_link(frame, link)?;
        let (outer, _, _) = F::network(&mut cursor)?;
        if outer.protocol != F::ICMP {
            return Err(Reason::OtherProtocol);
        }
        let message = cursor.take::<{ icmp::HEADER }>()?;
        // SAFETY: checked just above.
        let (kind, code, size): (u8, u8, u32) = unsafe {
            (
                read(message, 0),
                read(message, 1),
                read(message, icmp::SIZE),
            )
        };
        if !F::is_error(kind) {
            return Err(Reason::OtherProtocol);
        }
        let left = outer.payload.saturating_sub(icmp::HEADER as u32);
        let error = Self {
            link,
            outer,
            kind: (kind, code),
            size: u32::from_be(size) & F::SIZE_MASK,
            quote: Quote::read::<F>(&mut cursor, left)?,
        };
        Ok((error, cursor))
    }

    /// Bytes from the frame's Ethernet header, which is not among them, to what follows the quoted IP header.
    #[inline(always)]
    pub(super) const fn headers(&self) -> u32 {
        self.outer.header_len() + icmp::HEADER as u32 + self.quote.network.header_len()
    }
}

impl Quote {
    /// Reads the header of a packet of which so many bytes are quoted.
    ///
    /// # Errors
    /// [`Reason::OtherProtocol`] if there is none: routers may quote as little as the beginning of one.
    #[inline(always)]
    pub(super) fn read<F: Family>(cursor: &mut Cursor, left: u32) -> Result<Self, Reason> {
        let (network, source, destination) = F::quoted(cursor).or(Err(Reason::OtherProtocol))?;
        Ok(Self {
            left: left.saturating_sub(network.header_len()),
            network,
            source,
            destination,
        })
    }

    /// The tuple of the quoted packet, whose ports the cursor is at.
    ///
    /// # Errors
    /// [`Reason::OtherProtocol`] if they are not quoted.
    #[inline(always)]
    pub(super) fn tuple<F: Family>(&self, cursor: &mut Cursor) -> Result<F::Tuple, Reason> {
        let ports = cursor.take::<PORTS>().or(Err(Reason::OtherProtocol))?;
        if self.left < PORTS as u32 {
            return Err(Reason::OtherProtocol);
        }
        // SAFETY: checked just above.
        let ports: u32 = unsafe { read(ports, 0) };
        let last = u64::from(ports) | u64::from(self.network.protocol) << 32;
        Ok(F::between(self.source, self.destination, last))
    }
}

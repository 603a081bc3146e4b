//! What a scan of the flow table finds.

use core::net::IpAddr;

use lvs_common::flow::{Link, Slot, Tuple, Tuple4, Tuple6, Word};

/// A tuple of either family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AnyTuple {
    /// Of IPv4.
    V4(Tuple4),
    /// Of IPv6.
    V6(Tuple6),
}

impl AnyTuple {
    /// Address and port of the client's side.
    pub fn source(&self) -> (IpAddr, u16) {
        match self {
            Self::V4(tuple) => tuple.source(),
            Self::V6(tuple) => tuple.source(),
        }
    }

    /// Address and port of the service's side.
    pub fn destination(&self) -> (IpAddr, u16) {
        match self {
            Self::V4(tuple) => tuple.destination(),
            Self::V6(tuple) => tuple.destination(),
        }
    }

    /// With source and destination exchanged.
    #[must_use]
    pub fn reversed(&self) -> Self {
        match self {
            Self::V4(tuple) => Self::V4(tuple.reversed()),
            Self::V6(tuple) => Self::V6(tuple.reversed()),
        }
    }

    /// IANA number of the transport protocol.
    pub fn protocol(&self) -> u8 {
        match self {
            Self::V4(tuple) => tuple.protocol(),
            Self::V6(tuple) => tuple.protocol(),
        }
    }
}

impl From<Tuple4> for AnyTuple {
    fn from(tuple: Tuple4) -> Self {
        Self::V4(tuple)
    }
}

impl From<Tuple6> for AnyTuple {
    fn from(tuple: Tuple6) -> Self {
        Self::V6(tuple)
    }
}

/// An entry of the table that is a flow: neither free nor being written. It may have expired.
#[derive(Clone, Copy, Debug)]
pub struct Flow {
    /// Where its entry is.
    pub slot: Slot,
    /// Its word.
    pub word: Word,
    /// What names it.
    pub tuple: AnyTuple,
    /// Its link to the other entry of its pair.
    pub link: Link,
}

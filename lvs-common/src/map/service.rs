//! Services, and the rings on which their schedulers go round.

use super::{Address, entry};

/// Bytes of a service's name, filled up with zeros.
pub const NAME_LEN: usize = 64;

/// Backend ids in one entry of RINGS.
pub const RING_CHUNK: usize = 32;

entry! {
    /// What a packet is looked up by.
    pub struct ServiceKey {
        /// Virtual address.
        pub address: Address,
        /// Port, network byte order.
        pub port: u16,
        /// Transport protocol, IANA number.
        pub protocol: u8,
        /// Family of the address, [`Family`](crate::Family) number.
        pub family: u8,
    }
}

entry! {
    /// A service.
    pub struct Service {
        /// The [`Ring`] in use. Replaced by one store of 64 bits.
        pub ring: u64,
        /// What its packets are looked up by.
        pub key: ServiceKey,
        /// [`Scheduler`](crate::Scheduler) number.
        pub scheduler: u8,
        /// What becomes of TCP segments of unknown flows, [`MidStream`](crate::MidStream) number.
        pub mid_stream: u8,
        /// What a client is told if it has no usable backend, [`NoBackend`](crate::NoBackend) number.
        pub no_backend: u8,
        /// Zero.
        pub reserved: u8,
        /// Its name in UTF-8, filled up with zeros.
        pub name: [u8; NAME_LEN],
    }
}

/// Where a service's backends stand in RINGS, in turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ring {
    /// Slot of the first, a multiple of [`RING_CHUNK`].
    pub first: u32,
    /// How many slots; 0: no backend takes new flows.
    pub len: u32,
}

impl Ring {
    /// As it stands in a service's entry.
    #[inline(always)]
    pub const fn to_bits(self) -> u64 {
        self.first as u64 | (self.len as u64) << 32
    }

    /// Read from a service's entry.
    #[inline(always)]
    pub const fn from_bits(bits: u64) -> Self {
        Self {
            first: bits as u32,
            len: (bits >> 32) as u32,
        }
    }
}

/// An entry of RINGS: one cache line of backend ids.
pub type RingChunk = [u16; RING_CHUNK];

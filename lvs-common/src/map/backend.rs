//! Backends.

use super::{Address, entry};

/// Local addresses of one backend: a flow's note has seven bits for the number of its own.
pub const MAX_LOCALS: u16 = 128;

entry! {
    /// A backend of one service.
    pub struct Backend {
        /// Id of its next hop, 0: unresolved. Replaced by one store of 32 bits.
        pub next_hop: u32,
        /// Id of its service.
        pub service: u32,
        /// Its address.
        pub address: Address,
        /// Its port, network byte order.
        pub port: u16,
        /// Its weight.
        pub weight: u16,
        /// [`ForwardingMode`](crate::ForwardingMode) number; 0: the entry is not in use.
        pub mode: u8,
        /// Family of its address, [`Family`](crate::Family) number.
        pub family: u8,
        /// Entry of TIMEOUTS that holds for its flows.
        pub timeouts: u16,
        /// FULLNAT: the first of its local addresses in LOCALS.
        pub first_local: u16,
        /// FULLNAT: how many there are, all of the family of `address`; up to [`MAX_LOCALS`](super::MAX_LOCALS).
        pub locals: u16,
        /// FULLNAT: the first of the ports that are used of each.
        pub first_port: u16,
        /// FULLNAT: the last of them.
        pub last_port: u16,
        /// TUN: the last so many bits of the outer source come from the flow's hash, at most 32.
        pub entropy: u8,
        /// Zero.
        pub reserved: [u8; 7],
    }
}

impl Backend {
    /// Nobody.
    pub const NONE: Self = Self {
        next_hop: 0,
        service: 0,
        address: Address::UNSPECIFIED,
        port: 0,
        weight: 0,
        mode: 0,
        family: 0,
        timeouts: 0,
        first_local: 0,
        locals: 0,
        first_port: 0,
        last_port: 0,
        entropy: 0,
        reserved: [0; 7],
    };
}

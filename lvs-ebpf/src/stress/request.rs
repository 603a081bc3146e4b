//! What a stress run is asked for, what comes of it and the tuples it uses, as the program that does it
//! and the one that orders it agree.
//!
//! User space includes this file by its path: it is nobody else's business.

use lvs_common::flow::{Tuple4, Tuple6};

/// Operations of one run, at the most: it holds its CPU's network input for that long.
pub(crate) const MOST: u32 = 1 << 13;

/// Clients, numbered from 0: so many of each [`Kind`], one kind after the other.
pub(crate) const CLIENTS: u32 = 32;
/// Number of the first reply tuple that belongs to NAT-like clients.
pub(crate) const FIRST_NAT: u32 = 1 << 10;
/// Number of the first reply tuple that FULLNAT-like clients share.
pub(crate) const FIRST_PORT: u32 = 1 << 11;
/// How many those are, a power of two: fewer than there may be flows.
pub(crate) const PORTS: u32 = 16;

/// IANA number of the protocol of all tuples.
const TCP: u8 = 6;

/// What the flow of a client has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A reply tuple that is always the same, and that of another client at times.
    Nat,
    /// Any of the shared reply tuples.
    Fullnat,
    /// One entry.
    Lone,
}

/// The kind of the client with this number, below three times [`CLIENTS`].
#[inline(always)]
pub(crate) const fn kind(client: u32) -> Kind {
    match client / CLIENTS {
        0 => Kind::Nat,
        1 => Kind::Fullnat,
        _ => Kind::Lone,
    }
}

/// The reply tuple of a NAT-like client: every fourth has that of its neighbour.
#[inline(always)]
pub(crate) const fn nat(client: u32) -> u32 {
    FIRST_NAT + client - (client % 4 == 3) as u32
}

/// The backend that flows of a client are always opened with, of that many.
#[inline(always)]
pub(crate) const fn backend(client: u32, backends: u32) -> u16 {
    1 + (client % backends) as u16
}

/// Every bit of the number in every part of a tuple, so that a mix of two is seen to be one.
const fn mixed(number: u32, salt: u32) -> u32 {
    number
        .wrapping_add(1)
        .wrapping_mul(0x9e37_79b1)
        .rotate_left(salt)
}

/// The IPv4 tuple with this number.
#[inline(always)]
pub(crate) const fn tuple4(number: u32) -> Tuple4 {
    Tuple4::new(mixed(number, 0), mixed(number, 7), mixed(number, 13), TCP)
}

/// The IPv6 tuple with this number.
#[inline(always)]
pub(crate) const fn tuple6(number: u32) -> Tuple6 {
    const fn address(number: u32, salt: u32) -> [u32; 4] {
        [
            mixed(number, salt),
            mixed(number, salt + 1),
            mixed(number, salt + 2),
            mixed(number, salt + 3),
        ]
    }
    Tuple6::new(
        address(number, 1),
        address(number, 11),
        mixed(number, 23),
        TCP,
    )
}

/// What an operation did: the index of its count in the map OUTCOMES.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Outcome {
    /// A flow with two entries was opened.
    Opened = 0,
    /// Its reply tuples were taken.
    Taken = 1,
    /// Another CPU had opened it.
    Twin = 2,
    /// There was no place, or somebody took it at once.
    NotKept = 3,
    /// A flow with one entry was opened, by this CPU or another.
    OpenedLone = 4,
    /// A client's packet met its flow.
    Client = 5,
    /// A client's packet met none.
    Stranger = 6,
    /// A backend's packet met its flow.
    Reply = 7,
    /// A backend's packet met no entry.
    NoReply = 8,
    /// A backend's packet met an entry whose owner had expired, was lost, or was not yet there.
    NoOwner = 9,
    /// A flow was ended.
    Ended = 10,
    /// A half bucket was swept.
    Swept = 11,
    /// A packet met a flow of somebody else: an entry was read half.
    Mixed = 12,
}

impl Outcome {
    /// Every outcome, in the order of their numbers.
    pub(crate) const ALL: [Self; 13] = [
        Self::Opened,
        Self::Taken,
        Self::Twin,
        Self::NotKept,
        Self::OpenedLone,
        Self::Client,
        Self::Stranger,
        Self::Reply,
        Self::NoReply,
        Self::NoOwner,
        Self::Ended,
        Self::Swept,
        Self::Mixed,
    ];
}

/// The "packet" of the program: what to do, and when that was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub(crate) struct Request {
    /// In: what random numbers begin with.
    pub(crate) seed: u64,
    /// In: how many operations, at most [`MOST`].
    pub(crate) operations: u32,
    /// In: half buckets of the smaller of both tables, minus one.
    pub(crate) mask: u32,
    /// In: backends that flows are opened with, at least one.
    pub(crate) backends: u32,
    /// Out: the data plane's clock in the end, in ticks.
    pub(crate) now: u32,
}

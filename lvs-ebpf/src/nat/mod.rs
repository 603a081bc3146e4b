//! NAT and FULLNAT: packets get other addresses and ports, and answers come back by here.
//!
//! A flow has two entries ([`table::pair`](crate::table::pair)). The tuple of the answers says all: a
//! client's packet becomes one of the reversed tuple of the answers, an answer becomes one of the
//! reversed tuple of the client.

mod answer;
mod keep;
mod request;

pub use answer::answer;
pub(crate) use answer::client;
pub use keep::{Opening, keep};
pub use request::{request, request_across};

use lvs_common::{ForwardingMode, flow::Tuple as _, map::Address};

use crate::{atomic::bounded, backend::Target, family::Family, kernel::Tables};

/// Where a flow's packets seem to come from, in the note of its link: with NAT the client itself, with
/// FULLNAT a local address and port.
///
/// ```text
/// bits 0..16  port, network byte order        16..23  number of the local address among the backend's
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub struct Origin(pub u32);

impl Origin {
    /// The client's own address and port.
    pub const CLIENT: Self = Self(0);

    /// A local address of the backend, and a port in network byte order.
    #[inline(always)]
    const fn new(local: u32, port: u16) -> Self {
        Self(port as u32 | local << 16)
    }
}

/// The backend of a flow, and the origin of its packets, in one word.
///
/// ```text
/// bits 0..16  backend        32..55  origin
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub struct Flow(u64);

impl Flow {
    /// Of its backend's id, and its origin.
    #[inline(always)]
    pub const fn new(backend: u16, origin: Origin) -> Self {
        Self(backend as u64 | (origin.0 as u64) << 32)
    }

    /// As a word; the highest bits are clear.
    #[inline(always)]
    pub const fn to_bits(self) -> u64 {
        self.0
    }

    /// From such a word.
    #[inline(always)]
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// Its backend's id.
    #[inline(always)]
    pub const fn backend(self) -> u16 {
        self.0 as u16
    }

    /// Its packets' origin.
    #[inline(always)]
    pub const fn origin(self) -> Origin {
        Origin((self.0 >> 32) as u32)
    }
}

/// Whether packets of this [`ForwardingMode`] number get other addresses.
#[inline(always)]
pub const fn translates(mode: u8) -> bool {
    mode == ForwardingMode::Nat as u8 || mode == ForwardingMode::FullNat as u8
}

/// The tuple of the answers to a client's packets, which are of the backend's family `R`; `None` if the
/// backend's local addresses are not there, or it has none and is of another family than the client.
#[inline(always)]
pub(crate) fn reply_tuple<F: Family, R: Family, K: Tables>(
    tables: &K,
    target: &Target,
    tuple: &F::Tuple,
    origin: Origin,
) -> Option<R::Tuple> {
    let words = tuple.words();
    let last = words[words.len() - 1];
    let (source, port) = if target.mode == ForwardingMode::FullNat as u8 {
        let number = bounded::<127>(u64::from(origin.0 >> 16)) as u32;
        let local: Address = *tables.local(u32::from(target.locals().0) + number)?;
        (local, origin.0 as u16)
    } else if F::PROTOCOL == R::PROTOCOL {
        (F::addresses(tuple).0, last as u16)
    } else {
        return None;
    };
    let ports = u64::from(target.port()) | u64::from(port) << 16;
    let last = last & !0xffff_ffff | ports;
    Some(R::between(target.address(), source, last))
}

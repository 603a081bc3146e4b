//! What the data plane and the control plane must agree on: the entries of the BPF maps, ids and
//! reasons, and the pure logic that both run or that host tests prove (hashing, checksums, the flow
//! word and its states, scheduling rings).
//!
//! Map entries keep addresses and ports in network byte order, everything else in the machine's.
//! Only little-endian machines are supported: the flow word is stored as halves.
#![no_std]

#[cfg(not(target_endian = "little"))]
compile_error!("the layout of the flow table is defined for little-endian machines");

pub mod bucket;
pub mod checksum;
pub mod ecn;
pub mod flow;
mod kind;
pub mod map;
pub mod reason;
pub mod ring;
pub mod sctp;
pub mod tcp;

pub use kind::{Family, ForwardingMode, MidStream, NoBackend, Protocol, Scheduler, UnknownName};
pub use reason::{Reason, Verdict};

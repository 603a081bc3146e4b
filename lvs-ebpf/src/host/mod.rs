//! The kernel's side of the walk in ordinary memory, for tests and the fuzzer.
//!
//! [`Setup`] says what the director would write into the maps and builds a [`Memory`] from it: the
//! maps, a clock that stands still until it is set, and every counter. A [`Buffer`] is a frame with
//! room around it, a [`Probe`] writes one, and [`judge`] tells from the bytes alone what the walk
//! may do with it.

mod audit;
mod buffer;
mod counts;
mod flows;
mod judge;
mod memory;
mod probe;
mod reading;
mod setup;

pub use audit::{Scan, audit};
pub use buffer::Buffer;
pub use flows::{AnyTuple, Flow};
pub use judge::judge;
pub use memory::{Load, Memory, Swept};
pub use probe::Probe;
pub use reading::{Reading, read};
pub use setup::{Setup, TICKS_PER_SECOND};

//! What the tests of lvs share: the lab, a small network in a process, with everything that lives in it.

#![expect(
    clippy::missing_errors_doc,
    reason = "everything here fails when the lab does, and the error says how"
)]

pub mod bench;
pub mod fuzz;
mod harness;
pub mod lab;
pub mod packet;
pub mod soak;
pub mod stress;

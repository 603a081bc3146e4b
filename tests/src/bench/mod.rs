//! The benchmark of the data plane, program by program, with its packets made in the kernel.
//!
//! A harness program writes the headers of the next flow's frame and calls the program under test;
//! the kernel repeats it (`BPF_PROG_TEST_RUN`) and tells how long a run took. What the harness itself
//! takes is measured with a program that only says `XDP_TX`, and subtracted. `docs/benchmark.md`
//! says what the figures mean and what they don't.

mod cases;
mod listing;
mod machine;
mod measure;
mod report;
mod rig;
mod rounds;
mod samples;
mod setup;

pub use cases::{Case, Program};
pub use machine::{Machine, ProgramFacts};
pub use measure::{Plan, run};
pub use report::{Listing, Report, Row, Survivors, Sweep};

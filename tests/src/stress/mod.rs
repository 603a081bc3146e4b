//! Two CPUs at once in small flow tables: random operations on pairs of entries in a BPF program of
//! their own, packets through the data plane beside them, and then a look at the tables at rest.

pub mod cpus;
mod figures;
mod machine;
mod pairs;
#[path = "../../../lvs-ebpf/src/stress/request.rs"]
mod request;
mod rest;
mod tables;

pub use figures::Figures;
pub use machine::{Machine, Round};
pub(crate) use pairs::Pairs;
pub use pairs::Sides;

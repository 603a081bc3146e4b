//! The data plane: the walk of a packet, a file a step.
//!
//! This library is the whole of it; the XDP program (`main.rs`) only wires it to the kernel. It sees
//! the kernel through the traits of [`kernel`], so the very code that runs at the NIC is tested and
//! fuzzed on the host.
#![cfg_attr(not(any(test, feature = "host")), no_std)]
#![cfg_attr(target_arch = "bpf", feature(asm_experimental_arch))]

pub mod admit;
pub mod atomic;
pub mod backend;
pub mod decap;
pub mod family;
pub mod forward;
pub mod gateway;
pub mod guard;
#[cfg(any(test, feature = "host"))]
pub mod host;
pub mod kernel;
pub mod nat;
pub mod packet;
pub mod parse;
pub mod schedule;
pub mod service;
pub mod slow;
pub mod table;
mod walk;

pub use forward::Action;
pub use walk::{deliver, walk};

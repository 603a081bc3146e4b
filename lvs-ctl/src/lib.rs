//! The control plane of LVS at the NIC: configuration, the director, and the loader of the data plane.

pub mod cli;
pub mod config;
pub mod datapath;
pub mod director;
pub mod net;

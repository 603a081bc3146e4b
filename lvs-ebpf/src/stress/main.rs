//! A program that does random operations on the flow table, for stress tests: what two CPUs do with
//! pairs of entries before there is a forwarding mode that opens any.
#![cfg_attr(target_arch = "bpf", no_std, no_main)]

#[cfg(target_arch = "bpf")]
mod request;
#[cfg(target_arch = "bpf")]
mod xdp;

#[cfg(not(target_arch = "bpf"))]
fn main() {
    // On the host this package is a library; its program exists for the BPF target alone.
}

//! Programs that the benchmark runs beside the data plane.
#![cfg_attr(target_arch = "bpf", no_std, no_main)]

#[cfg(target_arch = "bpf")]
mod xdp;

#[cfg(not(target_arch = "bpf"))]
fn main() {
    // On the host this package is a library; its program exists for the BPF target alone.
}

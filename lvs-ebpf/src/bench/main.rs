//! Programs that the benchmark runs beside the data plane: what writes the frames, the floor that
//! figures are compared with, and a balancer that keeps its flows in the kernel's LRU maps.
#![cfg_attr(target_arch = "bpf", no_std, no_main)]

#[cfg(target_arch = "bpf")]
mod traffic;
#[cfg(target_arch = "bpf")]
mod xdp;

#[cfg(not(target_arch = "bpf"))]
fn main() {
    // On the host this package is a library; its program exists for the BPF target alone.
}

//! Tells the tests where lvs-ctl's build script has put the eBPF programs to measure with.

use std::env;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // Cargo names it after the key that lvs-ctl's build script prints.
    if let Ok(object) = env::var("DEP_LVS_EBPF_BENCH_OBJECT") {
        println!("cargo::rustc-env=LVS_BENCH_OBJECT={object}");
    }
}

//! Tells the tests where lvs-ctl's build script has put the eBPF programs to measure and stress with.

use std::env;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    for object in ["BENCH_OBJECT", "STRESS_OBJECT"] {
        // Cargo names it after the key that lvs-ctl's build script prints.
        if let Ok(path) = env::var(format!("DEP_LVS_EBPF_{object}")) {
            println!("cargo::rustc-env=LVS_{object}={path}");
        }
    }
}

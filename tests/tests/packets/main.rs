//! The loaded program, frame by frame, through `BPF_PROG_TEST_RUN`: packet tables, and what a table
//! cannot say: turns, states, expiry, two CPUs at once, pins.

mod addresses;
mod connections;
mod direct;
mod errors;
mod expiry;
mod farm;
mod modes;
mod next_hops;
mod pairs;
mod pin_dir;
mod pins;
mod program;
mod reasons;
mod states;
mod translated;
mod truncated;
mod turns;
mod two_cpus;
mod untouched;

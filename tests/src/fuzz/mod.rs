//! A mutational fuzzer of the packet walk, on the host.
//!
//! It walks valid packets, mutated ones and plain noise, lets the clock jump and the table be swept,
//! and checks every packet: no panic, no byte touched outside the frame, nothing changed that may not
//! be, and the outcome that an independent reading of the frame allows. Now and then it counts the
//! flow table over. A seed makes the same run again.

mod arena;
mod engine;
mod fault;
mod mutate;
mod report;
mod traffic;
mod world;

pub use engine::Fuzzer;
pub use fault::report_faults;
pub use report::{Failure, Report};

#[cfg(test)]
mod tests {
    use lvs_common::Reason;

    use super::*;

    /// Enough to see every reason, few enough for every test run.
    const PACKETS: u32 = 200_000;

    #[test]
    fn a_short_run_finds_nothing_and_goes_everywhere() {
        let mut fuzzer = Fuzzer::new(1).unwrap();
        for _ in 0..PACKETS {
            if let Err(failure) = fuzzer.step() {
                panic!("{failure}");
            }
        }
        let report = fuzzer.report();
        assert_eq!(report.packets(), u64::from(PACKETS));
        // For the others it takes maps that contradict each other, another CPU, or another program.
        for reason in Reason::ALL {
            let seen = report.count(*reason) > 0;
            assert_eq!(
                seen,
                !matches!(
                    reason,
                    Reason::Inconsistent
                        | Reason::NoPlace
                        | Reason::Decapsulated
                        | Reason::NoTunnel
                ),
                "{reason:?}\n{report}"
            );
        }
    }

    #[test]
    fn a_seed_makes_the_same_run_again() {
        let run = |seed| {
            let mut fuzzer = Fuzzer::new(seed).unwrap();
            for _ in 0..2_000 {
                fuzzer.step().unwrap();
            }
            fuzzer.report().to_string()
        };
        assert_eq!(run(7), run(7));
        assert_ne!(run(7), run(8));
    }
}

//! Long runs that show a figure: each prints what it measured, and fails if its rule is broken.
//!
//! A soak is a file here and a line in [`SOAKS`]. What it runs is also an ordinary test, small and
//! always the same; the long run only measures it finer.

mod balancer;
mod churn;
mod clients;
pub mod connections;
pub mod flood;
mod killed;
pub mod million;
mod pairs;

use std::time::Duration;

use anyhow::{Context as _, Result};

/// A long run.
#[derive(Debug)]
pub struct Soak {
    /// What it is called on the command line.
    pub name: &'static str,
    /// What it shows.
    pub about: &'static str,
    /// Runs it for about that long.
    run: fn(Duration) -> Result<()>,
}

/// All of them.
pub static SOAKS: &[Soak] = &[
    Soak {
        name: "churn",
        about: "fewer than one new flow in a million evicts a live one",
        run: churn::run,
    },
    Soak {
        name: "flood",
        about: "established connections survive floods; how many handshakes do",
        run: flood::run,
    },
    Soak {
        name: "million",
        about: "as many flows as the table is made for find a place each",
        run: million::run,
    },
    Soak {
        name: "connections",
        about: "active and inactive are what a scan of the table counts, whatever happens",
        run: connections::run,
    },
    Soak {
        name: "pairs",
        about: "two CPUs in one flow table never break it, nor the counts",
        run: pairs::run,
    },
    Soak {
        name: "killed",
        about: "the counts are exact after a director was killed in the middle of a sweep",
        run: killed::run,
    },
];

impl Soak {
    /// Runs it for about that long; its figures go to the standard output.
    ///
    /// # Errors
    /// If its rule is broken, or if it can't be run; the error names the soak.
    pub fn run(&self, time: Duration) -> Result<()> {
        println!("{}: {}", self.name, self.about);
        (self.run)(time).context(self.name)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_soak_has_a_name_of_its_own() {
        let names = SOAKS.iter().map(|soak| soak.name).collect::<HashSet<_>>();
        assert_eq!(names.len(), SOAKS.len());
    }

    #[test]
    fn an_error_names_the_soak() {
        let broken = Soak {
            name: "broken",
            about: "fails",
            run: |_| anyhow::bail!("its rule is broken"),
        };
        let error = broken.run(Duration::ZERO).unwrap_err();
        assert_eq!(format!("{error:#}"), "broken: its rule is broken");
    }
}

//! The configuration as operators meet it: the example, every message, and text that nobody would write.
#![expect(
    clippy::panic,
    reason = "a test that fails shows the text it failed on"
)]

mod errors;
mod files;
mod limits;
mod mutations;
mod networks;
mod values;
mod warnings;

use lvs_ctl::config::{self, Config, Diagnostic, Loaded, Severity};

/// The least there can be, without a warning.
const VALID: &str = "\
interfaces: [eth0]
services:
  - address: 10.0.0.29:80
    backends:
      - address: 10.0.0.17
";

/// What a valid text holds; it may have warnings.
fn loaded(text: &str) -> Loaded {
    match config::parse(text, "lvs.yaml") {
        Ok(loaded) => loaded,
        Err(found) => panic!("{found}\nin\n{text}"),
    }
}

/// What a valid text without warnings holds.
fn valid(text: &str) -> Config {
    let Loaded { config, warnings } = loaded(text);
    assert_eq!(warnings, []);
    config
}

/// What is wrong with a text, which must have an error.
fn findings(text: &str) -> Vec<Diagnostic> {
    match config::parse(text, "lvs.yaml") {
        Ok(_) => panic!("accepted\n{text}"),
        Err(found) => {
            let found: Vec<_> = found.into_iter().collect();
            assert!(
                found.iter().any(|found| found.severity == Severity::Error),
                "{found:?}"
            );
            found
        }
    }
}

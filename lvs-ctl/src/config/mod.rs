//! The configuration file: read, judged as a whole, and handed on as a [`Config`] without doubts.
//!
//! `raw` knows YAML, `validate` knows LVS, and every finding of either is a [`Diagnostic`] that
//! points at the text. A file is judged in one go: only text that isn't YAML ends it early.

mod address;
pub mod argument;
mod diagnostic;
mod ethernet;
mod fields;
mod model;
mod names;
mod numbers;
mod prefix;
mod raw;
mod render;
mod report;
mod validate;

use std::{
    fs::File,
    io::{self, Read as _},
    path::Path,
};

pub use diagnostic::{Diagnostic, Diagnostics, Severity};
pub use model::{Backend, Config, Decap, Notices, Service, Timeouts, WithoutDf, XdpMode};
pub use prefix::Prefix;

/// Sixteen times what the largest accepted configuration takes; what is larger was picked by mistake.
const MAX_FILE: u64 = 64 << 20;

/// A configuration that can be run, and what is odd about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// What is allowed but probably not meant, in the order of the file.
    pub warnings: Vec<Diagnostic>,
}

/// Reads and judges the file at `path`.
///
/// # Errors
/// What is wrong with the file, all of it, or why it can't be read.
pub fn load(path: &Path) -> Result<Loaded, Diagnostics> {
    let shown = path.display().to_string();
    match read(path) {
        Ok(bytes) => match String::from_utf8(bytes) {
            Ok(text) => parse(&text, &shown),
            Err(error) => Err(not_text(
                error.as_bytes(),
                error.utf8_error().valid_up_to(),
                shown,
            )),
        },
        Err(error) => Err(unreadable(&error, shown)),
    }
}

/// Judges `text`, which findings call `path`.
///
/// # Errors
/// What is wrong with the text, all of it, warnings included.
pub fn parse(text: &str, path: &str) -> Result<Loaded, Diagnostics> {
    // An editor's byte order mark would shift the columns of the first line.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut report = report::Report::default();
    let config = match raw::parse(text) {
        Ok(root) => validate::config(&root, &mut report),
        Err((place, problem)) => {
            report.error(place, problem);
            None
        }
    };
    let failed = report.has_errors();
    let found = report.finish(path, text);
    match config {
        Some(config) if !failed => Ok(Loaded {
            config,
            warnings: found,
        }),
        _ => Err(Diagnostics::new(found)),
    }
}

/// A configuration with every field, commented for operators.
pub fn example() -> &'static str {
    include_str!("../../lvs.example.yaml")
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?
        .take(MAX_FILE + 1)
        .read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    Ok(bytes)
}

fn unreadable(error: &io::Error, path: String) -> Diagnostics {
    let (reason, help) = match error.kind() {
        io::ErrorKind::NotFound => (
            "no such file".to_owned(),
            "check the path, or start from lvs.example.yaml",
        ),
        io::ErrorKind::PermissionDenied => (
            "permission denied".to_owned(),
            "run as a user who may read the file, or change its permissions",
        ),
        io::ErrorKind::IsADirectory => ("it is a directory".to_owned(), "name the file in it"),
        io::ErrorKind::FileTooLarge => (
            format!("it is larger than {} MiB", MAX_FILE >> 20),
            "check the path: the largest configuration is far smaller",
        ),
        _ => (error.to_string(), "check the path and the file system"),
    };
    Diagnostics::new(vec![Diagnostic {
        message: format!("cannot read {path}: {reason}"),
        help: Some(help.to_owned()),
        ..Diagnostic::of_file(path)
    }])
}

fn not_text(bytes: &[u8], good: usize, path: String) -> Diagnostics {
    let before = String::from_utf8_lossy(bytes.get(..good).unwrap_or_default());
    let head = before.rsplit('\n').next().unwrap_or_default();
    Diagnostics::new(vec![Diagnostic {
        line: before.split('\n').count(),
        column: 1 + head.chars().count(),
        length: 1,
        message: "the file is not UTF-8 text".to_owned(),
        help: Some("save it as UTF-8".to_owned()),
        source_line: format!("{head}\u{fffd}"),
        ..Diagnostic::of_file(path)
    }])
}

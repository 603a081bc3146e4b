//! A finding about the configuration file, and the list of them.

use std::{error::Error, fmt};

use serde::{Serialize, Serializer};

/// Whether a finding keeps the configuration from being run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// It does.
    Error,
    /// It doesn't, but is probably not meant.
    Warning,
}

/// One finding: where, what, and what would be right.
///
/// As JSON: `path`, `line`, `column`, `severity`, `message`, `help`; line and column are
/// null for the file as a whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// The file, as it was named.
    pub path: String,
    /// Line, from 1; 0 is the file as a whole.
    #[serde(serialize_with = "null_for_zero")]
    pub line: usize,
    /// Column in characters, from 1; 0 is the file as a whole.
    #[serde(serialize_with = "null_for_zero")]
    pub column: usize,
    /// Characters of the line that are meant.
    #[serde(skip)]
    pub length: usize,
    /// Error or warning.
    pub severity: Severity,
    /// What is wrong, in lower case and without a full stop.
    pub message: String,
    /// What would be right.
    pub help: Option<String>,
    /// The text of the line.
    #[serde(skip)]
    pub source_line: String,
}

impl Diagnostic {
    /// An error about a file as a whole, still without words.
    pub(super) fn of_file(path: String) -> Self {
        Self {
            path,
            line: 0,
            column: 0,
            length: 0,
            severity: Severity::Error,
            message: String::new(),
            help: None,
            source_line: String::new(),
        }
    }
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature is serde's"
)]
fn null_for_zero<S: Serializer>(number: &usize, serializer: S) -> Result<S::Ok, S::Error> {
    match *number {
        0 => serializer.serialize_none(),
        number => number.serialize(serializer),
    }
}

/// Why a configuration can't be run: at least one error, and the warnings, in the order of the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Diagnostics(Vec<Diagnostic>);

impl Diagnostics {
    pub(super) fn new(found: Vec<Diagnostic>) -> Self {
        Self(found)
    }

    /// The findings.
    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.0.iter()
    }

    /// How many there are: `2 errors, 1 warning`.
    pub fn summary(&self) -> String {
        let count = |severity| {
            self.iter()
                .filter(|found| found.severity == severity)
                .count()
        };
        let plural = |count, word| format!("{count} {word}{}", if count == 1 { "" } else { "s" });
        let errors = plural(count(Severity::Error), "error");
        match count(Severity::Warning) {
            0 => errors,
            warnings => format!("{errors}, {}", plural(warnings, "warning")),
        }
    }

    /// A picture of every finding, a blank line between two.
    pub fn render(&self, color: bool) -> String {
        let pictures: Vec<_> = self.iter().map(|found| found.render(color)).collect();
        pictures.join("\n\n")
    }
}

impl<'a> IntoIterator for &'a Diagnostics {
    type Item = &'a Diagnostic;
    type IntoIter = std::slice::Iter<'a, Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl IntoIterator for Diagnostics {
    type Item = Diagnostic;
    type IntoIter = std::vec::IntoIter<Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl Error for Diagnostics {}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(severity: Severity) -> Diagnostic {
        Diagnostic {
            line: 3,
            column: 5,
            length: 2,
            severity,
            message: "what".to_owned(),
            ..Diagnostic::of_file("lvs.yaml".to_owned())
        }
    }

    #[test]
    fn json_has_the_documented_fields_in_their_order() {
        let json = serde_json::to_string(&finding(Severity::Warning)).unwrap();
        assert_eq!(
            json,
            r#"{"path":"lvs.yaml","line":3,"column":5,"severity":"warning","message":"what","help":null}"#
        );
    }

    #[test]
    fn a_finding_about_the_whole_file_has_no_position() {
        let json = serde_json::to_value(Diagnostic::of_file("x".to_owned())).unwrap();
        assert!(json["line"].is_null() && json["column"].is_null());
    }

    #[test]
    fn the_summary_counts_each_severity() {
        let error = || finding(Severity::Error);
        let warning = || finding(Severity::Warning);
        assert_eq!(Diagnostics::new(vec![error()]).summary(), "1 error");
        let found = Diagnostics::new(vec![error(), warning(), error()]);
        assert_eq!(found.summary(), "2 errors, 1 warning");
    }
}

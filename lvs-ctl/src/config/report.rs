//! Collects findings while a file is judged.

use super::diagnostic::{Diagnostic, Severity};

/// A stretch of one line of the file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    /// From 1.
    pub(super) line: usize,
    /// In characters, from 1.
    pub(super) column: usize,
    /// In characters.
    pub(super) length: usize,
}

/// What is wrong, and what would be right.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Problem {
    pub(super) message: String,
    pub(super) help: Option<String>,
}

impl Problem {
    pub(super) fn new(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            help: Some(help.into()),
        }
    }
}

/// What was found so far.
#[derive(Debug, Default)]
pub(super) struct Report {
    found: Vec<(Place, Severity, Problem)>,
}

impl Report {
    pub(super) fn error(&mut self, place: Place, problem: Problem) {
        self.found.push((place, Severity::Error, problem));
    }

    pub(super) fn warning(&mut self, place: Place, problem: Problem) {
        self.found.push((place, Severity::Warning, problem));
    }

    /// The value, or `None` once its problem is noted.
    pub(super) fn take<T>(&mut self, place: Place, value: Result<T, Problem>) -> Option<T> {
        value.map_err(|problem| self.error(place, problem)).ok()
    }

    pub(super) fn has_errors(&self) -> bool {
        self.found
            .iter()
            .any(|(_, severity, _)| *severity == Severity::Error)
    }

    /// The findings in the order of the text, each once: an alias brings its value to several services.
    pub(super) fn finish(mut self, path: &str, text: &str) -> Vec<Diagnostic> {
        self.found.sort();
        self.found.dedup();
        let lines: Vec<_> = text.lines().collect();
        let draw = |(place, severity, problem): (Place, Severity, Problem)| {
            let line = lines
                .get(place.line.saturating_sub(1))
                .copied()
                .unwrap_or_default();
            let rest = (line.chars().count() + 1).saturating_sub(place.column);
            Diagnostic {
                path: path.to_owned(),
                line: place.line,
                column: place.column,
                length: place.length.min(rest).max(1),
                severity,
                message: problem.message,
                help: problem.help,
                source_line: line.to_owned(),
            }
        };
        self.found.into_iter().map(draw).collect()
    }
}

/// Text of the file in a message: in backquotes, short, and without control characters.
pub(super) fn shown(text: &str) -> String {
    const LONGEST: usize = 60;
    let mut plain = String::new();
    for (index, character) in text.chars().enumerate() {
        if index == LONGEST {
            plain.push_str("...");
            break;
        }
        if character.is_control() {
            plain.extend(character.escape_default());
        } else {
            plain.push(character);
        }
    }
    format!("`{plain}`")
}

/// `on lines 3 and 8`, for a message about two places.
pub(super) fn on_lines(first: Place, second: Place) -> String {
    let (low, high) = (first.line.min(second.line), first.line.max(second.line));
    if low == high {
        format!("on line {low}")
    } else {
        format!("on lines {low} and {high}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_come_sorted_and_once() {
        let place = |line| Place {
            line,
            column: 1,
            length: 50,
        };
        let problem = |message: &str| Problem::new(message, "help");
        let mut report = Report::default();
        report.warning(place(3), problem("c"));
        report.error(place(2), problem("b"));
        report.error(place(2), problem("b"));
        assert!(report.has_errors());
        let found = report.finish("p", "one\ntwo\n");
        let summary: Vec<_> = found
            .iter()
            .map(|found| (found.line, found.length, &*found.source_line))
            .collect();
        assert_eq!(summary, [(2, 3, "two"), (3, 1, "")]);
    }

    #[test]
    fn shown_text_is_harmless_and_short() {
        assert_eq!(shown("web"), "`web`");
        assert_eq!(shown("a\u{1b}[31m\n"), "`a\\u{1b}[31m\\n`");
        assert_eq!(shown(&"x".repeat(100)).len(), 60 + 3 + 2);
    }
}

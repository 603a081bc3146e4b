//! The picture of a finding: message, file and position, the line with the meant part underlined, help.

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use super::diagnostic::{Diagnostic, Severity};

impl Diagnostic {
    /// The picture, without a line break at its end. Whether colours are wanted is the caller's to know.
    pub fn render(&self, color: bool) -> String {
        let level = match self.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let mut group = Group::with_title(level.primary_title(self.message.as_str()));
        if self.line > 0 {
            let meant = AnnotationKind::Primary.span(self.byte_range());
            group = group.element(
                Snippet::source(self.source_line.as_str())
                    .path(self.path.as_str())
                    .line_start(self.line)
                    .annotation(meant),
            );
        }
        if let Some(help) = &self.help {
            group = group.element(Level::HELP.message(help.as_str()));
        }
        let renderer = if color {
            Renderer::styled()
        } else {
            Renderer::plain()
        };
        renderer.render(&[group])
    }

    /// What is meant, in bytes of the line.
    fn byte_range(&self) -> std::ops::Range<usize> {
        let byte_of = |character: usize| {
            let mut starts = self.source_line.char_indices();
            starts
                .nth(character)
                .map_or(self.source_line.len(), |(byte, _)| byte)
        };
        let first = self.column.saturating_sub(1);
        byte_of(first)..byte_of(first.saturating_add(self.length))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding() -> Diagnostic {
        Diagnostic {
            line: 12,
            column: 9,
            length: 6,
            message: "unknown field `wieght` in a backend".to_owned(),
            help: Some("did you mean `weight`?".to_owned()),
            source_line: "  ä   - wieght: 3".to_owned(),
            ..Diagnostic::of_file("lvs.yaml".to_owned())
        }
    }

    #[test]
    fn the_meant_part_is_underlined() {
        let expected = "\
error: unknown field `wieght` in a backend
  --> lvs.yaml:12:9
   |
12 |   ä   - wieght: 3
   |         ^^^^^^
   |
   = help: did you mean `weight`?";
        assert_eq!(finding().render(false), expected);
    }

    #[test]
    fn colour_is_only_added_on_demand() {
        assert!(!finding().render(false).contains('\u{1b}'));
        assert!(finding().render(true).contains('\u{1b}'));
    }

    #[test]
    fn a_file_as_a_whole_has_no_picture() {
        let found = Diagnostic {
            message: "cannot read x: no such file".to_owned(),
            help: Some("check the path".to_owned()),
            ..Diagnostic::of_file("x".to_owned())
        };
        assert_eq!(
            found.render(false),
            "error: cannot read x: no such file\n |\n = help: check the path"
        );
    }

    #[test]
    fn positions_beyond_the_line_are_drawn_at_its_end() {
        for (column, length) in [(1, 0), (1, 99), (17, 5), (99, 1), (usize::MAX, usize::MAX)] {
            let found = Diagnostic {
                column,
                length,
                ..finding()
            };
            assert!(found.render(false).contains("wieght: 3"));
        }
        let empty = Diagnostic {
            source_line: String::new(),
            ..finding()
        };
        assert!(empty.render(false).contains("lvs.yaml:12"));
    }
}

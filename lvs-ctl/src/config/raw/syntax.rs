//! Text that isn't YAML, in words for whoever wrote it.

use std::net::Ipv6Addr;

use serde_yaml::{Error, ExternalMessageSource, budget::BudgetBreach, granit_parser::ErrorKind};

use super::{Place, Problem};

/// Where and why reading ended.
pub(super) fn explain(error: &Error, text: &str) -> (Place, Problem) {
    let error = error.without_snippet();
    let mut place = error.location().map_or(
        Place {
            line: 1,
            column: 1,
            length: 1,
        },
        |location| super::place(location, super::source(location, text)),
    );
    let line = text.lines().nth(place.line - 1).unwrap_or_default();
    let problem = if let Some((before, address)) = bracketed(line) {
        // The library only stumbled behind it.
        place.column = 1 + before.chars().count();
        place.length = address.len();
        let help = format!("without them YAML takes [ for a list: write \"{address}\"");
        Problem::new("an address in brackets needs quotes", help)
    } else {
        let (message, help) = words(error);
        Problem::new(message, help)
    };
    (place, problem)
}

/// An IPv6 address with a port in this line that should have been quoted, and the text before it.
fn bracketed(line: &str) -> Option<(&str, &str)> {
    let start = line.find('[')?;
    let inside = line.get(start + 1..)?;
    let (address, tail) = inside.split_once(']')?;
    let port = tail.strip_prefix(':')?;
    let digits = port.bytes().take_while(u8::is_ascii_digit).count();
    let before = line.get(..start)?;
    let quoted = before.ends_with(['"', '\'']);
    if quoted || digits == 0 || address.parse::<Ipv6Addr>().is_err() {
        return None;
    }
    let length = "[]:".len() + address.len() + digits;
    Some((before, line.get(start..start + length)?))
}

fn words(error: &Error) -> (&'static str, &'static str) {
    match error {
        Error::ExternalMessage { source, .. } => match source.as_ref() {
            ExternalMessageSource::Parser(error) => scan_words(error.kind()),
            _ => NOT_YAML,
        },
        Error::AliasError { error, .. } => words(error),
        Error::MultipleDocuments { .. } => (
            "a second document starts here",
            "a file holds one: delete the `---` line, or move what follows it to another file",
        ),
        Error::UnknownAnchor { .. } => UNKNOWN_ANCHOR,
        Error::RecursiveReferencesRequireWeakTypes { .. } => (
            "the alias lies within its own anchor",
            "an alias `*name` can only repeat a value that is complete",
        ),
        Error::MergeValueNotMapOrSeqOfMaps { .. } => (
            "`<<` needs a mapping",
            "write an alias of a mapping, such as `<<: *defaults`",
        ),
        Error::AliasReplayCounterOverflow { .. }
        | Error::AliasReplayLimitExceeded { .. }
        | Error::AliasExpansionLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. } => TOO_MANY_ALIASES,
        Error::Budget { breach, .. } => match breach {
            BudgetBreach::Depth { .. } => TOO_DEEP,
            BudgetBreach::Aliases { .. }
            | BudgetBreach::Anchors { .. }
            | BudgetBreach::MergeKeys { .. }
            | BudgetBreach::AliasAnchorRatio { .. }
            | BudgetBreach::RecordedAnchorEvents { .. }
            | BudgetBreach::RecordedAnchorBytes { .. } => TOO_MANY_ALIASES,
            _ => (
                "the file holds more values than the largest configuration",
                "4,096 services and 65,535 backends is the most",
            ),
        },
        Error::InvalidScalar { .. }
        | Error::InvalidBinaryBase64 { .. }
        | Error::BinaryNotUtf8 { .. }
        | Error::InvalidBooleanStrict { .. }
        | Error::TaggedScalarCannotDeserializeIntoString { .. }
        | Error::Unexpected { .. }
        | Error::UnsupportedTag { .. } => (
            "the value does not fit its tag",
            "leave the tag (the word after `!`) out: no field needs one",
        ),
        _ => NOT_YAML,
    }
}

const NOT_YAML: (&str, &str) = (
    "this is not YAML",
    "check the indentation, and that every field is written `name: value`",
);
const TOO_DEEP: (&str, &str) = (
    "lists and mappings are nested too deeply",
    "a backend, the deepest part of a configuration, is at the fourth level",
);
const TOO_MANY_ALIASES: (&str, &str) = (
    "anchors and aliases expand to too many values",
    "write the values out, or use fewer aliases",
);
const UNKNOWN_ANCHOR: (&str, &str) = (
    "the alias has no anchor",
    "mark the value to repeat with `&name` before `*name`, or quote a text that starts with `*`",
);

fn scan_words(kind: &ErrorKind) -> (&'static str, &'static str) {
    use ErrorKind as K;
    match kind {
        K::UnclosedQuotedScalar | K::DocumentIndicatorInQuotedScalar => (
            "the quote is not closed",
            "end the text with the quote that it starts with",
        ),
        K::UnclosedFlowCollection { .. }
        | K::UnexpectedEofFlowSequence
        | K::UnexpectedEofFlowMapping
        | K::UnexpectedEofImplicitFlowMapping => (
            "the bracket is not closed",
            "close `[` with `]` and `{` with `}`",
        ),
        K::MisplacedFlowCollectionEnd | K::MismatchedFlowCollectionEnd { .. } => (
            "the closing bracket does not fit an opening one",
            "close `[` with `]` and `{` with `}`; quote a text that holds brackets",
        ),
        K::ExpectedFlowSequenceSeparator
        | K::ExpectedFlowMappingSeparator
        | K::InvalidColonPlacement
        | K::FlowMappingValueAdjacentCollection => (
            "a comma or a closing bracket is missing before this",
            "separate the values between brackets with commas, and close the bracket",
        ),
        K::TabNotAllowed
        | K::TabInBlockIndentation
        | K::TabInIndentation
        | K::TabInPlainScalar
        | K::TabAtBlockScalarStart
        | K::InvalidBlockEntryWhitespace
        | K::InvalidMappingValueWhitespace => {
            ("a tab stands where YAML needs blanks", "indent with blanks")
        }
        K::MappingValueNotAllowed
        | K::MappingKeyNotAllowed
        | K::SimpleKeyExpected
        | K::InvalidSimpleKey => (
            "a `name: value` is not possible here",
            "check the indentation, give each field its own line, and quote a text that holds `: `",
        ),
        K::ExpectedBlockMappingKey
        | K::ExpectedBlockSequenceEntry
        | K::BlockSequenceEntryNotAllowed
        | K::BlockEntryInFlowCollection
        | K::ExpectedDocumentStart
        | K::InvalidIndentation
        | K::InvalidFlowScalarIndent
        | K::InvalidQuotedScalarIndent => (
            "this does not fit what stands above it",
            "fields of one mapping start in the same column, and so do the `-` of one list",
        ),
        K::UnexpectedCharacter { .. }
        | K::PlainScalarStartsWithDashFlowIndicator
        | K::UnexpectedEndOfPlainScalar => {
            ("a text cannot start with this character", "quote the text")
        }
        K::InvalidTrailingSingleQuotedScalar | K::InvalidTrailingDoubleQuotedScalar => (
            "text follows the closing quote",
            "quote the whole value, or nothing of it",
        ),
        K::UnknownQuotedScalarEscape
        | K::InvalidQuotedScalarHexEscape
        | K::InvalidLowSurrogateHexEscape
        | K::InvalidLowSurrogate
        | K::MissingLowSurrogate
        | K::UnpairedLowSurrogate
        | K::InvalidUnicodeEscape => (
            "unknown escape after `\\`",
            "write `\\\\` for a backslash, or use single quotes",
        ),
        K::MissingAnchorOrAliasName => (
            "`&` and `*` need a name",
            "quote a text that starts with `&` or `*`",
        ),
        K::UnknownAnchor => UNKNOWN_ANCHOR,
        K::RecursionLimitExceeded => TOO_DEEP,
        _ => NOT_YAML,
    }
}

#[cfg(test)]
mod tests {
    use super::super::parse;

    /// Text, line, column, and words of the message.
    const BROKEN: &[(&str, usize, usize, &str)] = &[
        ("a: \"open\n", 1, 4, "quote is not closed"),
        ("a: [1, 2\nb: 3\n", 2, 2, "comma or a closing bracket"),
        ("a: {b: 1\n", 1, 4, "bracket is not closed"),
        ("a: ]\n", 1, 4, "does not fit an opening one"),
        ("a:\n\t- x\n", 2, 2, "a tab"),
        ("a: b: c\n", 1, 5, "not possible here"),
        ("  a: 1\n b: 2\n", 2, 2, "what stands above"),
        ("a: 1\n- b\n", 2, 3, "what stands above"),
        ("a: @x\n", 1, 4, "cannot start with"),
        ("a: 'x' y\n", 1, 8, "follows the closing quote"),
        ("a: \"\\q\"\n", 1, 4, "unknown escape"),
        ("a: *x\n", 1, 4, "alias has no anchor"),
        ("a: * x\n", 1, 4, "need a name"),
        ("a: &x [*x]\n", 1, 8, "its own anchor"),
        ("a: 1\n<<: 5\n", 2, 5, "needs a mapping"),
        ("a: 1\n---\nb: 2\n", 3, 1, "second document"),
        ("a: !!int abc\n", 1, 10, "its tag"),
        ("address: [2001:db8::29]:80\nb: 1\n", 1, 10, "needs quotes"),
    ];

    #[test]
    fn every_break_is_told_in_own_words() {
        for &(text, line, column, words) in BROKEN {
            let (place, problem) = parse(text).unwrap_err();
            assert!(problem.message.contains(words), "{text:?}: {problem:?}");
            assert_eq!(
                (place.line, place.column),
                (line, column),
                "{text:?}: {problem:?}"
            );
        }
    }

    #[test]
    fn nesting_ends_before_the_stack_does() {
        for text in [
            "[".repeat(100_000),
            "a: ".to_owned() + &"[".repeat(300) + &"]".repeat(300),
            "- ".repeat(5_000),
        ] {
            let (_, problem) = parse(&text).unwrap_err();
            assert!(problem.message.contains("nested too deeply"), "{problem:?}");
        }
    }

    #[test]
    fn aliases_of_aliases_end() {
        let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..10 {
            let before = format!("*a{}, ", level - 1).repeat(10);
            text = format!("{text}a{level}: &a{level} [{before}]\n");
        }
        let (_, problem) = parse(&text).unwrap_err();
        assert!(
            problem.message.contains("expand to too many"),
            "{problem:?}"
        );
    }
}

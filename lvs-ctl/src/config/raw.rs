//! The file as written: a tree of texts, each with its place. Only this module knows the YAML library.
//!
//! The tree takes any YAML. What a field may be called and what its text means is judged later,
//! which is what lets one run report everything that is wrong.

mod syntax;

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_yaml::{DuplicateKeyPolicy, NonFiniteFloatPolicy, Spanned};

use super::report::{Place, Problem};

/// A value of the file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Node {
    pub(super) place: Place,
    pub(super) value: Value,
}

/// What was written.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Value {
    /// Nothing, `~` or `null`.
    Nothing,
    /// Text, which numbers and booleans are too, as they were spelled.
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// Keys and values in their order; a key may come twice.
    Mapping(Vec<(Node, Node)>),
}

impl Value {
    /// What it is, for a message.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Nothing => "empty",
            Self::Text(_) => "text",
            Self::List(_) => "a list",
            Self::Mapping(_) => "a mapping",
        }
    }
}

/// Reads YAML.
pub(super) fn parse(text: &str) -> Result<Node, (Place, Problem)> {
    match serde_yaml::from_str_with_options::<Spanned<Parsed>>(text, options()) {
        Ok(root) => Ok(node(root, text)),
        Err(error) => Err(syntax::explain(&error, text)),
    }
}

/// Limits that the largest accepted configuration, written with aliases, stays below, and that a
/// file made to exhaust memory or stack doesn't.
fn options() -> serde_yaml::Options {
    let mut options = serde_yaml::options! {
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        non_finite_float_policy: NonFiniteFloatPolicy::AsString,
        with_snippet: false,
        budget: serde_yaml::budget! {
            max_depth: 32,
            flow_nesting_limit: 32,
            max_events: 1_000_000,
            max_nodes: 500_000,
            max_recorded_anchor_events: 500_000,
            enforce_alias_anchor_ratio: false,
        },
    };
    options.alias_limits.max_total_replayed_events = 500_000;
    options
}

/// A value as the library reports it.
enum Parsed {
    Nothing,
    /// The library took it for a number or boolean: the text of the file counts, this only where it is unknown.
    Typed(String),
    Text(String),
    List(Vec<Spanned<Self>>),
    Mapping(Vec<(Spanned<Self>, Spanned<Self>)>),
}

impl<'de> Deserialize<'de> for Parsed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Anything)
    }
}

struct Anything;

/// Visits of a scalar that isn't text.
macro_rules! typed {
    ($($visit:ident: $type:ty,)+) => {
        $(fn $visit<E>(self, value: $type) -> Result<Parsed, E> {
            Ok(Parsed::Typed(value.to_string()))
        })+
    };
}

impl<'de> Visitor<'de> for Anything {
    type Value = Parsed;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    typed! {
        visit_bool: bool,
        visit_i64: i64,
        visit_u64: u64,
        visit_i128: i128,
        visit_u128: u128,
        visit_f64: f64,
    }

    fn visit_str<E>(self, text: &str) -> Result<Parsed, E> {
        Ok(Parsed::Text(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Parsed, E> {
        Ok(Parsed::Text(text))
    }

    fn visit_unit<E>(self) -> Result<Parsed, E> {
        Ok(Parsed::Nothing)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Parsed, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Parsed::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Parsed, A::Error> {
        let mut mapping = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            mapping.push(entry);
        }
        Ok(Parsed::Mapping(mapping))
    }
}

fn node(parsed: Spanned<Parsed>, text: &str) -> Node {
    // What an alias or a merge brings here is shown where it is written.
    let written = source(parsed.defined, text);
    let mut place = place(parsed.defined, written);
    let value = match parsed.value {
        Parsed::Nothing => Value::Nothing,
        Parsed::Text(text) => Value::Text(text),
        Parsed::Typed(value) => Value::Text(match written {
            Some(written) if !written.is_empty() && !written.starts_with(['"', '\'']) => {
                written.to_owned()
            }
            _ => value,
        }),
        Parsed::List(items) => {
            Value::List(items.into_iter().map(|item| node(item, text)).collect())
        }
        Parsed::Mapping(entries) => {
            let pair = |(key, value)| (node(key, text), node(value, text));
            let entries: Vec<_> = entries.into_iter().map(pair).collect();
            // A mapping without braces has no text of its own.
            if let (Some((key, _)), true) = (entries.first(), written == Some("")) {
                place = key.place;
            }
            Value::Mapping(entries)
        }
    };
    Node { place, value }
}

/// The text that a location spans.
fn source(location: serde_yaml::Location, text: &str) -> Option<&str> {
    let start = usize::try_from(location.span().byte_offset()?).ok()?;
    let length = usize::try_from(location.span().byte_len()?).ok()?;
    text.get(start..start.checked_add(length)?)
}

fn place(location: serde_yaml::Location, written: Option<&str>) -> Place {
    let number = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    Place {
        line: number(location.line()).max(1),
        column: number(location.column()).max(1),
        length: written
            .and_then(|written| written.lines().next())
            .map_or(1, |line| line.chars().count()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(node: &Node, into: &mut Vec<(usize, usize, usize, String)>) {
        let Place {
            line,
            column,
            length,
        } = node.place;
        match &node.value {
            Value::Nothing => into.push((line, column, length, "~".to_owned())),
            Value::Text(text) => into.push((line, column, length, text.clone())),
            Value::List(items) => items.iter().for_each(|item| texts(item, into)),
            Value::Mapping(entries) => {
                for (key, value) in entries {
                    texts(key, into);
                    texts(value, into);
                }
            }
        }
    }

    fn read(text: &str) -> Vec<(usize, usize, usize, String)> {
        let mut found = Vec::new();
        texts(&parse(text).unwrap(), &mut found);
        found
    }

    #[test]
    fn numbers_and_booleans_keep_their_spelling() {
        for written in [
            "-1",
            "007",
            "0x10",
            "1_000",
            "1.10",
            "1e3",
            "yes",
            "True",
            ".inf",
            "99999999999999999999999",
        ] {
            assert_eq!(read(&format!("w: {written}"))[1].3, written);
        }
        assert_eq!(read("w: \"3\"")[1].3, "3");
    }

    #[test]
    fn places_count_characters() {
        let found = read("é: [ü, \"ß\"]\n");
        assert_eq!(found[1], (1, 5, 1, "ü".to_owned()));
        assert_eq!(found[2], (1, 8, 3, "ß".to_owned()));
    }

    #[test]
    fn a_key_may_come_twice() {
        let keys: Vec<_> = read("a: 1\na: 2\n")
            .into_iter()
            .map(|(line, _, _, text)| (line, text))
            .collect();
        let expected = [(1, "a"), (1, "1"), (2, "a"), (2, "2")];
        assert_eq!(keys, expected.map(|(line, text)| (line, text.to_owned())));
    }

    #[test]
    fn aliases_and_merges_are_shown_where_they_are_written() {
        let found = read("a: &x {w: 3}\nb: *x\nc:\n  <<: *x\n  v: 1\n");
        assert_eq!(found.iter().filter(|found| found.3 == "3").count(), 3);
        assert!(
            found
                .iter()
                .filter(|found| found.3 == "3")
                .all(|found| found.0 == 1)
        );
    }

    #[test]
    fn a_mapping_in_block_style_lies_at_its_first_key() {
        let root = parse("\n  first: 1\n  second: 2\n").unwrap();
        assert_eq!(
            root.place,
            Place {
                line: 2,
                column: 3,
                length: 5
            }
        );
    }

    #[test]
    fn nothing_is_not_text() {
        assert_eq!(parse("").unwrap().value, Value::Nothing);
        assert_eq!(
            read("a:\nb: ~\n")
                .iter()
                .filter(|found| found.3 == "~")
                .count(),
            2
        );
    }
}

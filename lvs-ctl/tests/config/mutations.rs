//! Whatever the text, it ends in a configuration or in findings that can be drawn.

use lvs_ctl::config;
use proptest::{prelude::*, sample::Index};

/// Pieces that mean something in YAML or to the configuration.
const PIECES: &[&str] = &[
    "[",
    "]",
    "{",
    "}",
    ":",
    ": ",
    "- ",
    "\n",
    "\r",
    "\t",
    "  ",
    "\"",
    "'",
    "#",
    "&a ",
    "*a",
    "<<: ",
    "? ",
    "|\n",
    "!!int ",
    "---\n",
    "...\n",
    "~",
    "%",
    "\\",
    "\u{feff}",
    "\u{85}",
    "\u{2028}",
    "\u{0}",
    "ä",
    "😀",
    "-1",
    "70000",
    ".inf",
    "0x10",
    "services:",
    "weight: ",
    "address: ",
    "interfaces: []",
    "10.0.0.17",
    "::",
    "65535",
];

#[derive(Clone, Debug)]
enum Mutation {
    Insert(Index, usize),
    Delete(Index, usize),
    Repeat(Index, usize),
    Cut(Index),
}

fn mutation() -> impl Strategy<Value = Mutation> {
    prop_oneof![
        4 => (any::<Index>(), 0..PIECES.len()).prop_map(|(at, piece)| Mutation::Insert(at, piece)),
        2 => (any::<Index>(), 1..40_usize).prop_map(|(at, length)| Mutation::Delete(at, length)),
        1 => (any::<Index>(), 1..200_usize).prop_map(|(at, length)| Mutation::Repeat(at, length)),
        1 => any::<Index>().prop_map(Mutation::Cut),
    ]
}

fn apply(text: &mut Vec<char>, mutation: &Mutation) {
    if text.is_empty() {
        return;
    }
    let range = |at: &Index, length: usize| {
        let start = at.index(text.len());
        start..text.len().min(start + length)
    };
    match mutation {
        Mutation::Insert(at, piece) => {
            let at = at.index(text.len());
            text.splice(at..at, PIECES[*piece].chars());
        }
        Mutation::Delete(at, length) => {
            text.drain(range(at, *length));
        }
        Mutation::Repeat(at, length) => {
            let range = range(at, *length);
            let copy = text[range.clone()].to_vec();
            text.splice(range.start..range.start, copy);
        }
        Mutation::Cut(at) => text.truncate(at.index(text.len())),
    }
}

fn survives(text: &str) {
    match config::parse(text, "lvs.yaml") {
        Ok(loaded) => {
            assert!(!loaded.config.interfaces.is_empty() && !loaded.config.services.is_empty());
            for warning in &loaded.warnings {
                assert!(warning.render(false).starts_with("warning: "));
            }
        }
        Err(found) => {
            assert!(
                found
                    .iter()
                    .all(|found| found.line >= 1 && found.column >= 1 && found.length >= 1)
            );
            assert!(!found.render(true).is_empty());
            assert!(!found.render(false).contains('\u{1b}'));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_example_mutated(mutations in prop::collection::vec(mutation(), 1..8)) {
        let mut text: Vec<char> = config::example().chars().collect();
        for mutation in &mutations {
            apply(&mut text, mutation);
        }
        survives(&text.into_iter().collect::<String>());
    }

    #[test]
    fn a_heap_of_pieces(pieces in prop::collection::vec(prop::sample::select(PIECES), 0..40)) {
        survives(&pieces.concat());
    }

    #[test]
    fn any_text(text in any::<String>()) {
        survives(&text);
    }
}

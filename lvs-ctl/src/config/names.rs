//! Words that are chosen from a set, names that are given, and what a misspelt word was meant to be.

use std::{fmt::Display, str::FromStr};

use super::{
    model::Service,
    report::{Problem, shown},
};

/// The word of `known` that `text` is a slip of the keyboard away from.
pub(super) fn nearest<'k>(text: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let text = text.to_lowercase();
    let close = |word: &&str| {
        let distance = strsim::damerau_levenshtein(&text, word);
        // Two slips in a word of three letters make another word.
        (distance <= 2 && 2 * distance < text.len().max(word.len())).then_some(distance)
    };
    let ranked = known
        .into_iter()
        .filter_map(|word| Some((close(&word)?, word)));
    ranked
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word)
}

/// A member of a closed set. `what` names the set, such as `scheduler`.
pub(super) fn choice<T: Copy + Display + FromStr>(
    text: &str,
    what: &str,
    all: &[T],
) -> Result<T, Problem> {
    if let Ok(member) = text.parse() {
        return Ok(member);
    }
    let words: Vec<_> = all.iter().map(ToString::to_string).collect();
    let known = match words.as_slice() {
        [only] => format!("only `{only}` is known"),
        _ => format!("one of {}", words.join(", ")),
    };
    let help = match nearest(text, words.iter().map(String::as_str)) {
        Some(word) => format!("did you mean `{word}`? {known}"),
        None => known,
    };
    Err(Problem::new(
        format!("unknown {what} {}", shown(text)),
        help,
    ))
}

/// A name that the operator gives a service.
pub(super) fn service(text: &str) -> Result<String, Problem> {
    let help = format!(
        "a name has 1 to {} bytes of printable text without blanks, such as web",
        Service::MAX_NAME
    );
    let fault = if text.is_empty() {
        "is empty".to_owned()
    } else if text.len() > Service::MAX_NAME {
        format!("has {} bytes, more than {}", text.len(), Service::MAX_NAME)
    } else if text.contains(char::is_whitespace) {
        "holds a blank".to_owned()
    } else if !printable(text) {
        "holds a character that can't be printed".to_owned()
    } else {
        return Ok(text.to_owned());
    };
    Err(Problem::new(
        format!("the service name {} {fault}", shown(text)),
        help,
    ))
}

/// Whether nothing in the text is hidden or steers the terminal.
fn printable(text: &str) -> bool {
    // `escape_debug` leaves what is printable, except quotes and the backslash.
    let hidden = |character: char| {
        !matches!(character, '"' | '\'' | '\\') && character.escape_debug().count() > 1
    };
    !text.contains(hidden)
}

/// The name of a network interface, by the rules of the kernel's `dev_valid_name`.
pub(super) fn interface(text: &str) -> Result<String, Problem> {
    const LONGEST: usize = 15;
    let fault = if text.is_empty() {
        "is empty".to_owned()
    } else if text.len() > LONGEST {
        format!("has {} bytes, more than {LONGEST}", text.len())
    } else if text == "." || text == ".." {
        "is not possible".to_owned()
    } else if text.contains(['/', ':']) {
        "holds a `/` or `:`".to_owned()
    } else if text.contains(char::is_whitespace) || !printable(text) {
        "holds a blank or a character that can't be printed".to_owned()
    } else {
        return Ok(text.to_owned());
    };
    let message = format!("the interface name {} {fault}", shown(text));
    Err(Problem::new(
        message,
        "`ip -br link` lists the interfaces of this machine",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use lvs_common::Scheduler;

    #[test]
    fn a_slip_is_recognised_and_another_word_is_not() {
        let known = ["address", "weight", "tcp", "wrr", "dr"];
        for (text, meant) in [
            ("wieght", Some("weight")),
            ("Weight", Some("weight")),
            ("adress", Some("address")),
            ("tpc", Some("tcp")),
            ("dsr", Some("dr")),
            ("wlc", None),
            ("port", None),
            ("", None),
        ] {
            assert_eq!(nearest(text, known), meant, "{text}");
        }
    }

    #[test]
    fn a_choice_tells_what_there_is() {
        assert_eq!(choice("rr", "scheduler", Scheduler::ALL), Ok(Scheduler::Rr));
        let problem = choice("lc", "scheduler", Scheduler::ALL).unwrap_err();
        assert_eq!(
            problem,
            Problem::new("unknown scheduler `lc`", "one of rr, wrr")
        );
    }

    #[test]
    fn service_names() {
        for good in [
            "web",
            "a",
            "web-1.example",
            "größe",
            "it's",
            &"x".repeat(31),
        ] {
            assert!(service(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "a b",
            "a\u{a0}b",
            "a\tb",
            "a\u{1b}",
            "a\u{200b}",
            &"x".repeat(32),
            &"ß".repeat(16),
        ] {
            assert!(service(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn interface_names() {
        for good in ["eth0", "enp1s0f0np0", "eth0.100", &"x".repeat(15)] {
            assert!(interface(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            ".",
            "..",
            "a/b",
            "a:1",
            "a b",
            "a\u{7}",
            &"x".repeat(16),
        ] {
            assert!(interface(bad).is_err(), "{bad:?}");
        }
    }
}

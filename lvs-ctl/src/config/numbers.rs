//! Numbers of the file: weights, counts with a unit, durations.

use std::{ops::RangeInclusive, time::Duration};

use super::{
    model::{Config, Notices, Timeouts},
    report::{Problem, shown},
};

/// Units of a duration, largest first, in milliseconds.
const UNITS: &[(&str, u64)] = &[
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

/// A backend's weight.
pub(super) fn weight(text: &str) -> Result<u16, Problem> {
    const HELP: &str = "weights are 0 to 65535; 0 takes no new flows";
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text),
    };
    if !is_digits(digits) {
        return Err(Problem::new(
            format!("the weight {} is not a whole number", shown(text)),
            HELP,
        ));
    }
    let fault = match (sign, text.parse()) {
        (_, Ok(weight)) => return Ok(weight),
        ("", Err(_)) => "is too large",
        (_, Err(_)) => "is below 0",
    };
    Err(Problem::new(
        format!("the weight {} {fault}", shown(text)),
        HELP,
    ))
}

/// A range of ports.
pub(super) fn ports(text: &str) -> Result<RangeInclusive<u16>, Problem> {
    const HELP: &str = "write the first and the last, such as 5000-65535; ports are 1 to 65535";
    let port = |text: &str| {
        text.parse()
            .ok()
            .filter(|port| *port != 0 && is_digits(text))
    };
    let range = text
        .split_once('-')
        .and_then(|(first, last)| Some(port(first.trim())?..=port(last.trim())?));
    match range {
        Some(range) if range.is_empty() => Err(Problem::new(
            format!("the range {} ends before it begins", shown(text)),
            HELP,
        )),
        Some(range) => Ok(range),
        None => Err(Problem::new(
            format!("{} is not a range of ports", shown(text)),
            HELP,
        )),
    }
}

/// How many flows the table holds.
pub(super) fn flows(text: &str) -> Result<u64, Problem> {
    const HELP: &str = "1k to 64M; the units are k (1,000) and M (1,000,000)";
    match count(text, HELP)? {
        Some(count) if Config::FLOWS.contains(&count) => Ok(count),
        Some(count) if count < *Config::FLOWS.start() => Err(Problem::new(
            format!("{} flows are too few", shown(text)),
            HELP,
        )),
        _ => Err(Problem::new(
            format!("{} flows are too many", shown(text)),
            HELP,
        )),
    }
}

/// How many a second; 0 needs no interval.
pub(super) fn rate(text: &str) -> Result<u32, Problem> {
    const HELP: &str = "write how many a second, such as 1000/s: 0 to 1M/s, and 0 is none";
    let Some(before) = text.strip_suffix("/s") else {
        return match text {
            "0" => Ok(0),
            _ if is_digits(text) => Err(Problem::new(
                format!("the rate {} has no interval", shown(text)),
                format!("write {text}/s for so many a second"),
            )),
            _ => Err(Problem::new(format!("{} is not a rate", shown(text)), HELP)),
        };
    };
    let rate = count(before, HELP)?.and_then(|count| u32::try_from(count).ok());
    let rate = rate.filter(|rate| Notices::RATE.contains(rate));
    rate.ok_or_else(|| Problem::new(format!("the rate {} is too high", shown(text)), HELP))
}

/// A whole number that may have a unit; `None` if it is too large for any use.
fn count(text: &str, help: &str) -> Result<Option<u64>, Problem> {
    let (digits, unit) = text.split_at(digits(text));
    if digits.is_empty() {
        return Err(Problem::new(
            format!("{} is not a number", shown(text)),
            help,
        ));
    }
    let factor = match unit {
        "" => 1,
        "k" => 1_000,
        "M" => 1_000_000,
        _ if unit.starts_with(['.', ',', '_']) => {
            return Err(Problem::new(
                format!("{} is not a whole number", shown(text)),
                "write 1500k for 1.5 million",
            ));
        }
        _ => {
            return Err(Problem::new(
                format!("unknown unit {} in {}", shown(unit), shown(text)),
                help,
            ));
        }
    };
    let count = digits.parse().ok();
    Ok(count.and_then(|count: u64| count.checked_mul(factor)))
}

/// A timeout.
pub(super) fn timeout(text: &str) -> Result<Duration, Problem> {
    let duration = duration(text)?;
    let fault = if duration < *Timeouts::RANGE.start() {
        "short"
    } else if duration > *Timeouts::RANGE.end() {
        "long"
    } else {
        return Ok(duration);
    };
    Err(Problem::new(
        format!("the timeout {} is too {fault}", shown(text)),
        "timeouts are 1s to 31d",
    ))
}

/// A duration with units, the larger ones first.
fn duration(text: &str) -> Result<Duration, Problem> {
    const HELP: &str = "write 90s, 15m or 1h30m; the units are d, h, m, s and ms";
    if is_digits(text) {
        return Err(Problem::new(
            format!("the duration {} has no unit", shown(text)),
            format!("write {text}s for seconds"),
        ));
    }
    let wrong = |fault: &str| Problem::new(format!("the duration {} {fault}", shown(text)), HELP);
    let mut total = 0_u64;
    let mut units = UNITS;
    let mut rest = text;
    loop {
        let (number, tail) = rest.split_at(digits(rest));
        let letters = tail
            .find(|character: char| !character.is_alphabetic())
            .unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(letters);
        if number.is_empty() || unit.is_empty() {
            return Err(wrong("is not whole numbers, each with a unit"));
        }
        let Some(index) = units.iter().position(|(name, _)| *name == unit) else {
            let known = UNITS.iter().any(|(name, _)| *name == unit);
            return Err(if known {
                wrong("has its units out of order")
            } else {
                wrong(&format!("has the unknown unit {}", shown(unit)))
            });
        };
        let part = number
            .parse()
            .ok()
            .and_then(|number: u64| number.checked_mul(units[index].1));
        total = part
            .and_then(|part| total.checked_add(part))
            .ok_or_else(|| wrong("is too long"))?;
        if tail.is_empty() {
            return Ok(Duration::from_millis(total));
        }
        units = &units[index + 1..];
        rest = tail;
    }
}

/// How many bytes of `text` are leading digits.
fn digits(text: &str) -> usize {
    text.bytes().take_while(u8::is_ascii_digit).count()
}

/// Whether `text` is a number without sign, point or unit.
pub(super) fn is_digits(text: &str) -> bool {
    !text.is_empty() && digits(text) == text.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn weights() {
        assert_eq!(weight("0"), Ok(0));
        assert_eq!(weight("65535"), Ok(65535));
        for (text, fault) in [
            ("-1", "below 0"),
            ("-99999999999999999999", "below 0"),
            ("70000", "too large"),
            ("99999999999999999999", "too large"),
            ("heavy", "not a whole number"),
            ("1.5", "not a whole number"),
            ("+1", "not a whole number"),
            ("0x10", "not a whole number"),
            ("", "not a whole number"),
            ("-", "not a whole number"),
        ] {
            let problem = weight(text).unwrap_err();
            assert!(problem.message.contains(fault), "{text}: {problem:?}");
        }
    }

    #[test]
    fn counts_of_flows() {
        for (text, count) in [
            ("1k", 1_000),
            ("1000", 1_000),
            ("256k", 256_000),
            ("64M", 64_000_000),
        ] {
            assert_eq!(flows(text), Ok(count));
        }
        for (text, fault) in [
            ("999", "too few"),
            ("0", "too few"),
            ("65M", "too many"),
            ("99999999999999999999", "too many"),
            ("18446744073709551615M", "too many"),
            ("1.5M", "not a whole number"),
            ("256K", "unknown unit `K`"),
            ("1Ki", "unknown unit `Ki`"),
            ("1 k", "unknown unit ` k`"),
            ("many", "not a number"),
            ("-5", "not a number"),
            ("", "not a number"),
        ] {
            let problem = flows(text).unwrap_err();
            assert!(problem.message.contains(fault), "{text}: {problem:?}");
        }
    }

    #[test]
    fn rates() {
        for (text, expected) in [
            ("0", 0),
            ("0/s", 0),
            ("10/s", 10),
            ("2k/s", 2_000),
            ("1M/s", 1_000_000),
        ] {
            assert_eq!(rate(text), Ok(expected), "{text}");
        }
        for (text, fault) in [
            ("1000", "no interval"),
            ("2M/s", "too high"),
            ("18446744073709551615M/s", "too high"),
            ("10/m", "not a rate"),
            ("10 /s", "unknown unit ` `"),
            ("1.5/s", "not a whole number"),
            ("-1/s", "not a number"),
            ("/s", "not a number"),
            ("many", "not a rate"),
            ("", "not a rate"),
        ] {
            let problem = rate(text).unwrap_err();
            assert!(problem.message.contains(fault), "{text}: {problem:?}");
        }
    }

    #[test]
    fn timeouts() {
        for (text, milliseconds) in [
            ("1s", 1_000),
            ("1000ms", 1_000),
            ("15m", 900_000),
            ("1m30s", 90_000),
            ("1d2h3m4s5ms", 93_784_005),
            ("31d", 2_678_400_000),
            ("0m5s", 5_000),
        ] {
            assert_eq!(
                timeout(text),
                Ok(Duration::from_millis(milliseconds)),
                "{text}"
            );
        }
        for (text, fault) in [
            ("900", "no unit"),
            ("0s", "too short"),
            ("999ms", "too short"),
            ("32d", "too long"),
            ("99999999999999999999d", "too long"),
            ("18446744073709551615ms1d", "out of order"),
            ("213503982335d", "too long"),
            ("30s1m", "out of order"),
            ("1s1s", "out of order"),
            ("5 min", "each with a unit"),
            ("5min", "unknown unit `min`"),
            ("1.5h", "each with a unit"),
            ("m", "each with a unit"),
            ("1m30", "each with a unit"),
            ("-1s", "each with a unit"),
            ("", "each with a unit"),
            ("5µs", "unknown unit `µs`"),
        ] {
            let problem = timeout(text).unwrap_err();
            assert!(problem.message.contains(fault), "{text}: {problem:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_number_or_a_problem(text in "\\PC{0,12}|[0-9dhmskM./]{0,24}") {
            let _ = weight(&text);
            let _ = flows(&text);
            let _ = rate(&text);
            let _ = timeout(&text);
        }
    }
}

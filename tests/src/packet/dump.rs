//! Two frames side by side, for people.

use std::fmt::Write as _;

/// Bytes in a line of a dump.
const LINE: usize = 16;

/// Both frames as hexadecimal dumps, with the bytes marked in which they differ.
pub fn compare(expected: &[u8], actual: &[u8]) -> String {
    let mut text = format!(
        "expected {} bytes, got {}; bytes that differ are marked\n",
        expected.len(),
        actual.len()
    );
    let longest = expected.len().max(actual.len());
    for start in (0..longest).step_by(LINE) {
        let places = start..longest.min(start + LINE);
        let differs = |i: usize| expected.get(i) != actual.get(i);
        let line = |frame: &[u8]| -> String {
            places.clone().map(|i| hex(frame.get(i).copied())).collect()
        };
        let _ = writeln!(text, "{start:04x}  expected {}", line(expected).trim_end());
        if places.clone().any(differs) {
            let marks: String = places
                .clone()
                .map(|i| if differs(i) { " ^^" } else { "   " })
                .collect();
            let _ = writeln!(text, "           got {}", line(actual).trim_end());
            let _ = writeln!(text, "               {}", marks.trim_end());
        }
    }
    text
}

fn hex(byte: Option<u8>) -> String {
    byte.map_or_else(|| "   ".to_owned(), |byte| format!(" {byte:02x}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_what_differs() {
        assert_eq!(
            compare(&[1, 2, 3], &[1, 0xff, 3, 4]),
            "expected 3 bytes, got 4; bytes that differ are marked\n\
             0000  expected  01 02 03\n           \
             got  01 ff 03 04\n                   \
             ^^    ^^\n"
        );
    }

    #[test]
    fn equal_lines_are_shown_once() {
        let text = compare(&[7; 32], &[7; 32]);
        assert!(!text.contains("got  07") && !text.contains("^^"), "{text}");
    }
}

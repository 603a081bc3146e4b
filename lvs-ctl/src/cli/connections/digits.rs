//! Addresses and times as text: what the standard library's formatter writes, only sooner.

use std::{
    fmt::{self, Write as _},
    net::SocketAddr,
};

use itoa::Buffer;

/// Adds an address and port. Of IPv6 the standard library's: its rules (RFC 5952) are what takes time.
pub(super) fn push_address(text: &mut String, address: SocketAddr) -> fmt::Result {
    let SocketAddr::V4(v4) = address else {
        return write!(text, "{address}");
    };
    let mut digits = Buffer::new();
    for (octet, after) in v4.ip().octets().into_iter().zip([".", ".", ".", ":"]) {
        text.push_str(digits.format(octet));
        text.push_str(after);
    }
    text.push_str(digits.format(v4.port()));
    Ok(())
}

/// Adds a number.
pub(super) fn push_number(text: &mut String, number: u64) {
    text.push_str(Buffer::new().format(number));
}

/// Adds minutes and seconds, such as `14:59`, with seven columns or more, to the right.
pub(super) fn push_minutes(text: &mut String, seconds: u64) {
    let (mut digits, mut rest) = (Buffer::new(), Buffer::new());
    let (minutes, seconds) = (digits.format(seconds / 60), rest.format(seconds % 60));
    text.push_str(match minutes.len() {
        1 => "  0",
        2 => "  ",
        3 => " ",
        _ => "",
    });
    text.push_str(minutes);
    text.push_str(if seconds.len() == 1 { ":0" } else { ":" });
    text.push_str(seconds);
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use proptest::prelude::*;

    use super::*;

    fn text(push: impl FnOnce(&mut String)) -> String {
        let mut text = String::new();
        push(&mut text);
        text
    }

    proptest! {
        #[test]
        fn addresses_are_the_standard_librarys(v4: Ipv4Addr, v6: Ipv6Addr, port: u16) {
            for address in [SocketAddr::from((v4, port)), SocketAddr::from((v6, port))] {
                let text = text(|text| push_address(text, address).unwrap());
                prop_assert_eq!(text, address.to_string());
            }
        }

        #[test]
        fn times_are_as_the_formatter_pads_them(seconds in 0_u64..2_000_000) {
            let time = format!("{:02}:{:02}", seconds / 60, seconds % 60);
            prop_assert_eq!(text(|text| push_minutes(text, seconds)), format!("{time:>7}"));
        }

        #[test]
        fn numbers_are_decimal(number: u64) {
            prop_assert_eq!(text(|text| push_number(text, number)), number.to_string());
        }
    }
}

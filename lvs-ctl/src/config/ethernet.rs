//! What frames have: VLAN ids and MAC addresses.

use std::ops::RangeInclusive;

use super::{
    numbers::is_digits,
    report::{Problem, shown},
};

/// VLAN ids that a network can have: 0 is a frame of no VLAN, 4095 is reserved (IEEE 802.1Q, table 9-2).
const VLANS: RangeInclusive<u16> = 1..=4094;

/// A VLAN id.
pub(super) fn vlan(text: &str) -> Result<u16, Problem> {
    let fault = match text.parse() {
        Ok(id) if is_digits(text) && VLANS.contains(&id) => return Ok(id),
        _ if is_digits(text) => "does not exist",
        _ => "is not a number",
    };
    Err(Problem::new(
        format!("the VLAN id {} {fault}", shown(text)),
        "a VLAN id is 1 to 4094; two of them are a list, outermost first, such as [100, 7]",
    ))
}

/// The MAC address of one machine, in the order it has on the wire.
pub(super) fn mac(text: &str) -> Result<[u8; 6], Problem> {
    const EXAMPLE: &str = "write it as `ip link` does, such as 02:00:00:00:00:17";
    let Some(mac) = octets(text) else {
        return Err(Problem::new(
            format!("{} is not a MAC address", shown(text)),
            EXAMPLE,
        ));
    };
    // The first octet's lowest bit marks groups (IEEE 802, section 8.2).
    let fault = if mac == [0; 6] {
        "is nobody's"
    } else if mac[0] & 1 != 0 {
        "is that of a group"
    } else {
        return Ok(mac);
    };
    Err(Problem::new(
        format!("the MAC address {} {fault}", shown(text)),
        "give that of the backend's own interface, as `ip link` shows it there",
    ))
}

/// Six pairs of hexadecimal digits, with colons or dashes between them.
fn octets(text: &str) -> Option<[u8; 6]> {
    let separator = if text.contains('-') { '-' } else { ':' };
    let mut mac = [0; 6];
    let mut pairs = text.split(separator);
    for octet in &mut mac {
        let pair = pairs.next().filter(|pair| pair.len() == 2)?;
        let is_hex = pair.bytes().all(|byte| byte.is_ascii_hexdigit());
        *octet = u8::from_str_radix(pair, 16).ok().filter(|_| is_hex)?;
    }
    pairs.next().is_none().then_some(mac)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn vlans() {
        assert_eq!(vlan("1"), Ok(1));
        assert_eq!(vlan("4094"), Ok(4094));
        for (text, fault) in [
            ("0", "does not exist"),
            ("4095", "does not exist"),
            ("99999999", "does not exist"),
            ("-1", "not a number"),
            ("+1", "not a number"),
            ("eth0.7", "not a number"),
            ("", "not a number"),
        ] {
            let problem = vlan(text).unwrap_err();
            assert!(problem.message.contains(fault), "{text}: {problem:?}");
        }
    }

    #[test]
    fn mac_addresses() {
        let expected = Ok([2, 0, 0xab, 0, 0, 0x17]);
        for text in [
            "02:00:ab:00:00:17",
            "02:00:AB:00:00:17",
            "02-00-ab-00-00-17",
        ] {
            assert_eq!(mac(text), expected);
        }
        for (text, fault) in [
            ("02:00:ab:00:00", "not a MAC address"),
            ("02:00:ab:00:00:17:01", "not a MAC address"),
            ("2:0:ab:0:0:17", "not a MAC address"),
            ("02:00:ab:00:00:+1", "not a MAC address"),
            ("0200ab000017", "not a MAC address"),
            ("", "not a MAC address"),
            ("00:00:00:00:00:00", "nobody's"),
            ("01:00:5e:00:00:01", "of a group"),
            ("ff:ff:ff:ff:ff:ff", "of a group"),
        ] {
            let problem = mac(text).unwrap_err();
            assert!(problem.message.contains(fault), "{text}: {problem:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_one_or_a_problem(text in "\\PC{0,12}|[0-9a-f:-]{0,20}") {
            let _ = vlan(&text);
            let _ = mac(&text);
        }
    }
}

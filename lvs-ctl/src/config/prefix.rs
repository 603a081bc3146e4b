//! Prefixes of addresses: a network, or one address.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use super::{
    address,
    numbers::is_digits,
    report::{Problem, shown},
};

/// All addresses that begin with the same bits; as many as an address has are that address alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Prefix {
    address: IpAddr,
    bits: u8,
}

impl Prefix {
    /// Most bits that vary from flow to flow where tunnels begin in a prefix.
    const MAX_VARYING: u8 = 32;

    /// The first of its addresses.
    pub const fn address(self) -> IpAddr {
        self.address
    }

    /// How many leading bits its addresses share.
    pub const fn bits(self) -> u8 {
        self.bits
    }

    /// How many of the last bits vary from flow to flow where tunnels begin in it: all that it leaves
    /// open, at most 32.
    pub const fn varying_bits(self) -> u8 {
        let open = length(self.address) - self.bits;
        if open < Self::MAX_VARYING {
            open
        } else {
            Self::MAX_VARYING
        }
    }

    /// The last of the addresses that tunnels which begin in it have.
    fn last(self) -> IpAddr {
        let open = (1_u64 << self.varying_bits()) - 1;
        match self.address {
            IpAddr::V4(v4) => Ipv4Addr::from_bits(v4.to_bits() | open as u32).into(),
            IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() | u128::from(open)).into(),
        }
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.bits == length(self.address) {
            self.address.fmt(f)
        } else {
            write!(f, "{}/{}", self.address, self.bits)
        }
    }
}

/// Bits of an address of this family.
const fn length(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

/// Where tunnels begin.
pub(super) fn tunnel_source(text: &str) -> Result<Prefix, Problem> {
    let prefix = prefix(text, "a tunnel's source")?;
    for ip in [prefix.address, prefix.last()] {
        if let Some(kind) = address::never_on_a_wire(ip) {
            let of = if prefix.varying_bits() == 0 {
                String::new()
            } else {
                format!(", an address of {prefix}")
            };
            return Err(Problem::new(
                format!("tunnels can't come from {ip}{of}: it is {kind}"),
                "give an address of this machine, or a prefix that nothing else uses",
            ));
        }
    }
    Ok(prefix)
}

/// Where tunnels that end here may come from.
pub(super) fn tunnels_from(text: &str) -> Result<Prefix, Problem> {
    let prefix = prefix(text, "a tunnel's source")?;
    match address::never_on_a_wire(prefix.address) {
        Some(kind) if prefix.bits == length(prefix.address) => Err(Problem::new(
            format!("no tunnel comes from {prefix}: it is {kind}"),
            "give the addresses that the balancers' tunnels come from",
        )),
        _ => Ok(prefix),
    }
}

/// A prefix, or an address; `what` it is, with its article.
fn prefix(text: &str, what: &str) -> Result<Prefix, Problem> {
    let Some((before, behind)) = text.split_once('/') else {
        let address = address::portless(text, what)?;
        return Ok(Prefix {
            address,
            bits: length(address),
        });
    };
    let given = address::portless(before, what)?;
    let longest = length(given);
    let bits = match behind.parse() {
        Ok(bits) if is_digits(behind) && bits <= longest => bits,
        _ => {
            let family = if given.is_ipv4() { "IPv4" } else { "IPv6" };
            return Err(Problem::new(
                format!("{} is not a prefix length of {family}", shown(behind)),
                format!("write how many leading bits count, 0 to {longest}"),
            ));
        }
    };
    let open = u32::from(longest - bits);
    let address: IpAddr = match given {
        IpAddr::V4(v4) => {
            let kept = u32::MAX.checked_shl(open).unwrap_or(0);
            Ipv4Addr::from_bits(v4.to_bits() & kept).into()
        }
        IpAddr::V6(v6) => {
            let kept = u128::MAX.checked_shl(open).unwrap_or(0);
            Ipv6Addr::from_bits(v6.to_bits() & kept).into()
        }
    };
    let prefix = Prefix { address, bits };
    if address != given {
        return Err(Problem::new(
            format!("{} has bits set behind the first {bits}", shown(text)),
            format!("write {prefix} for the prefix, or {given} for the one address"),
        ));
    }
    Ok(prefix)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn prefixes_and_addresses() {
        for (text, address, bits, varying) in [
            ("172.16.0.0/16", "172.16.0.0", 16, 16),
            ("10.0.0.29", "10.0.0.29", 32, 0),
            ("10.0.0.29/32", "10.0.0.29", 32, 0),
            ("2001:db8:1::/96", "2001:db8:1::", 96, 32),
            ("2001:db8:1::/64", "2001:db8:1::", 64, 32),
            ("2001:db8::29", "2001:db8::29", 128, 0),
        ] {
            let prefix = tunnel_source(text).unwrap();
            assert_eq!(prefix.address(), address.parse::<IpAddr>().unwrap());
            assert_eq!((prefix.bits(), prefix.varying_bits()), (bits, varying));
        }
        for all in ["0.0.0.0/0", "::/0"] {
            assert_eq!(tunnels_from(all).unwrap().to_string(), all);
        }
        assert_eq!(
            tunnels_from("10.0.0.29/32").unwrap().to_string(),
            "10.0.0.29"
        );
    }

    #[test]
    fn a_wrong_prefix_is_told_what_would_be_right() {
        for (text, message, help) in [
            (
                "172.16.0.1/16",
                "`172.16.0.1/16` has bits set behind the first 16",
                "write 172.16.0.0/16 for the prefix, or 172.16.0.1",
            ),
            (
                "2001:db8::1:0:0:1/96",
                "behind the first 96",
                "write 2001:db8:0:0:1::/96",
            ),
            (
                "10.0.0.0/33",
                "`33` is not a prefix length of IPv4",
                "0 to 32",
            ),
            (
                "fd00::/129",
                "`129` is not a prefix length of IPv6",
                "0 to 128",
            ),
            ("10.0.0.0/", "`` is not a prefix length", "0 to 32"),
            ("10.0.0.0/+8", "`+8` is not a prefix length", "0 to 32"),
            (
                "10.0.0.0/8/8",
                "`8/8` is not a prefix length",
                "leading bits",
            ),
            ("10.0.0/8", "`10.0.0` is not an IP address", "10.0.0.29"),
            ("10.0.0.1:80", "has no port", "leave the port out"),
            ("127.0.0.0/8", "a loopback address", "of this machine"),
            (
                "126.0.0.0/7",
                "127.255.255.255, an address of 126.0.0.0/7: it is a loopback",
                "of this machine",
            ),
            ("224.1.0.0/16", "a multicast address", "of this machine"),
            ("0.0.0.0/0", "the unspecified address", "of this machine"),
        ] {
            let problem = tunnel_source(text).unwrap_err();
            assert!(problem.message.contains(message), "{text}: {problem:?}");
            let given = problem.help.clone().unwrap();
            assert!(given.contains(help), "{text}: {problem:?}");
        }
        let nobody = tunnels_from("127.0.0.1").unwrap_err();
        assert!(nobody.message.contains("loopback"), "{nobody:?}");
    }

    proptest! {
        #[test]
        fn what_is_shown_is_read(address: IpAddr, bits in 0_u8..=128) {
            let bits = bits.min(length(address));
            let help = prefix(&format!("{address}/{bits}"), "a prefix").map_or_else(
                |problem| problem.help.unwrap_or_default(),
                |prefix| format!("write {prefix} for"),
            );
            let right = help.split(' ').nth(1).unwrap_or_default();
            let read = prefix(right, "a prefix");
            prop_assert_eq!(read.map(|read| read.to_string()), Ok(right.to_owned()));
        }

        #[test]
        fn any_text_is_a_prefix_or_a_problem(text in "\\PC{0,12}|[0-9a-f.:/]{0,30}") {
            let _ = tunnel_source(&text);
            let _ = tunnels_from(&text);
        }
    }
}

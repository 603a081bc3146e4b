//! Arguments of the command line that mean what a field of the file means: judged by the same rules, in
//! the same words.

use std::net::IpAddr;

use super::{address, names, prefix, prefix::Prefix, report::Problem};

/// The name of an interface.
///
/// # Errors
/// What is wrong with it, and what would be right.
pub fn interface(text: &str) -> Result<String, String> {
    names::interface(text).map_err(in_a_line)
}

/// An address of this machine at which tunnels end.
///
/// # Errors
/// As above.
pub fn tunnel_end(text: &str) -> Result<IpAddr, String> {
    address::tunnel_end(text).map_err(in_a_line)
}

/// Where tunnels may come from: an address, or a prefix.
///
/// # Errors
/// As above.
pub fn tunnels_from(text: &str) -> Result<Prefix, String> {
    prefix::tunnels_from(text).map_err(in_a_line)
}

fn in_a_line(problem: Problem) -> String {
    match problem.help {
        Some(help) => format!("{}; {help}", problem.message),
        None => problem.message,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_argument_is_told_what_would_be_right() {
        assert_eq!(
            tunnels_from("10.0.0.1/24").unwrap_err(),
            "`10.0.0.1/24` has bits set behind the first 24; write 10.0.0.0/24 for the prefix, or \
             10.0.0.1 for the one address"
        );
        assert_eq!(
            tunnel_end("10.0.0.0/24").unwrap_err(),
            "`10.0.0.0/24` is not an IP address; one address, without a prefix length"
        );
        assert!(interface("eth 0").unwrap_err().contains("holds a blank"));
    }
}

//! Addresses of the file: an IP address, with a port where one is needed or wanted.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::{
    numbers::is_digits,
    report::{Problem, shown},
};

/// An address as written: the port may be left to a default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Endpoint {
    pub(super) ip: IpAddr,
    pub(super) port: Option<u16>,
}

/// The virtual address of a service, which needs a port.
pub(super) fn service(text: &str) -> Result<SocketAddr, Problem> {
    let Endpoint { ip, port } = endpoint(text)?;
    let Some(port) = port else {
        return Err(Problem::new(
            format!("the port is missing after {}", shown(text)),
            port_example(text, ip),
        ));
    };
    match never_on_a_wire(ip) {
        Some(kind) => Err(Problem::new(
            format!("a service can't have {ip}: it is {kind}"),
            "give the virtual address that clients connect to",
        )),
        None => Ok(SocketAddr::new(ip, port)),
    }
}

/// The address of a backend.
pub(super) fn backend(text: &str) -> Result<Endpoint, Problem> {
    let endpoint = endpoint(text)?;
    match never_one_host(endpoint.ip) {
        Some(kind) => Err(Problem::new(
            format!("a backend can't have {}: it is {kind}", endpoint.ip),
            "give the backend's own address",
        )),
        None => Ok(endpoint),
    }
}

/// A local address of FULLNAT, which has no port.
pub(super) fn local(text: &str) -> Result<IpAddr, Problem> {
    const HELP: &str = "give an address of this machine that nothing else uses";
    let Endpoint { ip, port } = endpoint(text)?;
    if port.is_some() {
        return Err(Problem::new(
            format!("a local address has no port, {} does", shown(text)),
            "leave the port out; `local_ports` says which are used",
        ));
    }
    let kind = if ip.is_loopback() {
        Some("a loopback address, which no backend can answer")
    } else {
        never_one_host(ip)
    };
    match kind {
        Some(kind) => Err(Problem::new(
            format!("a local address can't be {ip}: it is {kind}"),
            HELP,
        )),
        None => Ok(ip),
    }
}

/// An address of this machine at which tunnels end.
pub(super) fn tunnel_end(text: &str) -> Result<IpAddr, Problem> {
    let ip = portless(text, "an endpoint of tunnels")?;
    match never_on_a_wire(ip) {
        Some(kind) => Err(Problem::new(
            format!("tunnels can't end at {ip}: it is {kind}"),
            "give the address of this machine that the balancers send them to",
        )),
        None => Ok(ip),
    }
}

/// An address without a port; `what` it is, with its article.
pub(super) fn portless(text: &str, what: &str) -> Result<IpAddr, Problem> {
    match endpoint(text)? {
        Endpoint { ip, port: None } => Ok(ip),
        Endpoint { ip, port: Some(_) } => Err(Problem::new(
            format!("{what} has no port, {} does", shown(text)),
            format!("leave the port out: write {ip}"),
        )),
    }
}

/// Why no packet on a wire comes from an address or goes to it as to one machine.
pub(super) fn never_on_a_wire(ip: IpAddr) -> Option<&'static str> {
    if ip.is_loopback() {
        Some("a loopback address, which no packet on a wire has")
    } else {
        never_one_host(ip)
    }
}

/// Why an address doesn't name one machine.
fn never_one_host(ip: IpAddr) -> Option<&'static str> {
    match ip {
        _ if ip.is_unspecified() => Some("the unspecified address"),
        _ if ip.is_multicast() => Some("a multicast address"),
        IpAddr::V4(Ipv4Addr::BROADCAST) => Some("the broadcast address"),
        IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some() => {
            Some("an IPv4 address in IPv6 form, which no packet has")
        }
        IpAddr::V4(_) | IpAddr::V6(_) => None,
    }
}

fn endpoint(text: &str) -> Result<Endpoint, Problem> {
    if let Some(inside) = text.strip_prefix('[') {
        return bracketed(text, inside);
    }
    if let Ok(ip) = text.parse() {
        return Ok(Endpoint { ip, port: None });
    }
    match text.rsplit_once(':') {
        Some((ip, port)) if !ip.contains(':') => {
            let Ok(ip) = ip.parse::<Ipv4Addr>() else {
                return Err(not_an_address(ip));
            };
            Ok(Endpoint {
                ip: ip.into(),
                port: Some(port_number(port)?),
            })
        }
        Some((ip, port)) if ip.parse::<Ipv6Addr>().is_ok() && is_digits(port) => Err(Problem::new(
            format!(
                "the IPv6 address in {} needs brackets before a port",
                shown(text)
            ),
            format!("write \"[{ip}]:{port}\", with the quotes"),
        )),
        _ => Err(not_an_address(text)),
    }
}

/// An address that starts with a bracket, which `inside` is the text after.
fn bracketed(text: &str, inside: &str) -> Result<Endpoint, Problem> {
    let example = "write \"[2001:db8::29]:80\", with the quotes";
    let Some((address, tail)) = inside.split_once(']') else {
        return Err(Problem::new(
            format!("the bracket in {} is not closed", shown(text)),
            example,
        ));
    };
    if address.parse::<Ipv4Addr>().is_ok() {
        let help = format!("write {address}{}", tail.escape_debug());
        return Err(Problem::new("brackets are for IPv6 addresses", help));
    }
    let Ok(ip) = address.parse::<Ipv6Addr>() else {
        return Err(not_an_address(address));
    };
    let port = match tail.strip_prefix(':') {
        Some(port) => Some(port_number(port)?),
        None if tail.is_empty() => None,
        None => {
            return Err(Problem::new(
                format!("{} follows the bracket", shown(tail)),
                example,
            ));
        }
    };
    Ok(Endpoint {
        ip: ip.into(),
        port,
    })
}

fn port_number(text: &str) -> Result<u16, Problem> {
    let fault = if text.is_empty() {
        "the port is missing after `:`".to_owned()
    } else if !is_digits(text) {
        format!("the port {} is not a number", shown(text))
    } else {
        match text.parse() {
            Ok(0) => "port 0 can't be used".to_owned(),
            Ok(port) => return Ok(port),
            Err(_) => format!("the port {} is too large", shown(text)),
        }
    };
    Err(Problem::new(fault, "ports are 1 to 65535"))
}

fn not_an_address(text: &str) -> Problem {
    let is_name = |text: &str| {
        text.contains(|character: char| character.is_alphabetic())
            && text.chars().all(|character| {
                character.is_alphanumeric() || matches!(character, '.' | '-' | '_')
            })
    };
    let help = if text.contains('/') {
        "one address, without a prefix length"
    } else if text.contains('%') {
        "an address without a zone: leave `%` and the interface out"
    } else if is_name(text) {
        "names are not looked up: give the IP address"
    } else {
        "give an IPv4 address such as 10.0.0.29 or an IPv6 address such as 2001:db8::29"
    };
    Problem::new(format!("{} is not an IP address", shown(text)), help)
}

/// How the address is written with a port.
fn port_example(text: &str, ip: IpAddr) -> String {
    // `2001:db8::29:80` is an address of its own, but hardly meant as one.
    let split = text
        .rsplit_once(':')
        .filter(|(ip, _)| ip.parse::<Ipv6Addr>().is_ok());
    match (ip, split) {
        (IpAddr::V6(_), Some((ip, port))) if port_number(port).is_ok() => {
            format!("if the port is {port}, write \"[{ip}]:{port}\", with the quotes")
        }
        (IpAddr::V6(_), _) => format!("write \"[{ip}]:80\" for port 80, with the quotes"),
        (IpAddr::V4(_), _) => format!("write {ip}:80 for port 80"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn addresses_of_services() {
        for text in [
            "10.0.0.29:80",
            "[2001:db8::29]:443",
            "192.0.2.1:65535",
            "10.0.0.1:1",
        ] {
            assert_eq!(service(text), Ok(text.parse().unwrap()));
        }
    }

    #[test]
    fn the_port_of_a_backend_may_be_left_out() {
        let endpoint = |ip: &str, port| {
            Ok(Endpoint {
                ip: ip.parse().unwrap(),
                port,
            })
        };
        assert_eq!(backend("10.0.0.17"), endpoint("10.0.0.17", None));
        assert_eq!(backend("10.0.0.17:8080"), endpoint("10.0.0.17", Some(8080)));
        assert_eq!(backend("2001:db8::17"), endpoint("2001:db8::17", None));
        assert_eq!(backend("[2001:db8::17]"), endpoint("2001:db8::17", None));
        assert_eq!(
            backend("[2001:db8::17]:80"),
            endpoint("2001:db8::17", Some(80))
        );
        assert_eq!(backend("127.0.0.1"), endpoint("127.0.0.1", None));
    }

    /// Text, words of the message, words of the help.
    const WRONG: &[(&str, &str, &str)] = &[
        ("", "not an IP address", "10.0.0.29"),
        ("10.0.0.290:80", "`10.0.0.290` is not an IP", "10.0.0.29"),
        (
            "10.0.0.29",
            "missing after `10.0.0.29`",
            "write 10.0.0.29:80",
        ),
        (
            "2001:db8::29",
            "port is missing",
            "write \"[2001:db8::29]:80\"",
        ),
        (
            "2001:db8::29:443",
            "port is missing",
            "port is 443, write \"[2001:db8::29]:443\"",
        ),
        (
            "2001:db8::29:70000",
            "needs brackets",
            "\"[2001:db8::29]:70000\"",
        ),
        ("10.0.0.29:", "missing after `:`", "1 to 65535"),
        ("10.0.0.29:0", "port 0", "1 to 65535"),
        ("10.0.0.29:70000", "`70000` is too large", "1 to 65535"),
        ("10.0.0.29:+80", "`+80` is not a number", "1 to 65535"),
        ("10.0.0.29:http", "`http` is not a number", "1 to 65535"),
        ("[2001:db8::29:80", "not closed", "[2001:db8::29]:80"),
        (
            "[2001:db8::zz]:80",
            "`2001:db8::zz` is not an IP",
            "2001:db8::29",
        ),
        (
            "[10.0.0.29]:80",
            "brackets are for IPv6",
            "write 10.0.0.29:80",
        ),
        (
            "10.0.0.0/24",
            "not an IP address",
            "without a prefix length",
        ),
        ("fe80::1%eth0", "not an IP address", "zone"),
        (
            "web.example:80",
            "`web.example` is not an IP",
            "not looked up",
        ),
        ("0.0.0.0:80", "unspecified", "virtual address"),
        ("224.0.0.1:80", "multicast", "virtual address"),
        ("127.0.0.1:80", "loopback", "virtual address"),
        ("[::1]:80", "loopback", "virtual address"),
        ("[::ffff:10.0.0.1]:80", "in IPv6 form", "virtual address"),
    ];

    #[test]
    fn every_wrong_address_is_told_what_would_be_right() {
        for &(text, message, help) in WRONG {
            let problem = service(text).unwrap_err();
            assert!(problem.message.contains(message), "{text}: {problem:?}");
            assert!(
                problem.help.as_ref().unwrap().contains(help),
                "{text}: {problem:?}"
            );
        }
        for text in ["0.0.0.0", "::", "224.0.0.1:80", "255.255.255.255"] {
            let problem = backend(text).unwrap_err();
            assert!(problem.help.unwrap().contains("own address"), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_rust_writes_is_read(address: SocketAddr) {
            let shown = address.to_string();
            if !shown.contains('%') && address.port() != 0 {
                let expected = Endpoint { ip: address.ip(), port: Some(address.port()) };
                prop_assert_eq!(endpoint(&shown), Ok(expected));
            }
        }

        #[test]
        fn any_text_is_an_address_or_a_problem(text in "\\PC{0,12}|[0-9a-f.:\\[\\]]{0,30}") {
            let _ = service(&text);
            let _ = backend(&text);
            let _ = tunnel_end(&text);
        }
    }
}

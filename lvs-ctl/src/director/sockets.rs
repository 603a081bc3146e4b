//! Sockets of this machine that use what is reserved for the connections of FULLNAT.

use std::{
    collections::BTreeSet,
    fs,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    ops::RangeInclusive,
};

use lvs_common::{ForwardingMode, Protocol};

use crate::config::{Config, Service};

/// The kernel's lists of sockets, of the calling thread's network namespace.
const DIRECTORY: &str = "/proc/thread-self/net";

/// How many ports of an address a warning names.
const NAMED: usize = 5;

/// Warns of sockets that are bound to a local address, on a port that connections of FULLNAT are given.
pub(super) fn warn(config: &Config) {
    for protocol in Protocol::ALL {
        let of_protocol = |service: &&Service| service.protocol == *protocol && reserves(service);
        let services: Vec<_> = config.services.iter().filter(of_protocol).collect();
        if services.is_empty() {
            continue;
        }
        let lists = ["", "6"].map(|family| format!("{DIRECTORY}/{protocol}{family}"));
        let mut sockets = BTreeSet::new();
        for list in lists {
            match fs::read_to_string(&list) {
                Ok(text) => sockets.extend(text.lines().filter_map(local_end)),
                Err(error) => log::debug!("cannot read {list}: {error}"),
            }
        }
        for service in services {
            for warning in conflicts(service, &sockets) {
                log::warn!("{warning}");
            }
        }
    }
}

/// Whether the service's local addresses are used.
fn reserves(service: &Service) -> bool {
    let mut backends = service.backends.iter();
    backends.any(|backend| backend.mode == ForwardingMode::FullNat)
}

/// A warning for each local address of a service that sockets are bound to.
fn conflicts(service: &Service, sockets: &BTreeSet<SocketAddr>) -> Vec<String> {
    let ports = &service.local_ports;
    let of_address = |local: &IpAddr| {
        let taken: Vec<u16> = in_range(*local, ports, sockets).collect();
        (!taken.is_empty()).then(|| words(service, *local, &taken))
    };
    service
        .local_addresses
        .iter()
        .filter_map(of_address)
        .collect()
}

/// Ports of the range that sockets are bound to with this address.
fn in_range(
    local: IpAddr,
    ports: &RangeInclusive<u16>,
    sockets: &BTreeSet<SocketAddr>,
) -> impl Iterator<Item = u16> {
    let (first, last) = (*ports.start(), *ports.end());
    sockets
        .range(SocketAddr::new(local, first)..=SocketAddr::new(local, last))
        .map(SocketAddr::port)
}

fn words(service: &Service, local: IpAddr, taken: &[u16]) -> String {
    let Service { name, protocol, .. } = service;
    let mut named: Vec<_> = taken.iter().take(NAMED).map(u16::to_string).collect();
    if taken.len() > NAMED {
        named.push(format!("{} more", taken.len() - NAMED));
    }
    let plural = if taken.len() == 1 { "" } else { "s" };
    format!(
        "{name}: sockets of this machine are bound to the local address {local}, {protocol} \
         port{plural} {}: what a backend sends there could be taken for the answer to a client; see \
         `ss -na src {local}`, and give `local_addresses` that nothing else uses, or other \
         `local_ports`",
        named.join(", ")
    )
}

/// The local address and port in a line of a list: the second field, in hexadecimal digits (`get_tcp4_sock`
/// in `net/ipv4/tcp_ipv4.c`, `get_tcp6_sock` in `net/ipv6/tcp_ipv6.c`; those of UDP are alike). None in the
/// heading, and of a socket that is bound to no address.
fn local_end(line: &str) -> Option<SocketAddr> {
    let (address, port) = line.split_whitespace().nth(1)?.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    // Each word is shown as the machine reads it, and lies in memory as it is on the wire.
    let word = |n: usize| {
        let digits = address.get(8 * n..8 * (n + 1))?;
        Some(u32::from_str_radix(digits, 16).ok()?.to_ne_bytes())
    };
    let ip: IpAddr = match address.len() {
        8 => Ipv4Addr::from(word(0)?).into(),
        32 => {
            let mut octets = [0; 16];
            for (n, octets) in octets.chunks_exact_mut(4).enumerate() {
                octets.copy_from_slice(&word(n)?);
            }
            // A socket of IPv6 with an IPv4 address speaks IPv4.
            IpAddr::from(Ipv6Addr::from(octets)).to_canonical()
        }
        _ => return None,
    };
    (!ip.is_unspecified()).then(|| SocketAddr::new(ip, port))
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;
    use crate::config;

    /// As x86-64 shows them, little endian.
    #[cfg(target_endian = "little")]
    #[test]
    fn lines_of_the_kernel() {
        for (line, expected) in [
            (
                "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid",
                None,
            ),
            (
                "   0: C800000A:1538 1100000A:0050 01 00000000:00000000 00:00000000 00000000 0",
                Some("10.0.0.200:5432"),
            ),
            (
                "   1: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0",
                None,
            ),
            (
                "   2: B80D0120000000000000000000020000:01BB 00000000000000000000000000000000:0000 0A",
                Some("[2001:db8::200]:443"),
            ),
            (
                "   3: 0000000000000000FFFF0000C800000A:FFFF 0000000000000000FFFF00001100000A:0050 01",
                Some("10.0.0.200:65535"),
            ),
            ("", None),
            ("   4: C800000A 0", None),
            ("   5: C800:0016 0", None),
            ("   6: ÄÄÄÄ:0016 0", None),
        ] {
            let expected = expected.map(|text| text.parse().unwrap());
            assert_eq!(local_end(line), expected, "{line}");
        }
    }

    #[test]
    fn the_kernel_shows_a_socket_as_expected() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let bound = TcpListener::bind(address).unwrap();
            let own = bound.local_addr().unwrap();
            let family = if own.is_ipv4() { "" } else { "6" };
            let list = fs::read_to_string(format!("{DIRECTORY}/tcp{family}")).unwrap();
            assert!(list.lines().any(|line| local_end(line) == Some(own)));
        }
    }

    fn service(fields: &str) -> Service {
        let text = format!(
            "interfaces: [eth0]\nservices: [{{name: mail, address: '10.0.0.29:25', mode: fullnat, \
             local_addresses: [10.0.0.200, 10.0.0.201], {fields}}}]\n"
        );
        let loaded = config::parse(&text, "lvs.yaml").unwrap();
        loaded.config.services.into_iter().next().unwrap()
    }

    #[test]
    fn a_warning_says_the_address_and_the_ports() {
        let service = service("local_ports: 6000-7000, backends: [{address: 10.0.0.17}]");
        let sockets = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
        let none = sockets(&["10.0.0.200:5999", "10.0.0.200:7001", "10.0.0.29:6000"]);
        assert_eq!(conflicts(&service, &none), Vec::<String>::new());

        let some = sockets(&["10.0.0.200:6000", "10.0.0.201:6500", "10.0.0.201:7000"]);
        let [first, second] = &*conflicts(&service, &some) else {
            panic!("one for each address")
        };
        assert!(first.contains("mail: ") && first.contains("10.0.0.200, tcp port 6000: "));
        assert!(second.contains("10.0.0.201, tcp ports 6500, 7000: "));
        let many = (6_000..6_020).map(|port| SocketAddr::new("10.0.0.200".parse().unwrap(), port));
        let [many] = &*conflicts(&service, &many.collect()) else {
            panic!("one")
        };
        assert!(many.contains("6003, 6004, 15 more: "), "{many}");
    }

    #[test]
    fn addresses_that_nobody_uses_are_not_reserved() {
        assert!(reserves(&service("backends: [{address: 10.0.0.17}]")));
        let by_dr = service("backends: [{address: 10.0.0.17, mode: dr}]");
        assert!(!reserves(&by_dr));
    }
}

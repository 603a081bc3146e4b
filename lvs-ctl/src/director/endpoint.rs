//! What else a machine needs at which tunnels end, where it can be seen that it is missing.

use std::{fs, net::IpAddr, path::Path};

use anyhow::Result;

use crate::net::{self, HostAddress, Link};

/// Where the kernel keeps the settings of interfaces.
const CONF: &str = "/proc/sys/net/ipv4/conf";

/// Warns of endpoints that this machine does not have.
///
/// # Errors
/// If the kernel cannot be asked.
pub(super) async fn warn_of_missing(endpoints: &[IpAddr]) -> Result<()> {
    let addresses = net::addresses(&net::connect()?).await?;
    for endpoint in endpoints {
        if !addresses.iter().any(|found| found.address == *endpoint) {
            log::warn!("{}", missing(*endpoint));
        }
    }
    Ok(())
}

/// Warns of what keeps this machine's stack from taking what comes out of tunnels.
///
/// # Errors
/// If the kernel cannot be asked.
pub(super) async fn warn_of_host(interfaces: &[String], endpoints: &[IpAddr]) -> Result<()> {
    let handle = net::connect()?;
    let (links, addresses) = (net::links(&handle).await?, net::addresses(&handle).await?);
    if !has_virtual_address(&links, &addresses, endpoints) {
        log::warn!(
            "no address of this machine looks like a virtual one, and what comes out of tunnels is \
             for such; type: ip address add VIP/32 dev lo (IPv6: VIP/128 dev lo nodad)"
        );
    }
    for interface in interfaces {
        if is_strict(Path::new(CONF), interface) {
            log::warn!("{}", strict(interface));
        }
    }
    Ok(())
}

fn missing(endpoint: IpAddr) -> String {
    let (bits, mark) = if endpoint.is_ipv6() {
        (128, " nodad")
    } else {
        (32, "")
    };
    format!(
        "tunnels are to end at {endpoint}, which is no address of this machine: it is not sent any; \
         type: ip address add {endpoint}/{bits} dev INTERFACE{mark}"
    )
}

/// Whether an address could be a virtual one: it stands on `lo`, a dummy, or alone, and tunnels do not
/// end there.
fn has_virtual_address(links: &[Link], addresses: &[HostAddress], endpoints: &[IpAddr]) -> bool {
    let own = addresses.iter().filter(|found| {
        let link_local = matches!(found.address, IpAddr::V6(v6) if v6.is_unicast_link_local());
        !found.address.is_loopback() && !link_local && !endpoints.contains(&found.address)
    });
    own.into_iter().any(|found| {
        let alone = found.bits == if found.address.is_ipv6() { 128 } else { 32 };
        let link = links.iter().find(|link| link.index == found.ifindex);
        let quiet =
            link.is_some_and(|link| link.name == "lo" || link.kind.as_deref() == Some("dummy"));
        alone || quiet
    })
}

/// Whether the host drops packets whose sender it would not answer by the interface they came by: the
/// larger of two settings is 1 (`IN_DEV_RPFILTER` in include/linux/inetdevice.h).
fn is_strict(conf: &Path, interface: &str) -> bool {
    let value = |of: &str| {
        let text = fs::read_to_string(conf.join(of).join("rp_filter")).ok()?;
        text.trim().parse::<u32>().ok()
    };
    value("all").max(value(interface)) == Some(1)
}

fn strict(interface: &str) -> String {
    // Dots of the name would be taken for the ends of names.
    let name = if interface.contains('.') {
        format!("net/ipv4/conf/{interface}/rp_filter")
    } else {
        format!("net.ipv4.conf.{interface}.rp_filter")
    };
    format!(
        "{interface}: rp_filter is strict, so that the host drops packets of clients that it would not \
         answer by {interface}; type: sysctl -w {name}=2"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(index: u32, name: &str, kind: Option<&str>) -> Link {
        Link {
            index,
            name: name.to_owned(),
            mac: None,
            mtu: 1500,
            up: true,
            carrier: true,
            xdp: None,
            kind: kind.map(str::to_owned),
            vlan: None,
            lower: None,
            master: None,
        }
    }

    #[test]
    fn a_virtual_address_is_known_by_where_it_stands() {
        let links = [
            link(1, "lo", None),
            link(2, "eth0", None),
            link(3, "vip0", Some("dummy")),
        ];
        let has = |addresses: &[(&str, u8, u32)]| {
            let own = [("127.0.0.1", 8, 1), ("::1", 128, 1), ("fe80::1", 64, 2)];
            let all: Vec<_> = own
                .iter()
                .chain(addresses)
                .map(|&(address, bits, ifindex)| HostAddress {
                    address: address.parse().unwrap(),
                    bits,
                    ifindex,
                })
                .collect();
            has_virtual_address(&links, &all, &["10.0.0.17".parse().unwrap()])
        };
        assert!(!has(&[]));
        assert!(!has(&[("10.0.0.18", 24, 2), ("10.0.0.17", 32, 2)]));
        assert!(has(&[("10.0.0.29", 32, 1)]));
        assert!(has(&[("10.0.0.29", 24, 1)]));
        assert!(has(&[("10.0.0.29", 24, 3)]));
        assert!(has(&[("10.0.0.29", 32, 2)]));
        assert!(has(&[("fd00::29", 128, 2)]));
        assert!(!has(&[("fd00::17", 64, 2)]));
    }

    #[test]
    fn the_larger_setting_counts_and_only_one_is_strict() {
        let conf = tempfile::tempdir().unwrap();
        for (all, own, expected) in [
            ("0", "0", false),
            ("1", "0", true),
            ("0", "1", true),
            ("1", "1", true),
            ("1", "2", false),
            ("2", "1", false),
            ("?", "0", false),
        ] {
            for (name, value) in [("all", all), ("eth0", own)] {
                fs::create_dir_all(conf.path().join(name)).unwrap();
                fs::write(conf.path().join(name).join("rp_filter"), value).unwrap();
            }
            assert_eq!(is_strict(conf.path(), "eth0"), expected, "{all} {own}");
        }
        assert!(!is_strict(Path::new("/nonexistent"), "eth0"));
    }

    #[test]
    fn warnings_say_what_to_type() {
        assert!(strict("eth0").ends_with("type: sysctl -w net.ipv4.conf.eth0.rp_filter=2"));
        assert!(strict("eth0.7").ends_with("sysctl -w net/ipv4/conf/eth0.7/rp_filter=2"));
        let v6 = missing("fd00::17".parse().unwrap());
        assert!(v6.ends_with("ip address add fd00::17/128 dev INTERFACE nodad"));
    }
}

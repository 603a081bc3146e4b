//! Whether the host routes, without which answers to clients go back to where their packets came from.

use std::{fs, path::Path};

use lvs_common::Family;

use crate::config::{Config, Service};

/// Where the kernel keeps the settings of interfaces.
const CONF: &str = "/proc/sys/net";

/// Says so if answers of backends come by here and the host does not route.
pub(super) fn tell_of_forwarding(config: &Config) {
    for family in [Family::Ipv4, Family::Ipv6] {
        let off = off(Path::new(CONF), family, &config.interfaces);
        if !off.is_empty()
            && config
                .services
                .iter()
                .any(|service| answers(service, family))
        {
            log::info!("{}", words(family, &off));
        }
    }
}

/// Whether answers to clients of this family come by here.
fn answers(service: &Service, family: Family) -> bool {
    let mut backends = service.backends.iter();
    Family::from(service.address.ip()) == family
        && backends.any(|backend| backend.mode.translates())
}

/// Those of the interfaces that the host does not route from: a route is looked up for where the client's
/// packet came from, and that one's setting counts (`bpf_ipv4_fib_lookup` in net/core/filter.c).
fn off<'n>(conf: &Path, family: Family, interfaces: &'n [String]) -> Vec<&'n str> {
    let is_off = |name: &&str| {
        let path = conf.join(family.as_str()).join("conf").join(name);
        let setting = fs::read_to_string(path.join("forwarding"));
        // What cannot be read says nothing; without IPv6 there is nothing to say.
        setting.is_ok_and(|text| text.trim() == "0")
    };
    interfaces
        .iter()
        .map(String::as_str)
        .filter(is_off)
        .collect()
}

fn words(family: Family, off: &[&str]) -> String {
    let (name, setting) = match family {
        Family::Ipv4 => ("IPv4", "net.ipv4.ip_forward"),
        Family::Ipv6 => ("IPv6", "net.ipv6.conf.all.forwarding"),
    };
    format!(
        "this machine does not route {name} from {}: answers of backends go to clients by the router or \
         host that their packets came from, not by this machine's routes. That is fine unless another \
         balancer is in front; then type: sysctl -w {setting}=1",
        off.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;

    #[test]
    fn answers_come_by_here_where_a_backend_is_translated() {
        let service = |address: &str, fields: &str| {
            let text =
                format!("interfaces: [eth0]\nservices: [{{address: '{address}', {fields}}}]\n");
            let loaded = config::parse(&text, "lvs.yaml").unwrap();
            loaded.config.services.into_iter().next().unwrap()
        };
        let nat = service(
            "10.0.0.29:80",
            "mode: nat, backends: [{address: 10.0.0.17}]",
        );
        assert!(answers(&nat, Family::Ipv4) && !answers(&nat, Family::Ipv6));
        let dr = service("10.0.0.29:80", "backends: [{address: 10.0.0.17}]");
        assert!(!answers(&dr, Family::Ipv4));
        // Of the client's family, whatever the backend's.
        let across = service(
            "[fd00::29]:80",
            "local_addresses: [10.0.0.200], backends: [{address: 10.0.0.17, mode: fullnat}]",
        );
        assert!(answers(&across, Family::Ipv6) && !answers(&across, Family::Ipv4));
    }

    #[test]
    fn each_interface_has_its_own_setting() {
        let root = tempfile::tempdir().unwrap();
        for (family, name, value) in [
            ("ipv4", "eth0", "0\n"),
            ("ipv4", "eth1", "1\n"),
            ("ipv6", "eth0", "1\n"),
        ] {
            let interface = root.path().join(family).join("conf").join(name);
            fs::create_dir_all(&interface).unwrap();
            fs::write(interface.join("forwarding"), value).unwrap();
        }
        let names = ["eth0", "eth1"].map(str::to_owned);
        assert_eq!(off(root.path(), Family::Ipv4, &names), ["eth0"]);
        assert!(off(root.path(), Family::Ipv6, &names).is_empty());
    }

    #[test]
    fn the_words_name_the_setting() {
        let v4 = words(Family::Ipv4, &["eth0", "eth1"]);
        assert!(v4.contains("IPv4 from eth0, eth1: "), "{v4}");
        assert!(
            v4.ends_with("type: sysctl -w net.ipv4.ip_forward=1"),
            "{v4}"
        );
        let v6 = words(Family::Ipv6, &["eth0"]);
        assert!(
            v6.ends_with("type: sysctl -w net.ipv6.conf.all.forwarding=1"),
            "{v6}"
        );
    }
}

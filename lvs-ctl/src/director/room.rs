//! How much room the flow table needs.

use lvs_common::Family;

use crate::config::{Config, Service};

/// The most entries that the flows of a configuration take in the tables of IPv4 and of IPv6.
///
/// A flow has an entry of the family of its service. One that is translated has another for its answers,
/// of the family of its backend. All flows may be of the service and backend that take the most.
pub(super) fn entries(config: &Config) -> [u64; 2] {
    [Family::Ipv4, Family::Ipv6].map(|family| {
        let of_a_flow = config.services.iter().map(|service| most(service, family));
        config.flows * of_a_flow.max().unwrap_or(0)
    })
}

/// The most entries of a family that one flow of a service takes.
fn most(service: &Service, family: Family) -> u64 {
    let own = u64::from(Family::from(service.address.ip()) == family);
    let answers = service
        .backends
        .iter()
        .any(|b| b.mode.translates() && Family::from(b.address.ip()) == family);
    own + u64::from(answers)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;

    /// Services of each an address, a mode and addresses of backends.
    fn entries_of(services: &[(&str, &str, &[&str])]) -> [u64; 2] {
        let service = |&(address, mode, backends): &(&str, &str, &[&str])| {
            let backends: Vec<_> = backends
                .iter()
                .map(|backend| format!("{{address: '{backend}'}}"))
                .collect();
            format!(
                "- {{address: '{address}', mode: {mode}, local_addresses: [10.0.0.200, \
                 'fd00::200'], backends: [{}]}}\n",
                backends.join(", ")
            )
        };
        let services: String = services.iter().map(service).collect();
        let text = format!("interfaces: [eth0]\nflows: 1k\nservices:\n{services}");
        entries(&config::parse(&text, "lvs.yaml").unwrap().config)
    }

    #[test]
    fn a_flow_has_an_entry_and_one_of_its_answers_where_these_come_by() {
        const V4: &str = "10.0.0.29:80";
        const V6: &str = "[fd00::29]:80";
        for (services, expected) in [
            (&[(V4, "dr", &["10.0.0.17"][..])][..], [1_000, 0]),
            (&[(V6, "dr", &["fd00::17"])], [0, 1_000]),
            (&[(V4, "nat", &["10.0.0.17"])], [2_000, 0]),
            (&[(V6, "nat", &["fd00::17"])], [0, 2_000]),
            // Nothing of a tunnel's other family is in a table.
            (&[(V4, "tun", &["fd00::17", "10.0.0.17"])], [1_000, 0]),
            (&[(V4, "fullnat", &["fd00::17"])], [1_000, 1_000]),
            (&[(V6, "fullnat", &["10.0.0.17"])], [1_000, 1_000]),
            (
                &[(V6, "fullnat", &["10.0.0.17", "fd00::17"])],
                [1_000, 2_000],
            ),
            (
                &[(V4, "dr", &["10.0.0.17"]), (V6, "fullnat", &["10.0.0.18"])],
                [1_000, 1_000],
            ),
        ] {
            assert_eq!(entries_of(services), expected, "{services:?}");
        }
    }

    #[test]
    fn a_service_without_backends_still_has_a_table() {
        let text = "interfaces: [eth0]\nflows: 1k\nservices: [{address: '10.0.0.29:80'}]\n";
        let config = config::parse(text, "lvs.yaml").unwrap().config;
        assert_eq!(entries(&config), [1_000, 0]);
    }
}

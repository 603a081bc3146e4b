//! The rules of tunnels: where they begin, and those that end here.

use std::{collections::BTreeMap, fmt::Display, net::IpAddr};

use super::super::{
    address,
    fields::Fields,
    model::Decap,
    prefix::{self, Prefix},
    raw::Value,
    report::{Place, Problem, Report, on_lines},
};

/// The field `tunnel_source` of a service: at most one prefix of each family.
pub(super) fn sources(fields: &Fields<'_>, report: &mut Report) -> Option<Vec<Prefix>> {
    let Some(field) = fields.get("tunnel_source") else {
        return Some(Vec::new());
    };
    let item = ("a tunnel's source", "172.16.0.0/16");
    let sources = field.one_or_each(item, prefix::tunnel_source, report)?;
    if sources.is_empty() {
        let message = "`tunnel_source` has no value";
        let help = "give an address or a prefix, or delete the field";
        report.error(field.key, Problem::new(message, help));
    }
    let mut seen = BTreeMap::new();
    for (place, source) in &sources {
        if let Some(first) = seen.insert(source.address().is_ipv6(), *place) {
            let message = format!(
                "two sources of {}, {}",
                family(source.address()),
                on_lines(first, *place)
            );
            let help =
                "a service has at most one of each family; a prefix holds an address for each flow";
            report.error(*place, Problem::new(message, help));
        }
    }
    Some(sources.into_iter().map(|(_, source)| source).collect())
}

/// The section `decap`, if it is there; `None` as well where it is wrong and reported.
pub(super) fn decap(fields: &Fields<'_>, report: &mut Report) -> Option<Decap> {
    let section = fields.get("decap")?;
    if section.node.value == Value::Nothing {
        return None;
    }
    let fields = Fields::read(section.node, "`decap`", &["endpoints", "from"], report)?;
    let endpoints = fields
        .require("endpoints", "[10.0.0.29]", report)
        .and_then(|field| {
            let item = ("an endpoint", "10.0.0.29");
            let found = field.one_or_each(item, address::tunnel_end, report)?;
            count(
                &found,
                field.key,
                ("endpoints", Decap::MAX_ENDPOINTS),
                report,
            );
            each_once(&found, "the endpoint", report);
            Some(found)
        });
    let from = fields
        .require("from", "[10.0.0.0/24]", report)
        .and_then(|field| {
            let item = ("a tunnel's source", "10.0.0.0/24");
            let found = field.one_or_each(item, prefix::tunnels_from, report)?;
            count(&found, field.key, ("from", Decap::MAX_FROM), report);
            each_once(&found, "the source", report);
            Some(found)
        });
    let (endpoints, from) = (endpoints?, from?);
    for (place, source) in &from {
        if source.bits() == 0 {
            let message = format!("{source} lets tunnels come from anywhere");
            let help = "whoever reaches an endpoint can then send packets in anybody's name: name \
                        the addresses that the balancers' tunnels come from";
            report.warning(*place, Problem::new(message, help));
        }
    }
    for (place, endpoint) in &endpoints {
        let of_its_family =
            |(_, source): &(Place, Prefix)| source.address().is_ipv6() == endpoint.is_ipv6();
        if !from.is_empty() && !from.iter().any(of_its_family) {
            let family = family(*endpoint);
            let message =
                format!("no tunnel may come to {endpoint}: `from` has nothing of {family}");
            let help = format!("add the {family} addresses that tunnels come from");
            report.warning(*place, Problem::new(message, help));
        }
    }
    Some(Decap {
        endpoints: endpoints.into_iter().map(|(_, ip)| ip).collect(),
        from: from.into_iter().map(|(_, prefix)| prefix).collect(),
    })
}

/// Reports a list of the section that is empty or too long.
fn count<T>(found: &[T], key: Place, (name, most): (&str, usize), report: &mut Report) {
    if found.is_empty() {
        let help = "name at least one, or leave `decap` out";
        report.error(key, Problem::new(format!("`{name}` is empty"), help));
    } else if found.len() > most {
        let message = format!("{} entries of `{name}` are more than {most}", found.len());
        report.error(
            key,
            Problem::new(message, "list fewer; a prefix holds many addresses"),
        );
    }
}

/// Reports what is listed twice.
fn each_once<T: Ord + Display>(found: &[(Place, T)], what: &str, report: &mut Report) {
    let mut seen = BTreeMap::new();
    for (place, value) in found {
        if let Some(first) = seen.insert(value, *place) {
            let message = format!(
                "{what} {value} is listed twice, {}",
                on_lines(first, *place)
            );
            report.error(*place, Problem::new(message, "list it once"));
        }
    }
}

fn family(address: IpAddr) -> &'static str {
    if address.is_ipv6() { "IPv6" } else { "IPv4" }
}

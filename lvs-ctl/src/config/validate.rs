//! The rules of a configuration as a whole.

mod backends;
mod link_layer;
mod notices;
mod service;
mod tunnels;
mod unused;

use std::collections::BTreeMap;

use lvs_common::{MidStream, NoBackend};

use super::{
    fields::Fields,
    model::{Config, Timeouts, XdpMode},
    names,
    names::choice,
    numbers,
    raw::{Node, Value},
    report::{Problem, Report, on_lines},
};
use service::Draft;

/// The configuration, as far as `report` has no errors.
pub(super) fn config(root: &Node, report: &mut Report) -> Option<Config> {
    if root.value == Value::Nothing {
        let help =
            "it needs at least `interfaces` and `services`; lvs.example.yaml shows every field";
        report.error(root.place, Problem::new("the configuration is empty", help));
        return None;
    }
    let known = &[
        "interfaces",
        "xdp",
        "flows",
        "timeouts",
        "mid_stream",
        "no_backend",
        "notices",
        "decap",
        "services",
    ];
    let fields = Fields::read(root, "a configuration", known, report)?;
    let interfaces = interfaces(&fields, report);
    let xdp = fields.optional(
        "xdp",
        XdpMode::default(),
        |text| choice(text, "XDP mode", XdpMode::ALL),
        report,
    );
    let flows = fields.optional("flows", Config::DEFAULT_FLOWS, numbers::flows, report);
    let timeouts = timeouts(&fields, Timeouts::default(), report);
    let mid_stream = mid_stream(&fields, Config::DEFAULT_MID_STREAM, report);
    let notices = notices::notices(&fields, report);
    let are_off = notices.is_some_and(|notices| notices.are_off());
    let no_backend = notices::no_backend(&fields, Config::DEFAULT_NO_BACKEND, are_off, report);
    let defaults = Defaults {
        timeouts: timeouts.unwrap_or_default(),
        mid_stream: mid_stream.unwrap_or(Config::DEFAULT_MID_STREAM),
        no_backend: no_backend.unwrap_or(Config::DEFAULT_NO_BACKEND),
        notices_are_off: are_off,
    };
    let decap = tunnels::decap(&fields, report);
    let services = services(&fields, &defaults, report);
    Some(Config {
        interfaces: interfaces?,
        xdp: xdp?,
        flows: flows?,
        timeouts: timeouts?,
        mid_stream: mid_stream?,
        no_backend: no_backend?,
        notices: notices?,
        decap,
        services: services?
            .into_iter()
            .map(|draft| draft.service)
            .collect::<Option<_>>()?,
    })
}

fn interfaces(fields: &Fields<'_>, report: &mut Report) -> Option<Vec<String>> {
    let field = fields.require("interfaces", "[eth0]", report)?;
    let items = field.list(report)?;
    if items.is_empty() {
        report.error(
            field.key,
            Problem::new(
                "`interfaces` is empty",
                "name at least one, such as `interfaces: [eth0]`",
            ),
        );
    }
    let mut names = Vec::with_capacity(items.len());
    let mut seen = BTreeMap::new();
    for item in items {
        let Value::Text(text) = &item.value else {
            let message = format!("an interface is a name, this is {}", item.value.kind());
            report.error(
                item.place,
                Problem::new(message, "write the name alone, such as eth0"),
            );
            continue;
        };
        let Some(name) = report.take(item.place, names::interface(text)) else {
            continue;
        };
        if let Some(first) = seen.insert(name.clone(), item.place) {
            let message = format!(
                "the interface `{name}` is listed twice, {}",
                on_lines(first, item.place)
            );
            report.error(
                item.place,
                Problem::new(message, "list each interface once"),
            );
        }
        names.push(name);
    }
    Some(names)
}

/// What holds for a service that doesn't say.
#[derive(Clone, Copy, Debug)]
struct Defaults {
    timeouts: Timeouts,
    mid_stream: MidStream,
    no_backend: NoBackend,
    /// Whether the balancer sends no messages of its own at all.
    notices_are_off: bool,
}

/// The field `timeouts` of the configuration or a service, filled up with `defaults`.
fn timeouts(fields: &Fields<'_>, defaults: Timeouts, report: &mut Report) -> Option<Timeouts> {
    let Timeouts { tcp, tcp_fin, udp } = defaults;
    let Some(field) = fields.get("timeouts") else {
        return Some(defaults);
    };
    if field.node.value == Value::Nothing {
        return Some(defaults);
    }
    let fields = Fields::read(field.node, "`timeouts`", &["tcp", "tcp_fin", "udp"], report)?;
    let tcp = fields.optional("tcp", tcp, numbers::timeout, report);
    let tcp_fin = fields.optional("tcp_fin", tcp_fin, numbers::timeout, report);
    let udp = fields.optional("udp", udp, numbers::timeout, report);
    Some(Timeouts {
        tcp: tcp?,
        tcp_fin: tcp_fin?,
        udp: udp?,
    })
}

/// The field `mid_stream` of the configuration or a service.
fn mid_stream(fields: &Fields<'_>, default: MidStream, report: &mut Report) -> Option<MidStream> {
    let policy = |text: &str| choice(text, "policy", MidStream::ALL);
    fields.optional("mid_stream", default, policy, report)
}

fn services(fields: &Fields<'_>, defaults: &Defaults, report: &mut Report) -> Option<Vec<Draft>> {
    let example = "[{address: 10.0.0.29:80, backends: [{address: 10.0.0.17}]}]";
    let field = fields.require("services", example, report)?;
    let items = field.list(report)?;
    if items.is_empty() {
        let help = format!("describe at least one, such as `services: {example}`");
        report.error(field.key, Problem::new("`services` is empty", help));
    }
    if items.len() > Config::MAX_SERVICES {
        let message = format!(
            "{} services are more than {}",
            items.len(),
            Config::MAX_SERVICES
        );
        report.error(
            field.key,
            Problem::new(message, "spread them over several balancers"),
        );
    }
    let drafts: Vec<_> = items
        .iter()
        .filter_map(|item| service::draft(item, defaults, report))
        .collect();
    let backends: usize = drafts.iter().map(|draft| draft.backends).sum();
    if backends > Config::MAX_BACKENDS {
        let message = format!(
            "{backends} backends of all services together are more than {}",
            Config::MAX_BACKENDS
        );
        report.error(
            field.key,
            Problem::new(message, "spread the services over several balancers"),
        );
    }
    unique(&drafts, report);
    Some(drafts)
}

/// Two services can't have one name, nor take the same packets.
fn unique(drafts: &[Draft], report: &mut Report) {
    let mut names = BTreeMap::new();
    let mut addresses = BTreeMap::new();
    for draft in drafts {
        if let Some((name, place)) = &draft.name
            && let Some(first) = names.insert(name, *place)
        {
            let message = format!(
                "two services have the name `{name}`, {}",
                on_lines(first, *place)
            );
            report.error(
                *place,
                Problem::new(message, "give each its own, or leave `name` out"),
            );
        }
        if let (Some(protocol), Some((address, place))) = (draft.protocol, draft.address)
            && let Some(first) = addresses.insert((protocol, address), place)
        {
            let message = format!(
                "{protocol} {address} is a service twice, {}",
                on_lines(first, place)
            );
            let help = "put the backends of both under one, or change an address, port or protocol";
            report.error(place, Problem::new(message, help));
        }
    }
}

//! The rules of one service.

use std::net::{IpAddr, SocketAddr};

use lvs_common::{ForwardingMode, Protocol, Scheduler, map::MAX_TAGS};

use super::super::{
    address,
    fields::Fields,
    model::Service,
    names::{self, choice},
    numbers,
    raw::Node,
    report::{Place, Problem, Report},
};
use super::{
    Defaults,
    backends::{self, Frame},
    link_layer, notices, tunnels,
    unused::{self, Use},
};

/// Frames to the backends of a service that says nothing of VLANs.
const NO_TAGS: [u16; MAX_TAGS] = [0; MAX_TAGS];

/// A service, and of one that has errors what other services can still be compared with.
pub(super) struct Draft {
    /// Complete, or `None` with errors reported.
    pub(super) service: Option<Service>,
    /// The name that is given.
    pub(super) name: Option<(String, Place)>,
    pub(super) protocol: Option<Protocol>,
    pub(super) address: Option<(SocketAddr, Place)>,
    /// How many backends are listed.
    pub(super) backends: usize,
}

/// Reads a service; `None` for what isn't a mapping, which is reported.
pub(super) fn draft(node: &Node, defaults: &Defaults, report: &mut Report) -> Option<Draft> {
    let known = &[
        "name",
        "protocol",
        "address",
        "scheduler",
        "mode",
        "timeouts",
        "mid_stream",
        "no_backend",
        "local_addresses",
        "local_ports",
        "tunnel_source",
        "vlan",
        "backends",
    ];
    let fields = Fields::read(node, "a service", known, report)?;
    let name = fields.get("name");
    let given =
        name.and_then(|field| Some((field.convert(names::service, report)?, field.node.place)));
    let address = fields.require("address", "10.0.0.29:80", report);
    let address = address
        .and_then(|field| Some((field.convert(address::service, report)?, field.node.place)));
    let protocol = |text: &str| choice(text, "protocol", Protocol::ALL);
    let protocol = fields.optional("protocol", Service::DEFAULT_PROTOCOL, protocol, report);
    let scheduler = |text: &str| choice(text, "scheduler", Scheduler::ALL);
    let scheduler = fields.optional("scheduler", Service::DEFAULT_SCHEDULER, scheduler, report);
    let mode = |text: &str| choice(text, "forwarding mode", ForwardingMode::ALL);
    let mode = fields.optional("mode", Service::DEFAULT_MODE, mode, report);
    let timeouts = super::timeouts(&fields, defaults.timeouts, report);
    let mid_stream = super::mid_stream(&fields, defaults.mid_stream, report);
    let are_off = defaults.notices_are_off;
    let no_backend = notices::no_backend(&fields, defaults.no_backend, are_off, report);
    let locals = locals(&fields, report);
    let local_ports = Service::DEFAULT_LOCAL_PORTS;
    let local_ports = fields.optional("local_ports", local_ports, numbers::ports, report);
    let sources = tunnels::sources(&fields, report);
    let tags = link_layer::tags(&fields, Some(NO_TAGS), report);
    let frame = Frame {
        service: node.place,
        address: address.map(|(address, _)| address),
        scheduler,
        mode,
        locals: locals.as_deref(),
        sources: sources.as_deref(),
        tags,
    };
    let (count, backends) = match fields.get("backends") {
        None if fields.is_misspelt("backends") => (0, None),
        list => backends::read(list, &frame, report),
    };
    let of_it = Use {
        protocol,
        no_backend,
        scheduler,
        mode,
        backends: backends.as_deref(),
    };
    unused::warn(&fields, &of_it, report);

    let complete = || {
        let (address, protocol) = (address?.0, protocol?);
        Some(Service {
            name: match (name, &given) {
                (None, _) => format!("{protocol} {address}"),
                (Some(_), given) => given.as_ref()?.0.clone(),
            },
            protocol,
            address,
            scheduler: scheduler?,
            mode: mode?,
            timeouts: timeouts?,
            mid_stream: mid_stream?,
            no_backend: no_backend?,
            local_addresses: locals.clone()?,
            local_ports: local_ports.clone()?,
            backends: backends?,
        })
    };
    Some(Draft {
        service: complete(),
        name: given.clone(),
        protocol,
        address,
        backends: count,
    })
}

/// The local addresses, each once.
fn locals(fields: &Fields<'_>, report: &mut Report) -> Option<Vec<IpAddr>> {
    let Some(field) = fields.get("local_addresses") else {
        return Some(Vec::new());
    };
    let item = ("a local address", "10.0.0.200");
    let mut locals: Vec<IpAddr> = Vec::new();
    for (place, ip) in field.each(item, address::local, report)? {
        if locals.contains(&ip) {
            let message = format!("the local address {ip} is listed twice");
            report.error(place, Problem::new(message, "list it once"));
        } else {
            locals.push(ip);
        }
    }
    for (family, is_it) in [
        ("IPv4", IpAddr::is_ipv4 as fn(&IpAddr) -> bool),
        ("IPv6", IpAddr::is_ipv6),
    ] {
        let count = locals.iter().filter(|ip| is_it(ip)).count();
        if count > Service::MAX_LOCAL_ADDRESSES {
            let message = format!(
                "{count} local addresses of {family} are more than {}",
                Service::MAX_LOCAL_ADDRESSES
            );
            let help = "each has some 60,000 ports towards every backend: fewer will do";
            report.error(field.key, Problem::new(message, help));
        }
    }
    Some(locals)
}

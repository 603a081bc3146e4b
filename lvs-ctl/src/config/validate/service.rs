//! The rules of one service.

use std::net::SocketAddr;

use lvs_common::{ForwardingMode, Protocol, Scheduler};

use super::super::{
    address,
    fields::Fields,
    model::Service,
    names::{self, choice},
    raw::Node,
    report::{Place, Report},
};
use super::{
    Defaults,
    backends::{self, Frame},
};

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
    let frame = Frame {
        service: node.place,
        address: address.map(|(address, _)| address),
        scheduler,
        mode,
    };
    let (count, backends) = match fields.get("backends") {
        None if fields.is_misspelt("backends") => (0, None),
        list => backends::read(list, &frame, report),
    };

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

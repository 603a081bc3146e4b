//! Fields of a service that are sound but change nothing of it.

use std::collections::BTreeSet;

use lvs_common::{ForwardingMode, NoBackend, Protocol, Scheduler};

use super::super::{
    fields::Fields,
    model::Backend,
    raw::Value,
    report::{Place, Problem, Report},
};

/// What decides whether a field is used; `None` is what has errors of its own.
pub(super) struct Use<'l> {
    pub(super) protocol: Option<Protocol>,
    pub(super) no_backend: Option<NoBackend>,
    pub(super) scheduler: Option<Scheduler>,
    /// That of backends which don't say.
    pub(super) mode: Option<ForwardingMode>,
    pub(super) backends: Option<&'l [Backend]>,
}

/// Fields that one forwarding mode alone has a use for.
const OF_MODES: [(&str, ForwardingMode); 3] = [
    ("tunnel_source", ForwardingMode::Tun),
    ("local_addresses", ForwardingMode::FullNat),
    ("local_ports", ForwardingMode::FullNat),
];

/// Timeouts, and the protocol that each is of.
const TIMEOUTS: [(&str, Protocol); 3] = [
    ("tcp", Protocol::Tcp),
    ("tcp_fin", Protocol::Tcp),
    ("udp", Protocol::Udp),
];

/// Warns of those that the service has.
pub(super) fn warn(fields: &Fields<'_>, of_it: &Use<'_>, report: &mut Report) {
    for (name, mode) in OF_MODES {
        if let Some(field) = fields.get(name)
            && of_it.has(mode) == Some(false)
        {
            let message = format!("`{name}` is for mode {mode}, which no backend here has");
            let help =
                format!("set `mode: {mode}` for the service or a backend, or leave `{name}` out");
            report.warning(field.key, Problem::new(message, help));
        }
    }
    if let Some(protocol) = of_it.protocol {
        of_protocol(fields, protocol, of_it.no_backend, report);
    }
    if let Some(field) = fields.get("backends")
        && of_it.scheduler == Some(Scheduler::Rr)
        && of_it.have_weights()
    {
        let message = "scheduler rr takes all weights above 0 for the same";
        let help = "use scheduler wrr, or leave the weights out";
        report.warning(field.key, Problem::new(message, help));
    }
}

/// What is for the other protocol.
fn of_protocol(
    fields: &Fields<'_>,
    protocol: Protocol,
    no_backend: Option<NoBackend>,
    report: &mut Report,
) {
    for (name, place) in timeouts(fields) {
        if let Some((_, of)) = TIMEOUTS.iter().find(|(known, _)| *known == name)
            && *of != protocol
        {
            let message =
                format!("the timeout `{name}` is for {of}, and this is a {protocol} service");
            report.warning(place, Problem::new(message, format!("leave `{name}` out")));
        }
    }
    if protocol == Protocol::Tcp {
        return;
    }
    if let Some(field) = fields.get("mid_stream") {
        let message = format!("`mid_stream` is for tcp, and this is a {protocol} service");
        let help = "leave `mid_stream` out";
        report.warning(field.key, Problem::new(message, help));
    }
    if let Some(field) = fields.get("no_backend")
        && no_backend == Some(NoBackend::Reset)
    {
        let message = format!(
            "a {protocol} service can't reset: its clients are told that the port is unreachable"
        );
        let help = "write `no_backend: unreachable`";
        report.warning(field.key, Problem::new(message, help));
    }
}

/// The names in the field `timeouts`.
fn timeouts<'n>(fields: &Fields<'n>) -> impl Iterator<Item = (&'n str, Place)> {
    let entries = match fields.get("timeouts").map(|field| &field.node.value) {
        Some(Value::Mapping(entries)) => entries.as_slice(),
        _ => &[],
    };
    entries.iter().filter_map(|(key, _)| match &key.value {
        Value::Text(text) => Some((text.as_str(), key.place)),
        _ => None,
    })
}

impl Use<'_> {
    /// Whether a backend has this mode, or would have it if there were one.
    fn has(&self, mode: ForwardingMode) -> Option<bool> {
        match self.backends? {
            [] => Some(self.mode? == mode),
            backends => Some(backends.iter().any(|backend| backend.mode == mode)),
        }
    }

    /// Whether weights say that some backends get more than others.
    fn have_weights(&self) -> bool {
        let weights = self.backends.unwrap_or_default().iter();
        let weights: BTreeSet<_> = weights.map(|b| b.weight).filter(|w| *w != 0).collect();
        weights.len() > 1
    }
}

//! The rules of a service's backends.

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
};

use lvs_common::{ForwardingMode, Scheduler, map::MAX_TAGS};

use super::super::{
    address::{self, Endpoint},
    ethernet,
    fields::{Field, Fields},
    model::{Backend, Service},
    names::choice,
    numbers,
    prefix::Prefix,
    raw::Node,
    report::{Place, Problem, Report, on_lines},
};
use super::link_layer;

/// What of the service its backends must fit; `None` is what has errors of its own.
pub(super) struct Frame<'l> {
    pub(super) service: Place,
    pub(super) address: Option<SocketAddr>,
    pub(super) scheduler: Option<Scheduler>,
    /// That of backends which don't say.
    pub(super) mode: Option<ForwardingMode>,
    pub(super) locals: Option<&'l [IpAddr]>,
    /// Where tunnels begin, at most one of each family.
    pub(super) sources: Option<&'l [Prefix]>,
    /// VLAN ids of frames to those which don't say.
    pub(super) tags: Option<[u16; MAX_TAGS]>,
}

/// A backend, as far as it is sound.
struct Draft {
    place: Place,
    endpoint: Option<Endpoint>,
    weight: Option<u16>,
    mode: Option<ForwardingMode>,
    tags: Option<[u16; MAX_TAGS]>,
    /// None as well where it is wrong and reported.
    mac: Option<[u8; 6]>,
}

/// Reads the list of backends: how many there are, and the backends, `None` with errors reported.
pub(super) fn read(
    list: Option<Field<'_>>,
    frame: &Frame<'_>,
    report: &mut Report,
) -> (usize, Option<Vec<Backend>>) {
    let place = list.map_or(frame.service, |list| list.key);
    let Some(items) = list.map_or(Some(&[][..]), |list| list.list(report)) else {
        return (0, None);
    };
    let help =
        "each backend is an address and a weight, such as `- {address: 10.0.0.17, weight: 3}`";
    if items.is_empty() {
        report.warning(
            place,
            Problem::new("the service has no backends: it accepts nothing", help),
        );
    }
    if items.len() > Service::MAX_BACKENDS {
        let message = format!(
            "{} backends are more than {} in one service",
            items.len(),
            Service::MAX_BACKENDS
        );
        report.error(
            place,
            Problem::new(message, "spread them over several services"),
        );
    }
    let drafts: Vec<_> = items
        .iter()
        .map(|item| draft(item, frame, report))
        .collect();
    unique(&drafts, frame, report);
    weights(&drafts, frame, place, report);
    let complete = |draft: &Draft| {
        let Endpoint { ip, port } = draft.endpoint?;
        let mode = draft.mode?;
        let source = frame.sources?.iter().find(|source| {
            mode == ForwardingMode::Tun && source.address().is_ipv6() == ip.is_ipv6()
        });
        Some(Backend {
            address: SocketAddr::new(ip, port.or(frame.address.map(|address| address.port()))?),
            weight: draft.weight?,
            mode,
            tunnel_source: source.copied(),
            tags: draft.tags?,
            mac: draft.mac,
        })
    };
    (items.len(), drafts.iter().map(complete).collect())
}

fn draft(node: &Node, frame: &Frame<'_>, report: &mut Report) -> Draft {
    let mut draft = Draft {
        place: node.place,
        endpoint: None,
        weight: None,
        mode: None,
        tags: None,
        mac: None,
    };
    let known = &["address", "weight", "mode", "vlan", "mac"];
    let Some(fields) = Fields::read(node, "a backend", known, report) else {
        return draft;
    };
    if let Some(field) = fields.require("address", "10.0.0.17", report) {
        draft.place = field.node.place;
        draft.endpoint = field.convert(address::backend, report);
    }
    draft.weight = fields.optional("weight", Backend::DEFAULT_WEIGHT, numbers::weight, report);
    draft.mode = match fields.get("mode") {
        Some(field) => {
            let mode = |text: &str| choice(text, "forwarding mode", ForwardingMode::ALL);
            field.convert(mode, report)
        }
        None => frame.mode,
    };
    draft.tags = link_layer::tags(&fields, frame.tags, report);
    let mac = fields.get("mac");
    draft.mac = mac.and_then(|field| field.convert(ethernet::mac, report));
    if let (Some(endpoint), Some(service)) = (draft.endpoint, frame.address)
        && let Some(problem) = misfit(endpoint, service, draft.mode, frame.locals)
    {
        report.error(draft.place, problem);
    }
    draft
}

/// Why a backend can't serve a service.
fn misfit(
    backend: Endpoint,
    service: SocketAddr,
    mode: Option<ForwardingMode>,
    locals: Option<&[IpAddr]>,
) -> Option<Problem> {
    if backend.ip == service.ip() {
        return Some(Problem::new(
            format!(
                "the backend has the address of its service, {}",
                service.ip()
            ),
            "give the address that the backend has for itself alone",
        ));
    }
    let mode = mode?;
    let family = |v6| if v6 { "IPv6" } else { "IPv4" };
    let keeps_family = matches!(mode, ForwardingMode::Dr | ForwardingMode::Nat);
    if keeps_family && backend.ip.is_ipv6() != service.is_ipv6() {
        return Some(Problem::new(
            format!(
                "an {} backend in an {} service",
                family(backend.ip.is_ipv6()),
                family(service.is_ipv6())
            ),
            format!("mode {mode} keeps the family: give an address of the service's"),
        ));
    }
    match mode {
        ForwardingMode::Dr | ForwardingMode::Tun => match backend.port {
            Some(port) if port != service.port() => Some(Problem::new(
                format!(
                    "the backend has port {port}, its service {}",
                    service.port()
                ),
                format!(
                    "mode {mode} leaves the packet as it is: leave the port out, and let the backend \
                     listen on the service's"
                ),
            )),
            _ => None,
        },
        ForwardingMode::Nat => None,
        ForwardingMode::FullNat => {
            let locals = locals?;
            if locals.contains(&backend.ip) || locals.contains(&service.ip()) {
                return Some(Problem::new(
                    format!(
                        "{} is a local address, too",
                        if locals.contains(&backend.ip) {
                            backend.ip
                        } else {
                            service.ip()
                        }
                    ),
                    "give local addresses that nothing else has",
                ));
            }
            let fits = |ip: &IpAddr| ip.is_ipv6() == backend.ip.is_ipv6();
            (!locals.iter().any(fits)).then(|| {
                let family = family(backend.ip.is_ipv6());
                Problem::new(
                    format!("mode fullnat needs local addresses of {family} for this backend"),
                    "add `local_addresses` to the service: addresses of this machine that nothing else uses",
                )
            })
        }
    }
}

fn unique(drafts: &[Draft], frame: &Frame<'_>, report: &mut Report) {
    let mut seen = BTreeMap::new();
    for draft in drafts {
        let Some(Endpoint { ip, port }) = draft.endpoint else {
            continue;
        };
        let port = port.or(frame.address.map(|address| address.port()));
        if let Some(first) = seen.insert((ip, port), draft.place) {
            let shown = port.map_or(ip.to_string(), |port| SocketAddr::new(ip, port).to_string());
            let message = format!(
                "the backend {shown} is listed twice, {}",
                on_lines(first, draft.place)
            );
            report.error(
                draft.place,
                Problem::new(
                    message,
                    "list it once, with a larger weight if it is to get more",
                ),
            );
        }
    }
}

/// The rules of the weights together.
fn weights(drafts: &[Draft], frame: &Frame<'_>, place: Place, report: &mut Report) {
    let weights: Option<Vec<_>> = drafts.iter().map(|draft| draft.weight).collect();
    let Some(weights) = weights.filter(|weights| !weights.is_empty()) else {
        return;
    };
    if weights.iter().all(|&weight| weight == 0) {
        let help = "give at least one backend a weight above 0";
        report.warning(
            place,
            Problem::new("every weight is 0: the service takes no new flows", help),
        );
    } else if frame.scheduler == Some(Scheduler::Wrr) {
        let slots = ring_slots(&weights);
        if slots > Service::MAX_RING {
            let message = format!(
                "these weights need a ring of {slots} slots, more than {}",
                Service::MAX_RING
            );
            let help = "the slots are the sum of the weights by their greatest common divisor: \
                        pick weights with a larger one, such as 30, 20 and 10, or smaller weights";
            report.error(place, Problem::new(message, help));
        }
    }
}

/// Slots of the ring in which every backend stands as often as its weight says; not all weights are 0.
fn ring_slots(weights: &[u16]) -> u64 {
    let divisor = weights
        .iter()
        .fold(0, |divisor, &weight| gcd(divisor, u64::from(weight)));
    let sum: u64 = weights.iter().map(|&weight| u64::from(weight)).sum();
    sum / divisor.max(1)
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ring_is_the_sum_by_the_common_divisor() {
        assert_eq!(ring_slots(&[3, 2, 1]), 6);
        assert_eq!(ring_slots(&[30, 20, 0, 10]), 6);
        assert_eq!(ring_slots(&[65535]), 1);
        assert_eq!(ring_slots(&[65535, 65534]), 131_069);
        assert_eq!(ring_slots(&[0, 0]), 0);
    }
}

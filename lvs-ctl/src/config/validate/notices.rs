//! The rules of what the balancer itself sends to the senders of packets.

use lvs_common::NoBackend;

use super::super::{
    fields::Fields,
    model::{Notices, WithoutDf},
    names::choice,
    numbers,
    raw::Value,
    report::{Problem, Report},
};

/// The section `notices`.
pub(super) fn notices(fields: &Fields<'_>, report: &mut Report) -> Option<Notices> {
    let default = Notices::default();
    let Some(section) = fields.get("notices") else {
        return Some(default);
    };
    if section.node.value == Value::Nothing {
        return Some(default);
    }
    let known = &["rate", "rate_per_address", "without_df"];
    let fields = Fields::read(section.node, "`notices`", known, report)?;
    let rate = fields.optional("rate", default.rate, numbers::rate, report);
    let (name, to_one) = ("rate_per_address", default.rate_per_address);
    let rate_per_address = fields.optional(name, to_one, numbers::rate, report);
    let answer = |text: &str| choice(text, "answer", WithoutDf::ALL);
    let without_df = fields.optional("without_df", default.without_df, answer, report);
    let notices = Notices {
        rate: rate?,
        rate_per_address: rate_per_address?,
        without_df: without_df?,
    };
    unused(&fields, notices, report);
    Some(notices)
}

/// Warns of fields that change nothing.
fn unused(fields: &Fields<'_>, notices: Notices, report: &mut Report) {
    let Notices {
        rate,
        rate_per_address,
        ..
    } = notices;
    if notices.are_off() {
        let (off, others) = match (rate, rate_per_address) {
            (0, 0) => ("rate", &["without_df"][..]),
            (0, _) => ("rate", &["rate_per_address", "without_df"][..]),
            _ => ("rate_per_address", &["rate", "without_df"][..]),
        };
        for field in others.iter().filter_map(|name| fields.get(name)) {
            let name = field.name;
            let message = format!("`{name}` changes nothing: with `{off}: 0` nobody is told");
            let help = format!("leave `{name}` out, or give `{off}` a rate such as 100/s");
            report.warning(field.key, Problem::new(message, help));
        }
    } else if rate_per_address > rate {
        let own = fields.get("rate_per_address");
        let default = if own.is_none() { ", the default," } else { "" };
        let message = format!(
            "{rate_per_address}/s to one address{default} are more than {rate}/s to all: one address \
             may get them all"
        );
        let help = "give `rate_per_address` less than `rate`";
        if let Some(field) = own.or(fields.get("rate")) {
            report.warning(field.key, Problem::new(message, help));
        }
    }
}

/// The field `no_backend` of the configuration or a service.
pub(super) fn no_backend(
    fields: &Fields<'_>,
    default: NoBackend,
    notices_are_off: bool,
    report: &mut Report,
) -> Option<NoBackend> {
    let policy = |text: &str| choice(text, "policy", NoBackend::ALL);
    let chosen = fields.optional("no_backend", default, policy, report)?;
    if let Some(field) = fields.get("no_backend")
        && notices_are_off
        && chosen != NoBackend::Drop
    {
        let message = format!(
            "`no_backend: {chosen}` tells nobody: `notices` are switched off by a rate of 0"
        );
        let help = "write `no_backend: drop`, or give `notices` a rate";
        report.warning(field.key, Problem::new(message, help));
    }
    Some(chosen)
}

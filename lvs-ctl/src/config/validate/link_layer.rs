//! The rules of what frames to backends get.

use lvs_common::map::MAX_TAGS;

use super::super::{
    ethernet,
    fields::Fields,
    report::{Problem, Report},
};

/// The field `vlan` of a service or a backend: VLAN ids, outermost first, 0 where there is no tag.
pub(super) fn tags(
    fields: &Fields<'_>,
    default: Option<[u16; MAX_TAGS]>,
    report: &mut Report,
) -> Option<[u16; MAX_TAGS]> {
    let Some(field) = fields.get("vlan") else {
        return default;
    };
    let ids = field.one_or_each(("a VLAN id", "100"), ethernet::vlan, report)?;
    let mut tags = [0; MAX_TAGS];
    if ids.is_empty() || ids.len() > MAX_TAGS {
        let message = format!("a frame has one or two VLAN ids, these are {}", ids.len());
        let help = "write one id, or a list of two, outermost first, such as [100, 7]";
        report.error(field.key, Problem::new(message, help));
        return None;
    }
    for (tag, (_, id)) in tags.iter_mut().zip(ids) {
        *tag = id;
    }
    Some(tags)
}

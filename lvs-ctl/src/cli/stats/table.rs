//! Statistics as tables, for people.

use std::str::FromStr as _;

use comfy_table::{CellAlignment, Table, presets};
use lvs_common::{ForwardingMode, map::Notice};

use super::{Counts, Stats};

/// Services with their backends below them, then the reasons that have occurred, and the messages that the
/// balancer itself has sent or withheld.
pub(super) fn render(stats: &Stats) -> String {
    // Where nothing comes back by here, there is nothing to show.
    let answers = stats
        .services
        .iter()
        .flat_map(|service| &service.backends)
        .any(|backend| {
            ForwardingMode::from_str(backend.mode).is_ok_and(ForwardingMode::translates)
        });
    let columns = [
        "SERVICE",
        "MODE",
        "WEIGHT",
        "STATE",
        "ACTIVE",
        "INACTIVE",
        "CONNS",
        "PACKETS",
        "BYTES",
        "PKTS-OUT",
        "BYTES-OUT",
    ];
    let columns = if answers { &columns[..] } else { &columns[..9] };
    let mut table = plain_table(columns);
    for service in &stats.services {
        let up = service
            .backends
            .iter()
            .filter(|backend| backend.state == "up")
            .count();
        let title = format!(
            "{} {} {} {}",
            service.name, service.protocol, service.address, service.scheduler
        );
        let state = format!("{up}/{} up", service.backends.len());
        let head = [title, String::new(), String::new(), state];
        table.add_row(head.into_iter().chain(cells(service.counts, answers)));
        for backend in &service.backends {
            let head = [
                format!("  -> {}", backend.address),
                backend.mode.to_string(),
                backend.weight.to_string(),
                backend.state.to_string(),
            ];
            table.add_row(head.into_iter().chain(cells(backend.counts, answers)));
        }
    }
    align_right(&mut table, &[2, 4, 5, 6, 7, 8, 9, 10]);
    let mut reasons = plain_table(&["REASON", "VERDICT", "PACKETS", "BYTES"]);
    for reason in stats.reasons.iter().filter(|reason| reason.packets > 0) {
        let (packets, bytes) = (reason.packets.to_string(), reason.bytes.to_string());
        reasons.add_row([reason.name, reason.verdict, &packets, &bytes]);
    }
    align_right(&mut reasons, &[2, 3]);
    let tables = [Some(table), Some(reasons), notices(stats)];
    let texts = tables.iter().flatten().map(|table| table.trim_fmt() + "\n");
    texts.collect::<Vec<_>>().join("\n")
}

/// The messages, if there were any.
fn notices(stats: &Stats) -> Option<Table> {
    let mut table = plain_table(&["NOTICE", "MESSAGES"]);
    // In the order of their numbers: what was withheld comes last.
    let counts = Notice::ALL.map(|notice| (notice.as_str(), stats.notices.get(notice.as_str())));
    for (name, count) in counts {
        if let Some(count) = count.filter(|count| **count > 0) {
            table.add_row([name, &count.to_string()]);
        }
    }
    align_right(&mut table, &[1]);
    (!table.is_empty()).then_some(table)
}

/// The columns of numbers; `with_answers`: also what came back from backends.
fn cells(counts: Counts, with_answers: bool) -> impl Iterator<Item = String> {
    let Counts {
        active,
        inactive,
        connections,
        packets,
        bytes,
        packets_out,
        bytes_out,
    } = counts;
    let answers = [packets_out, bytes_out];
    [active, inactive, connections, packets, bytes]
        .into_iter()
        .chain(answers.into_iter().filter(move |_| with_answers))
        .map(|n| n.to_string())
}

fn plain_table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_header(header.iter().copied());
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table
}

fn align_right(table: &mut Table, columns: &[usize]) {
    for column in columns {
        if let Some(column) = table.column_mut(*column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::stats::{BackendStats, ReasonStats, ServiceStats};

    const COUNTS: Counts = Counts {
        active: 1,
        inactive: 2,
        connections: 3,
        packets: 40,
        bytes: 5_000,
        packets_out: 60,
        bytes_out: 7_000,
    };

    fn stats(mode: &'static str, notices: &[(&'static str, u64)]) -> Stats {
        Stats {
            version: 1,
            services: vec![ServiceStats {
                name: "web".to_owned(),
                protocol: "tcp",
                address: "10.0.0.29:80".to_owned(),
                scheduler: "wrr",
                counts: COUNTS,
                backends: vec![BackendStats {
                    address: "10.0.0.17:80".to_owned(),
                    mode,
                    weight: 3,
                    state: "up",
                    counts: COUNTS,
                }],
            }],
            reasons: ["sent", "local"]
                .into_iter()
                .zip([9, 0])
                .map(|(name, packets)| ReasonStats {
                    name,
                    verdict: "forward",
                    packets,
                    bytes: 90 * packets,
                })
                .collect(),
            flow_events: [("reused", 1)].into(),
            notices: notices.iter().copied().collect(),
        }
    }

    #[test]
    fn what_never_occurred_is_not_shown() {
        let quiet = render(&stats("dr", &[("too-big", 0), ("withheld", 0)]));
        assert!(
            !quiet.contains("NOTICE") && !quiet.contains("too-big"),
            "{quiet}"
        );
        assert!(
            quiet.contains("sent") && !quiet.contains("local"),
            "{quiet}"
        );

        let some = [("too-big", 12), ("reset", 0), ("withheld", 345)];
        let some = render(&stats("dr", &some));
        let expected = "\n\n\
            NOTICE    MESSAGES\n\
            too-big         12\n\
            withheld       345\n";
        assert!(some.ends_with(expected), "{some}");
    }

    #[test]
    fn what_comes_back_is_shown_where_it_comes_by() {
        let of = |mode| render(&stats(mode, &[]));
        assert!(!of("dr").contains("PKTS-OUT") && !of("dr").contains("7000"));
        assert!(of("nat").contains("PKTS-OUT") && of("nat").contains("7000"));
    }

    #[test]
    fn programs_are_told_every_count() {
        let json = serde_json::to_value(stats("dr", &[("too-big", 12), ("reset", 0)])).unwrap();
        let notices = serde_json::json!({"too-big": 12, "reset": 0});
        assert_eq!((&json["version"], &json["notices"]), (&1.into(), &notices));
    }
}

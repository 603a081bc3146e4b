//! What is accepted, and odd: nothing that is written is ignored without a word.

use lvs_ctl::config::Diagnostic;

use super::{loaded, valid};

/// The one warning about a text.
fn warning(text: &str) -> Diagnostic {
    let loaded = loaded(text);
    let [warning] = &*loaded.warnings else {
        panic!("{:?}\nin\n{text}", loaded.warnings)
    };
    assert!(warning.render(false).starts_with("warning: "));
    warning.clone()
}

/// A service with these fields, after these of the configuration.
fn service(all: &str, fields: &str) -> String {
    format!(
        "interfaces: [eth0]\n{all}services:\n  - address: 10.0.0.29:80\n    {fields}\n    \
         backends: [{{address: 10.0.0.17}}]\n"
    )
}

/// Text, line, column, words of the message.
const BACKENDS: &[(&str, usize, usize, &str)] = &[
    ("backends:\n", 4, 5, "no backends: it accepts nothing"),
    ("backends: []\n", 4, 5, "no backends"),
    ("\n", 3, 5, "no backends"),
    (
        "backends: [{address: 10.0.0.17, weight: 0}]\n",
        4,
        5,
        "every weight is 0",
    ),
    (
        "scheduler: rr\n    backends: [{address: 10.0.0.17, weight: 2}, {address: 10.0.0.18}]\n",
        5,
        5,
        "rr takes all weights above 0 for the same",
    ),
];

#[test]
fn backends_that_get_nothing_or_all_the_same() {
    for &(backends, line, column, words) in BACKENDS {
        let text =
            format!("interfaces: [eth0]\nservices:\n  - address: 10.0.0.29:80\n    {backends}");
        let warning = warning(&text);
        assert!(warning.message.contains(words), "{warning:?}");
        assert_eq!(
            (warning.line, warning.column),
            (line, column),
            "{warning:?}"
        );
    }
}

/// Fields of a service, line and column, words of the message.
const UNUSED: &[(&str, usize, usize, &str)] = &[
    (
        "tunnel_source: 172.16.0.0/16",
        4,
        5,
        "`tunnel_source` is for mode tun, which no backend here has",
    ),
    (
        "local_addresses: [10.0.0.200]",
        4,
        5,
        "`local_addresses` is for mode fullnat",
    ),
    (
        "local_ports: 5000-6000",
        4,
        5,
        "`local_ports` is for mode fullnat",
    ),
    (
        "timeouts: {tcp: 1m, udp: 1m}",
        4,
        25,
        "the timeout `udp` is for udp, and this is a tcp service",
    ),
    (
        "protocol: udp\n    timeouts: {tcp_fin: 1m, udp: 1m}",
        5,
        16,
        "the timeout `tcp_fin` is for tcp",
    ),
    (
        "protocol: udp\n    mid_stream: drop",
        5,
        5,
        "`mid_stream` is for tcp, and this is a udp service",
    ),
    (
        "protocol: udp\n    no_backend: reset",
        5,
        5,
        "a udp service can't reset",
    ),
];

#[test]
fn fields_that_change_nothing_of_a_service() {
    for &(fields, line, column, words) in UNUSED {
        let warning = warning(&service("", fields));
        assert!(warning.message.contains(words), "{warning:?}");
        assert_eq!(
            (warning.line, warning.column),
            (line, column),
            "{warning:?}"
        );
        assert!(warning.help.is_some(), "{warning:?}");
    }
}

#[test]
fn what_holds_for_all_services_need_not_fit_each() {
    let all = "timeouts: {tcp: 1m, udp: 1m}\nmid_stream: drop\nno_backend: reset\n";
    for protocol in ["tcp", "udp"] {
        valid(&service(all, &format!("protocol: {protocol}")));
    }
    valid(&service("", "protocol: udp\n    no_backend: drop"));
    valid(
        &service("", "scheduler: rr")
            .replace("17}", "17, weight: 7}, {address: 10.0.0.18, weight: 0}"),
    );
    let by_one = "17, mode: fullnat}, {address: 10.0.0.18}";
    valid(&service("", "local_addresses: [10.0.0.200]").replace("17}", by_one));
}

#[test]
fn notices_that_nobody_gets() {
    for (section, column, words) in [
        (
            "{rate: 0, rate_per_address: 5/s}",
            20,
            "`rate_per_address` changes nothing: with `rate: 0` nobody is told",
        ),
        (
            "{rate: 5/s, rate_per_address: 0}",
            11,
            "`rate` changes nothing: with `rate_per_address: 0`",
        ),
        (
            "{rate: 0, without_df: answer}",
            20,
            "`without_df` changes nothing",
        ),
        (
            "{rate: 5/s, rate_per_address: 6/s}",
            22,
            "6/s to one address are more than 5/s to all",
        ),
        // That of an address has its default.
        (
            "{rate: 9/s}",
            11,
            "10/s to one address, the default, are more than 9/s",
        ),
    ] {
        let warning = warning(&service(&format!("notices: {section}\n"), "name: web"));
        assert!(warning.message.contains(words), "{section}: {warning:?}");
        assert_eq!((warning.line, warning.column), (2, column), "{section}");
    }
}

#[test]
fn a_policy_that_tells_without_notices() {
    let off = "notices: {rate: 0}\n";
    let of_service = warning(&service(off, "no_backend: reset"));
    assert!(
        of_service
            .message
            .contains("`no_backend: reset` tells nobody")
    );
    assert_eq!((of_service.line, of_service.column), (5, 5));
    let of_all = warning(&service(
        &format!("no_backend: unreachable\n{off}"),
        "name: web",
    ));
    assert_eq!((of_all.line, of_all.column), (2, 1));
    valid(&service(&format!("no_backend: drop\n{off}"), "name: web"));
}

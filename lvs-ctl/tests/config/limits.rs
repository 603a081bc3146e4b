//! How large a configuration may be.

use std::fmt::Write as _;

use super::{findings, loaded, valid};

/// So many services with so many backends each.
fn large(services: usize, backends: usize) -> String {
    let mut text = "interfaces: [eth0]\nservices:\n".to_owned();
    for service in 0..services {
        let (high, low) = (service / 250, service % 250 + 1);
        writeln!(text, "  - address: 192.168.{high}.{low}:80\n    backends:").expect("text grows");
        for backend in 0..backends {
            let (high, low) = (backend / 250, backend % 250 + 1);
            writeln!(
                text,
                "      - address: 10.{}.{high}.{low}\n        weight: 7",
                service % 250
            )
            .expect("text grows");
        }
    }
    text
}

fn messages(text: &str) -> Vec<String> {
    findings(text)
        .into_iter()
        .map(|found| found.message)
        .collect()
}

#[test]
fn the_largest_configuration_is_accepted() {
    assert_eq!(valid(&large(4_096, 15)).services.len(), 4_096);
    assert_eq!(valid(&large(1, 1_024)).services.len(), 1);
}

#[test]
fn one_more_of_anything_is_not() {
    assert_eq!(
        messages(&large(4_097, 1)),
        ["4097 services are more than 4096"]
    );
    assert_eq!(
        messages(&large(1, 1_025)),
        ["1025 backends are more than 1024 in one service"]
    );
    assert_eq!(
        messages(&large(64, 1_024)),
        ["65536 backends of all services together are more than 65535"]
    );
}

#[test]
fn tunnels_end_at_so_many_addresses_and_come_from_so_many() {
    let decap = |endpoints: u32, from: u32| {
        let list = |net: &str, count: u32| {
            let items: Vec<_> = (0..count)
                .map(|n| format!("10.{net}.{}.{}", n / 256, n % 256))
                .collect();
            items.join(", ")
        };
        format!(
            "decap: {{endpoints: [{}], from: [{}]}}\n{}",
            list("1", endpoints),
            list("2", from),
            large(1, 1)
        )
    };
    assert!(valid(&decap(1_024, 65_536)).decap.is_some());
    assert_eq!(
        messages(&decap(1_025, 1)),
        ["1025 entries of `endpoints` are more than 1024"]
    );
}

#[test]
fn many_services_can_share_a_pool() {
    let mut text = large(1, 16).replace("backends:", "backends: &pool");
    for service in 1..4_000 {
        writeln!(
            text,
            "  - {{address: 192.168.0.1:{}, backends: *pool}}",
            service + 1_000
        )
        .expect("text grows");
    }
    assert_eq!(valid(&text).services.len(), 4_000);
}

#[test]
fn a_ring_has_65536_slots_at_most() {
    let with = |first: u32, second: u32, scheduler: &str| {
        format!(
            "interfaces: [eth0]\nservices:\n  - address: 10.0.0.29:80\n    scheduler: {scheduler}\n    backends:\n      \
             - {{address: 10.0.0.1, weight: {first}}}\n      - {{address: 10.0.0.2, weight: {second}}}\n"
        )
    };
    valid(&with(65_535, 1, "wrr"));
    valid(&with(65_534, 65_532, "wrr"));
    let warned = loaded(&with(65_535, 2, "rr")).warnings;
    assert!(warned[0].message.contains("scheduler rr"), "{warned:?}");
    let found = findings(&with(65_535, 2, "wrr"));
    assert_eq!((found[0].line, found[0].column), (5, 5));
    assert_eq!(
        found[0].message,
        "these weights need a ring of 65537 slots, more than 65536"
    );
    assert!(
        found[0]
            .help
            .as_ref()
            .expect("help")
            .contains("greatest common divisor")
    );
}

//! Cells that the table cannot have, and what of the others cannot be seen.
//!
//! * DR and NAT between families: [`impossible`](super::table::impossible) says why. The configuration
//!   refuses such backends, which is tested here.
//! * Answers of DR and TUN: they do not come by the balancer.
//! * IPv4 options, "don't fragment", and UDP without a checksum in packets of IPv6; flow labels in those
//!   of IPv4: they have none. [`loads`](super::table::loads) leaves them out.
//! * Where a redirected frame goes: `BPF_PROG_TEST_RUN` tells the verdict alone. That the interface is the
//!   right one is seen by the scenarios in the lab.
//! * Answers of a backend that is this machine: see [`local`](super::local).

use lvs_common::ForwardingMode;
use lvs_ctl::config;

use super::{
    network::{backend, local, vip},
    table::{Pair, impossible},
};

fn configuration(mode: ForwardingMode, pair: Pair) -> String {
    let locals = match mode {
        ForwardingMode::FullNat => format!("    local_addresses: [\"{}\"]\n", local(pair.backend)),
        _ => String::new(),
    };
    format!(
        "interfaces: [eth0]\nservices:\n  - name: web\n    protocol: tcp\n    address: \"{}\"\n    \
         scheduler: rr\n    mode: {mode}\n{locals}    backends:\n      - {{address: \"{}\"}}\n",
        vip(pair.client, 80),
        backend(pair.backend, 80).ip(),
    )
}

#[test]
fn the_configuration_refuses_what_cannot_be() {
    for (mode, pair) in ForwardingMode::ALL
        .iter()
        .flat_map(|m| Pair::ALL.map(|p| (*m, p)))
    {
        let text = configuration(mode, pair);
        let judged = config::parse(&text, "lvs.yaml");
        match (impossible(mode, pair), judged) {
            (None, Ok(_)) => {}
            (Some(_), Err(found)) => {
                let found = found.to_string();
                let says = format!("mode {mode} keeps the family");
                assert!(found.contains(&says), "{mode}, {pair}: {found}");
            }
            (None, Err(found)) => panic!("{mode}, {pair}: {found}"),
            (Some(why), Ok(_)) => panic!("{mode}, {pair} is taken, but {why}"),
        }
    }
}

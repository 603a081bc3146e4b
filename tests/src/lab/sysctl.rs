//! The kernel's network settings inside a namespace.

use std::fs;

use anyhow::{Context as _, Result};

use super::namespace::Namespace;

/// For every machine, before it gets its interface. Written for `all` and `default`: whichever the kernel
/// looks at, and whatever the machine around the lab has set.
const EVERYWHERE: [(&str, &str); 7] = [
    // DR: a backend has the VIP on lo and must neither answer for it nor speak with it in ARP.
    ("ipv4/conf/*/arp_ignore", "1"),
    ("ipv4/conf/*/arp_announce", "2"),
    ("ipv4/conf/*/rp_filter", "0"),
    ("ipv4/conf/*/send_redirects", "0"),
    ("ipv6/conf/*/disable_ipv6", "0"),
    // An address is there when the lab says so, not a second later.
    ("ipv6/conf/*/accept_dad", "0"),
    ("ipv6/conf/*/router_solicitations", "0"),
];

/// Settings of the machine every lab host is.
pub(super) fn for_host(namespace: &Namespace) -> Result<()> {
    write(namespace, &EVERYWHERE)?;
    // Lets ping work without a raw socket.
    write(namespace, &[("ipv4/ping_group_range", "0 2147483647")])
}

/// A client that never uses a port again within a minute: every request is a new flow to the balancer.
pub(super) fn for_client(namespace: &Namespace) -> Result<()> {
    write(
        namespace,
        &[
            ("ipv4/ip_local_port_range", "1024 65535"),
            ("ipv4/tcp_tw_reuse", "0"),
            ("ipv4/tcp_max_tw_buckets", "262144"),
        ],
    )
}

/// A machine that also routes.
pub(super) fn for_router(namespace: &Namespace) -> Result<()> {
    write(
        namespace,
        &[("ipv4/ip_forward", "1"), ("ipv6/conf/*/forwarding", "1")],
    )
}

/// Writes settings named relative to /proc/sys/net, where `*` stands for `all` and `default`.
fn write(namespace: &Namespace, settings: &[(&str, &str)]) -> Result<()> {
    namespace.run(|| {
        for &(name, value) in settings {
            for scope in ["all", "default"] {
                let path = format!("/proc/sys/net/{}", name.replace('*', scope));
                fs::write(&path, value)
                    .with_context(|| format!("could not write {value} to {path}"))?;
            }
        }
        Ok(())
    })
}

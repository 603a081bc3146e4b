//! Cables and switches: veth pairs and a bridge, by iproute2.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::command::output;
use super::host::Mac;
use super::namespace::Namespace;
use super::wait;

/// The bridge's name inside its namespace.
const BRIDGE: &str = "br0";

/// Runs `ip` with the words of `line`.
pub(super) fn ip(namespace: &Namespace, line: &str) -> Result<String> {
    output(namespace.command("ip").args(line.split_whitespace()))
}

/// Makes the bridge: one that forwards from the first frame on and floods multicast like a plain switch.
pub(super) fn bridge(switch: &Namespace) -> Result<()> {
    ip(
        switch,
        &format!("link add {BRIDGE} type bridge stp_state 0 forward_delay 0 mcast_snooping 0"),
    )?;
    ip(switch, &format!("link set {BRIDGE} up")).map(drop)
}

/// A cable from the bridge (its end is called `port`) to an interface of another namespace.
pub(super) fn cable(
    switch: &Namespace,
    port: &str,
    namespace: &Namespace,
    device: &str,
    mac: Mac,
) -> Result<()> {
    let far = namespace.path();
    ip(
        switch,
        &format!(
            "link add {port} master {BRIDGE} type veth peer name {device} address {mac} netns {far}"
        ),
    )?;
    // XDP sees a frame before a veth would have filled in its checksum or its VLAN tag: neither may be left
    // to "hardware". Without checksum offload there is no TSO either.
    for (end, name) in [(switch, port), (namespace, device)] {
        output(
            end.command("ethtool")
                .args(["-K", name, "tx", "off", "txvlan", "off", "rxvlan", "off"]),
        )?;
        ip(end, &format!("link set {name} up"))?;
    }
    wait_for_state(switch, port, "forwarding")
}

/// Lets a port of the bridge carry frames or not. The machine behind it keeps its carrier and its addresses.
pub(super) fn set_carrying(switch: &Namespace, port: &str, carrying: bool) -> Result<()> {
    let (state, name) = if carrying {
        ("3", "forwarding")
    } else {
        ("0", "disabled")
    };
    output(
        switch
            .command("bridge")
            .args(["link", "set", "dev", port, "state", state]),
    )?;
    wait_for_state(switch, port, name)
}

/// The XDP program attached to an interface, as `ip -j link` describes it.
pub(super) fn xdp(namespace: &Namespace, device: &str) -> Result<Option<Value>> {
    let text = ip(namespace, &format!("-j link show dev {device}"))?;
    let links: Value = serde_json::from_str(&text)
        .with_context(|| format!("`ip -j link` printed no JSON: {text}"))?;
    ensure!(
        links[0]["ifname"] == device,
        "`ip -j link show dev {device}` printed something else: {text}"
    );
    Ok(links[0].get("xdp").cloned())
}

fn wait_for_state(switch: &Namespace, port: &str, state: &str) -> Result<()> {
    wait::until(
        &format!("bridge port {port} to be {state}"),
        Duration::from_secs(5),
        || {
            let text = output(
                switch
                    .command("bridge")
                    .args(["-j", "link", "show", "dev", port]),
            )?;
            Ok(text.contains(&format!("\"state\":\"{state}\"")))
        },
    )
}

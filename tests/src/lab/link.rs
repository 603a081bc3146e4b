//! Cables and switches: veth pairs and a bridge, by iproute2.

use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::command::output;
use super::mac::Mac;
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

/// Gives an interface one more address, usable at once.
pub(super) fn add_address(
    namespace: &Namespace,
    device: &str,
    address: IpAddr,
    prefix: u8,
) -> Result<()> {
    let nodad = if address.is_ipv6() { "nodad" } else { "" };
    ip(
        namespace,
        &format!("address add {address}/{prefix} dev {device} {nodad}"),
    )
    .map(drop)
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
    Ok(show(namespace, device)?.get("xdp").cloned())
}

/// The bytes that an interface has received.
pub(super) fn received(namespace: &Namespace, device: &str) -> Result<u64> {
    let link = show(namespace, device)?;
    let bytes = &link["stats64"]["rx"]["bytes"];
    bytes
        .as_u64()
        .with_context(|| format!("`ip -s -j link show dev {device}` counts no bytes: {link}"))
}

/// What `ip -s -j link` says about an interface.
fn show(namespace: &Namespace, device: &str) -> Result<Value> {
    let text = ip(namespace, &format!("-s -j link show dev {device}"))?;
    let mut links: Value = serde_json::from_str(&text)
        .with_context(|| format!("`ip -s -j link` printed no JSON: {text}"))?;
    ensure!(
        links[0]["ifname"] == device,
        "`ip -s -j link show dev {device}` printed something else: {text}"
    );
    Ok(links[0].take())
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

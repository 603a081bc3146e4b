//! Configuration files for `lvs-ctl`, written the way a person would.

use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};

use lvs_common::Family;

use super::host::Host;

/// One service of a configuration.
#[derive(Clone, Debug)]
pub struct Service {
    name: String,
    protocol: &'static str,
    address: SocketAddr,
    scheduler: &'static str,
    mode: &'static str,
    local_addresses: Vec<IpAddr>,
    backend_port: Option<u16>,
    backends: Vec<(IpAddr, u32)>,
}

impl Service {
    /// A DR service that schedules by `wrr`, without backends.
    pub fn new(name: &str, protocol: &'static str, address: SocketAddr) -> Self {
        Self {
            name: name.to_owned(),
            protocol,
            address,
            scheduler: "wrr",
            mode: "dr",
            local_addresses: Vec::new(),
            backend_port: None,
            backends: Vec::new(),
        }
    }

    /// Schedules by another scheduler.
    #[must_use]
    pub fn scheduler(mut self, scheduler: &'static str) -> Self {
        self.scheduler = scheduler;
        self
    }

    /// Forwards in another mode.
    #[must_use]
    pub fn mode(mut self, mode: &'static str) -> Self {
        self.mode = mode;
        self
    }

    /// Adds a local address.
    #[must_use]
    pub fn local_address(mut self, address: impl Into<IpAddr>) -> Self {
        self.local_addresses.push(address.into());
        self
    }

    /// Sets the port of all backends.
    #[must_use]
    pub fn backend_port(mut self, port: u16) -> Self {
        self.backend_port = Some(port);
        self
    }

    /// Adds a backend.
    #[must_use]
    pub fn backend(mut self, address: impl Into<IpAddr>, weight: u32) -> Self {
        self.backends.push((address.into(), weight));
        self
    }

    /// Adds machines by their addresses of a family, with these weights.
    #[must_use]
    pub fn hosts(self, hosts: &[Host], family: Family, weights: &[u32]) -> Self {
        hosts
            .iter()
            .zip(weights)
            .fold(self, |service, (host, &weight)| {
                service.backend(host.address(family), weight)
            })
    }
}

/// The part of a configuration that says where tunnels end and where they come from; it goes before the rest.
pub fn decap(endpoint: impl Into<IpAddr>, from: impl Into<IpAddr>) -> String {
    format!(
        "decap:\n  endpoints: [\"{}\"]\n  from: [\"{}\"]\n",
        endpoint.into(),
        from.into()
    )
}

/// The YAML of a configuration.
pub fn yaml(interfaces: &[&str], services: &[Service]) -> String {
    let mut text = format!("interfaces: [{}]\nservices:\n", interfaces.join(", "));
    for Service {
        name,
        protocol,
        address,
        scheduler,
        mode,
        local_addresses,
        backend_port,
        backends,
    } in services
    {
        let mut line =
            |words: std::fmt::Arguments<'_>| writeln!(text, "{words}").unwrap_or_default();
        line(format_args!("  - name: {name}"));
        line(format_args!("    protocol: {protocol}"));
        // Quoted: a bare [fd00::29]:80 would begin a list.
        line(format_args!("    address: \"{address}\""));
        line(format_args!("    scheduler: {scheduler}"));
        line(format_args!("    mode: {mode}"));
        if !local_addresses.is_empty() {
            line(format_args!("    local_addresses:"));
        }
        for local in local_addresses {
            line(format_args!("      - \"{local}\""));
        }
        line(format_args!("    backends:"));
        for (address, weight) in backends {
            let address = backend_port.map_or(address.to_string(), |port| {
                SocketAddr::new(*address, port).to_string()
            });
            line(format_args!(
                "      - {{address: \"{address}\", weight: {weight}}}"
            ));
        }
    }
    text
}

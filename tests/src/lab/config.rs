//! Configuration files for `lvs-ctl`, written the way a person would.

use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};

/// One service of a configuration.
#[derive(Clone, Debug)]
pub struct Service {
    name: String,
    protocol: &'static str,
    address: SocketAddr,
    scheduler: &'static str,
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
            backends: Vec::new(),
        }
    }

    /// Schedules by another scheduler.
    #[must_use]
    pub fn scheduler(mut self, scheduler: &'static str) -> Self {
        self.scheduler = scheduler;
        self
    }

    /// Adds a backend.
    #[must_use]
    pub fn backend(mut self, address: impl Into<IpAddr>, weight: u32) -> Self {
        self.backends.push((address.into(), weight));
        self
    }
}

/// The YAML of a configuration.
pub fn yaml(interfaces: &[&str], services: &[Service]) -> String {
    let mut text = format!("interfaces: [{}]\nservices:\n", interfaces.join(", "));
    for Service {
        name,
        protocol,
        address,
        scheduler,
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
        line(format_args!("    mode: dr"));
        line(format_args!("    backends:"));
        for (address, weight) in backends {
            line(format_args!(
                "      - {{address: \"{address}\", weight: {weight}}}"
            ));
        }
    }
    text
}

//! What `lvs-ctl stats -o json` says.

use std::net::IpAddr;

use anyhow::{Context as _, Result};
use serde::Deserialize;

/// The whole answer.
#[derive(Clone, Debug, Deserialize)]
pub struct Stats {
    /// The version of this shape.
    pub version: u32,
    /// Every service, in the order of the configuration.
    pub services: Vec<Service>,
    /// Why packets left the program the way they did.
    pub reasons: Vec<Reason>,
}

/// One virtual service.
#[derive(Clone, Debug, Deserialize)]
pub struct Service {
    /// Its name in the configuration.
    pub name: String,
    /// tcp or udp.
    pub protocol: String,
    /// The virtual address and port.
    pub address: String,
    /// The scheduler's LVS name.
    pub scheduler: String,
    /// Connections so far.
    pub connections: u64,
    /// Connections now in an active state.
    pub active: u64,
    /// Connections now in an inactive state.
    pub inactive: u64,
    /// Packets so far.
    pub packets: u64,
    /// Bytes so far.
    pub bytes: u64,
    /// Packets that backends sent, so far.
    pub packets_out: u64,
    /// Bytes of these.
    pub bytes_out: u64,
    /// Its backends, in the order of the configuration.
    pub backends: Vec<Backend>,
}

/// One backend of a service.
#[derive(Clone, Debug, Deserialize)]
pub struct Backend {
    /// Its address.
    pub address: String,
    /// The forwarding mode.
    pub mode: String,
    /// Its weight.
    pub weight: u32,
    /// Whether it takes new flows, in one word.
    pub state: String,
    /// Connections now in an active state.
    pub active: u64,
    /// Connections now in an inactive state.
    pub inactive: u64,
    /// Connections so far.
    pub connections: u64,
    /// Packets so far.
    pub packets: u64,
    /// Bytes so far.
    pub bytes: u64,
    /// Packets that it sent, so far.
    pub packets_out: u64,
    /// Bytes of these.
    pub bytes_out: u64,
}

/// One reason's counters.
#[derive(Clone, Debug, Deserialize)]
pub struct Reason {
    /// The reason's name.
    pub name: String,
    /// Packets so far.
    pub packets: u64,
    /// Bytes so far.
    pub bytes: u64,
}

impl Stats {
    /// Reads the JSON.
    pub fn parse(json: &str) -> Result<Self> {
        serde_json::from_str(json).with_context(|| {
            format!("`lvs-ctl stats -o json` printed another shape than expected: {json}")
        })
    }

    /// The service of this name.
    pub fn service(&self, name: &str) -> Result<&Service> {
        self.services
            .iter()
            .find(|service| service.name == name)
            .with_context(|| format!("no service {name} in {self:?}"))
    }

    /// The packets that left for this reason so far; 0 for one that isn't listed.
    pub fn reason(&self, name: &str) -> u64 {
        self.reasons
            .iter()
            .find(|reason| reason.name == name)
            .map_or(0, |reason| reason.packets)
    }

    /// The reasons that packets left for, and how many.
    pub fn reasons_seen(&self) -> Vec<(&str, u64)> {
        let seen = self.reasons.iter().filter(|reason| reason.packets > 0);
        seen.map(|reason| (reason.name.as_str(), reason.packets))
            .collect()
    }
}

impl Service {
    /// The backend of this address, whether or not it is shown with a port.
    pub fn backend(&self, address: impl Into<IpAddr>) -> Result<&Backend> {
        let address = address.into();
        let bare = address.to_string();
        let with_port = if address.is_ipv6() {
            format!("[{address}]:")
        } else {
            format!("{address}:")
        };
        self.backends
            .iter()
            .find(|backend| backend.address == bare || backend.address.starts_with(&with_port))
            .with_context(|| format!("no backend {address} in {self:?}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::VIP6;

    #[test]
    fn a_backend_is_found_with_and_without_port() {
        let backend = |address: &str| {
            format!(
                r#"{{"address":"{address}","mode":"dr","weight":1,"state":"up","active":0,"inactive":0,"connections":7,"packets":0,"bytes":0,"packets_out":0,"bytes_out":0}}"#
            )
        };
        let json = format!(
            r#"{{"version":1,"reasons":[],"services":[{{"name":"web","protocol":"tcp","address":"10.0.0.29:80","scheduler":"wrr",
            "connections":7,"active":0,"inactive":0,"packets":0,"bytes":0,"packets_out":0,"bytes_out":0,"backends":[{},{}]}}]}}"#,
            backend("10.0.0.1"),
            backend("[fd00::29]:80"),
        );
        let stats = Stats::parse(&json).expect("valid");
        let web = stats.service("web").expect("there");
        assert!(web.backend([10, 0, 0, 1]).is_ok());
        assert!(web.backend(VIP6).is_ok());
        assert!(web.backend([10, 0, 0, 17]).is_err());
        assert!(stats.service("dns").is_err());
    }
}

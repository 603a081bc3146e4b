//! The network of the lab: client, balancer and backends on one Ethernet segment, set up for DR.

use std::net::{Ipv4Addr, Ipv6Addr};

use anyhow::{Context as _, Result, ensure};

use super::host::{Host, addresses};
use super::link;
use super::namespace::Namespace;
use super::sysctl;
use super::xdp_pass::XdpPass;

/// The virtual IPv4 address of every lab.
pub const VIP4: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 29);
/// The virtual IPv6 address of every lab.
pub const VIP6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 0x29);

pub(super) const PREFIX4: u8 = 24;
pub(super) const PREFIX6: u8 = 64;
const CLIENT: u8 = 100;
const BALANCER: u8 = 2;
/// Backends are numbered from here, leaving out the VIP.
const FIRST_BACKEND: u8 = 17;

/// A running segment; dropping it removes it.
#[derive(Debug)]
pub struct Segment {
    /// Where requests come from.
    pub client: Host,
    /// Where `lvs-ctl` runs, on the interface `lb0`, which also has the VIPs.
    pub balancer: Host,
    /// 10.0.0.17 and on; each has the VIPs on its lo.
    pub backends: Vec<Host>,
    switch: Namespace,
    _pass: XdpPass,
}

/// What a segment shall look like.
#[derive(Clone, Debug)]
pub struct SegmentBuilder {
    backends: usize,
    unplugged: Vec<usize>,
}

impl Segment {
    /// A segment of three backends, if nothing else is said.
    pub fn builder() -> SegmentBuilder {
        SegmentBuilder {
            backends: 3,
            unplugged: Vec::new(),
        }
    }

    /// Whether an XDP program is attached to the switch's end of a machine's cable.
    pub fn switch_port_has_xdp(&self, host: &Host) -> Result<bool> {
        Ok(link::xdp(&self.switch, &host.name)?.is_some())
    }
}

impl SegmentBuilder {
    /// Sets the number of backends.
    #[must_use]
    pub fn backends(mut self, count: usize) -> Self {
        self.backends = count;
        self
    }

    /// Leaves backend `index` (from 0) off the segment until [`Host::plug`].
    #[must_use]
    pub fn unplugged(mut self, index: usize) -> Self {
        self.unplugged.push(index);
        self
    }

    /// Builds the segment; when this returns, every machine on it can reach every other.
    pub fn build(&self) -> Result<Segment> {
        let numbers: Vec<u8> = (FIRST_BACKEND..CLIENT)
            .filter(|&last| addresses(last).0 != VIP4)
            .take(self.backends)
            .collect();
        ensure!(
            numbers.len() == self.backends,
            "a segment has room for {} backends, not {}",
            numbers.len(),
            self.backends
        );

        let switch = Namespace::new()?;
        link::bridge(&switch)?;

        let client = Host::new(&switch, "client".to_owned(), "eth0", CLIENT)?;
        sysctl::for_client(&client.namespace)?;

        let balancer = Host::new(&switch, "balancer".to_owned(), "lb0", BALANCER)?;
        sysctl::for_balancer(&balancer.namespace)?;
        let pass = XdpPass::attach(&switch, &balancer.name)?;
        add_vips(&balancer, balancer.device)?;

        let backends = numbers
            .iter()
            .map(|&last| {
                let backend = Host::new(&switch, format!("backend-{last}"), "eth0", last)?;
                add_vips(&backend, "lo")?;
                Ok(backend)
            })
            .collect::<Result<Vec<_>>>()?;
        for &index in &self.unplugged {
            backends
                .get(index)
                .with_context(|| format!("there is no backend {index} to leave unplugged"))?
                .unplug()?;
        }
        Ok(Segment {
            client,
            balancer,
            backends,
            switch,
            _pass: pass,
        })
    }
}

fn add_vips(host: &Host, device: &str) -> Result<()> {
    host.ip(&format!("address add {VIP4}/32 dev {device}"))?;
    // Deprecated: still answered for, but never the source of what the machine itself sends, for which a /128
    // would otherwise be preferred to the machine's own /64.
    host.ip(&format!(
        "address add {VIP6}/128 dev {device} nodad preferred_lft 0"
    ))
    .map(drop)
}

//! The network of the lab: client, balancer and backends on one Ethernet segment, set up for DR.

use anyhow::{Context as _, Result, ensure};

use super::host::Host;
use super::network::{Network, VIP4, addresses};
use super::sysctl;
use super::xdp_pass::XdpPass;

/// The number of its network.
const NETWORK: u8 = 0;
pub(super) const CLIENT: u8 = 100;
pub(super) const BALANCER: u8 = 2;
/// Backends are numbered from here, leaving out the VIP.
pub(super) const FIRST_BACKEND: u8 = 17;

/// A running segment; dropping it removes it.
#[derive(Debug)]
pub struct Segment {
    /// Where requests come from.
    pub client: Host,
    /// Where `lvs-ctl` runs, on the interface `lb0`, which also has the VIPs.
    pub balancer: Host,
    /// 10.0.0.17 and on; each has the VIPs on its lo.
    pub backends: Vec<Host>,
    /// What they are plugged into.
    pub network: Network,
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
            .filter(|&last| addresses(NETWORK, last).0 != VIP4)
            .take(self.backends)
            .collect();
        ensure!(
            numbers.len() == self.backends,
            "a segment has room for {} backends, not {}",
            numbers.len(),
            self.backends
        );

        let network = Network::new(NETWORK)?;

        let client = Host::new(&network, "client".to_owned(), "eth0", CLIENT)?;
        sysctl::for_client(&client.namespace)?;

        let balancer = Host::new(&network, "balancer".to_owned(), "lb0", BALANCER)?;
        sysctl::for_router(&balancer.namespace)?;
        let pass = balancer.let_xdp_send()?;
        balancer.add_vips(balancer.device)?;

        let backends = numbers
            .iter()
            .map(|&last| Host::backend(&network, last))
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
            network,
            _pass: pass,
        })
    }
}

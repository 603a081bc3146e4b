//! A client that is not on the balancer's network.

use anyhow::Result;

use super::host::Host;
use super::network::{Interface, Network};
use super::segment::CLIENT;
use super::sysctl;

/// A client on a network of its own, behind a router.
///
/// ```text
///   far-client 10.0.9.100 ---- 10.0.9.1 router 10.0.0.1 ---- the other network
/// ```
#[derive(Debug)]
pub struct Outside {
    /// Where requests come from.
    pub client: Host,
    /// The router; its interface `eth0` is the one on the other network.
    pub router: Host,
    /// The router's interface on the client's network.
    pub gateway: Interface,
}

impl Outside {
    /// Makes network `number` with a client, and the router to it on `network`, whose machines need a route.
    pub fn beyond(network: &Network, number: u8) -> Result<Self> {
        let far = Network::new(number)?;
        let (router, gateway) = Host::router(network, &far)?;
        let client = Host::new(&far, "far-client".to_owned(), "eth0", CLIENT)?;
        sysctl::for_client(&client.namespace)?;
        client.route_by(gateway.ipv4, gateway.ipv6)?;
        Ok(Self {
            client,
            router,
            gateway,
        })
    }

    /// Has the link between router and client carry no more than so many bytes, which neither tells anybody
    /// before a packet is too big.
    pub fn narrow(&self, mtu: u32) -> Result<()> {
        let (client, device) = (&self.client, self.client.device);
        self.router
            .ip(&format!("link set {} mtu {mtu}", self.gateway.device))?;
        client.ip(&format!("link set {device} mtu {mtu}"))?;
        let (via4, via6) = (self.gateway.ipv4, self.gateway.ipv6);
        client.ip(&format!("route replace default via {via4} advmss 1460"))?;
        client.ip(&format!("-6 route replace default via {via6} advmss 1440"))?;
        Ok(())
    }
}

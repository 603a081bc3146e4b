//! A client that is not on the balancer's network.

use anyhow::Result;

use super::host::Host;
use super::mode::TUNNELLED_MTU;
use super::network::{Interface, Network, VIP4, VIP6};
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

    /// Has the client leave room for an outer header in packets for the VIPs.
    pub fn leave_room(&self) -> Result<()> {
        let (via4, via6) = (self.gateway.ipv4, self.gateway.ipv6);
        let client = &self.client;
        client.ip(&format!("route add {VIP4} via {via4} mtu {TUNNELLED_MTU}"))?;
        client.ip(&format!("route add {VIP6} via {via6} mtu {TUNNELLED_MTU}"))?;
        Ok(())
    }
}

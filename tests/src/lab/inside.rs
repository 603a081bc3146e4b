//! The network behind a balancer with two interfaces.

use anyhow::Result;

use super::host::Host;
use super::mode;
use super::network::{Interface, Network};
use super::segment::{BALANCER, FIRST_BACKEND};
use super::sysctl;
use super::xdp_pass::XdpPass;

/// Backends on a network of their own, on which a machine of another one has a second interface.
///
/// ```text
///                              +--- backend-1.17 10.0.1.17
///   10.0.0.2 balancer 10.0.1.2-+
///        lb0          lb1      +--- backend-1.18 10.0.1.18
/// ```
#[derive(Debug)]
pub struct Inside {
    /// What the backends are plugged into.
    pub network: Network,
    /// The balancer's interface `lb1` there.
    pub balancer: Interface,
    /// 10.0.N.17 and on; each has the VIPs on its lo, and no route to another network.
    pub backends: Vec<Host>,
    _passes: Vec<XdpPass>,
}

impl Inside {
    /// Makes network `number` behind a machine, which becomes one that can route and can balance.
    pub fn behind(balancer: &Host, number: u8, backends: u8) -> Result<Self> {
        let network = Network::new(number)?;
        sysctl::for_router(&balancer.namespace)?;
        let interface = balancer.join(&network, "lb1", BALANCER)?;
        let mut passes = vec![network.let_xdp_send(&balancer.name)?];
        if !balancer.port_has_xdp()? {
            passes.push(balancer.let_xdp_send()?);
        }
        let backends = (FIRST_BACKEND..FIRST_BACKEND + backends)
            .map(|last| Host::backend(&network, last))
            .collect::<Result<_>>()?;
        Ok(Self {
            network,
            balancer: interface,
            backends,
            _passes: passes,
        })
    }

    /// Gives the balancer `host` the addresses on this network that packets of FULLNAT come from.
    pub fn add_locals(&self, host: &Host) -> Result<()> {
        mode::add_locals(host, self.balancer.device, &self.network)
    }

    /// Has the backends answer through the balancer.
    pub fn answer_by_balancer(&self) -> Result<()> {
        self.backends
            .iter()
            .try_for_each(|backend| backend.route_by(self.balancer.ipv4, self.balancer.ipv6))
    }

    /// Has the backends answer through a router of their own between their network and another one, where its
    /// interface is eth0; this is the router.
    pub fn answer_by_router(&self, to: &Network) -> Result<Host> {
        let (router, here) = Host::router(to, &self.network)?;
        for backend in &self.backends {
            backend.route_by(here.ipv4, here.ipv6)?;
        }
        Ok(router)
    }
}

//! One machine of the lab: a namespace with an interface or two.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use anyhow::Result;
use lvs_common::Family;

use super::link;
use super::mac::Mac;
use super::namespace::Namespace;
use super::network::{Interface, Network, VIP4, VIP6};
use super::sysctl;
use super::xdp_pass::XdpPass;

/// The address of routers.
const ROUTER: u8 = 1;

/// A machine on a network.
#[derive(Debug)]
pub struct Host {
    /// What it is called, and what its servers answer with.
    pub name: String,
    /// Where it lives.
    pub namespace: Namespace,
    /// Its first interface besides lo.
    pub device: &'static str,
    /// Its own IPv4 address.
    pub ipv4: Ipv4Addr,
    /// Its own IPv6 address.
    pub ipv6: Ipv6Addr,
    /// Its interface's Ethernet address.
    pub mac: Mac,
    switch: Namespace,
}

impl Host {
    /// Makes a machine with the network's addresses that end in `last`, and plugs it into the switch, whose
    /// port is called like the machine.
    pub(super) fn new(
        network: &Network,
        name: String,
        device: &'static str,
        last: u8,
    ) -> Result<Self> {
        let namespace = Namespace::new()?;
        sysctl::for_host(&namespace)?;
        let Interface {
            device,
            ipv4,
            ipv6,
            mac,
        } = network.plug(&namespace, &name, device, last)?;
        Ok(Self {
            name,
            namespace,
            device,
            ipv4,
            ipv6,
            mac,
            switch: network.switch().clone(),
        })
    }

    /// Makes a machine that serves the VIPs: it has them on lo.
    pub(super) fn backend(network: &Network, last: u8) -> Result<Self> {
        let name = match network.number() {
            0 => format!("backend-{last}"),
            number => format!("backend-{number}.{last}"),
        };
        let backend = Self::new(network, name, "eth0", last)?;
        backend.add_vips("lo")?;
        Ok(backend)
    }

    /// Makes a router between two networks, with the first address of both: a machine on the first, and its
    /// interface eth1 on the second.
    pub(super) fn router(network: &Network, other: &Network) -> Result<(Self, Interface)> {
        let router = Self::new(network, "router".to_owned(), "eth0", ROUTER)?;
        sysctl::for_router(&router.namespace)?;
        let interface = router.join(other, "eth1", ROUTER)?;
        Ok((router, interface))
    }

    /// Its own address of a family.
    pub fn address(&self, family: Family) -> IpAddr {
        match family {
            Family::Ipv4 => self.ipv4.into(),
            Family::Ipv6 => self.ipv6.into(),
        }
    }

    /// Gives the machine one more interface, on another network.
    pub(super) fn join(
        &self,
        network: &Network,
        device: &'static str,
        last: u8,
    ) -> Result<Interface> {
        network.plug(&self.namespace, &self.name, device, last)
    }

    /// Gives an interface of this machine one more address, usable at once.
    pub fn add_address(&self, device: &str, address: IpAddr, prefix: u8) -> Result<()> {
        link::add_address(&self.namespace, device, address, prefix)
    }

    /// Gives an interface of this machine the VIPs.
    pub(super) fn add_vips(&self, device: &str) -> Result<()> {
        self.ip(&format!("address add {VIP4}/32 dev {device}"))?;
        // Deprecated: still answered for, but never the source of what the machine itself sends, for which a
        // /128 would otherwise be preferred to the machine's own /64.
        self.ip(&format!(
            "address add {VIP6}/128 dev {device} nodad preferred_lft 0"
        ))
        .map(drop)
    }

    /// Has the machine send what is for no network of its own to a router with these addresses.
    pub fn route_by(&self, ipv4: Ipv4Addr, ipv6: Ipv6Addr) -> Result<()> {
        self.ip(&format!("route add default via {ipv4}"))?;
        self.ip(&format!("route add default via {ipv6}")).map(drop)
    }

    /// Runs `ip` on this machine with the words of `line` and returns what it printed.
    pub fn ip(&self, line: &str) -> Result<String> {
        link::ip(&self.namespace, line)
    }

    /// The bytes that have come in by an interface of this machine.
    pub fn received(&self, device: &str) -> Result<u64> {
        link::received(&self.namespace, device)
    }

    /// Whether an XDP program is attached to an interface of this machine.
    pub fn has_xdp(&self, device: &str) -> Result<bool> {
        Ok(link::xdp(&self.namespace, device)?.is_some())
    }

    /// Has the switch take the frames that XDP sends by this machine's first cable, as long as the result
    /// lives.
    pub(super) fn let_xdp_send(&self) -> Result<XdpPass> {
        XdpPass::attach(&self.switch, &self.name)
    }

    /// Whether an XDP program is attached to the switch's end of this machine's first cable.
    pub fn port_has_xdp(&self) -> Result<bool> {
        Ok(link::xdp(&self.switch, &self.name)?.is_some())
    }

    /// Takes the machine off the segment: it stays as it is, but no frame passes its port any more.
    pub fn unplug(&self) -> Result<()> {
        link::set_carrying(&self.switch, &self.name, false)
    }

    /// Puts the machine back on the segment.
    pub fn plug(&self) -> Result<()> {
        link::set_carrying(&self.switch, &self.name, true)
    }
}

//! What a segment needs beyond direct routing, for which it is made: routes for NAT, addresses for
//! FULLNAT, ends of tunnels for TUN.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use anyhow::Result;
use clap::ValueEnum;

use super::config::Service;
use super::decapsulator::Decapsulator;
use super::host::Host;
use super::network::{Network, VIP4, VIP6};
use super::segment::Segment;

/// Where the client of NAT comes from: another network, since on their own backends would answer it
/// directly.
const FAR4: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 100);
const FAR6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x100);
/// The port of a service that is translated is by so much that of its backends.
const OFFSET: u16 = 8000;

/// A forwarding mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Mode {
    /// Direct routing.
    Dr,
    /// IP in IP; the backends take packets out themselves.
    Tun,
    /// Translation of one side; the balancer is the backends' router.
    Nat,
    /// Translation of both sides.
    #[value(name = "fullnat")]
    FullNat,
}

impl Mode {
    /// The name in a configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Dr => "dr",
            Self::Tun => "tun",
            Self::Nat => "nat",
            Self::FullNat => "fullnat",
        }
    }

    /// Gives the machines of a segment what the mode needs. What this returns has to live as long as it is
    /// needed.
    pub fn prepare(self, segment: &Segment) -> Result<Vec<Decapsulator>> {
        match self {
            Self::Dr => {}
            Self::Nat => route_answers(segment)?,
            Self::FullNat => {
                add_locals(&segment.balancer, segment.balancer.device, &segment.network)?;
            }
            Self::Tun => return tunnel(segment),
        }
        Ok(Vec::new())
    }

    /// Where clients find a service whose backends have this port.
    pub const fn service(self, vip: IpAddr, port: u16) -> SocketAddr {
        match self {
            Self::Dr | Self::Tun => SocketAddr::new(vip, port),
            Self::Nat | Self::FullNat => SocketAddr::new(vip, port + OFFSET),
        }
    }

    /// A service in this mode; `port` is that of its backends, which are on `network`.
    pub fn configure(self, service: Service, port: u16, network: &Network) -> Service {
        let service = service.mode(self.as_str());
        match self {
            Self::Dr | Self::Tun => service,
            Self::Nat => service.backend_port(port),
            Self::FullNat => network
                .locals()
                .into_iter()
                .fold(service, Service::local_address)
                .backend_port(port),
        }
    }
}

/// Gives a balancer's interface the addresses that packets of FULLNAT come from.
pub(super) fn add_locals(balancer: &Host, device: &str, network: &Network) -> Result<()> {
    for local in network.locals() {
        // Deprecated: the machine's own connections must not come from it.
        let length_and_use = match local {
            IpAddr::V4(_) => "32",
            IpAddr::V6(_) => "128 nodad preferred_lft 0",
        };
        balancer.ip(&format!(
            "address add {local}/{length_and_use} dev {device}"
        ))?;
    }
    Ok(())
}

/// Has the backends take the outer header off.
fn tunnel(segment: &Segment) -> Result<Vec<Decapsulator>> {
    let balancer = &segment.balancer;
    let from = [balancer.ipv4.into(), balancer.ipv6.into()];
    let backends = segment.backends.iter();
    backends
        .map(|backend| Decapsulator::start(backend, &from))
        .collect()
}

/// Has the client come from another network, and answers to it go through the balancer.
fn route_answers(segment: &Segment) -> Result<()> {
    let (client, balancer) = (&segment.client, &segment.balancer);
    let (eth, lb) = (client.device, balancer.device);
    client.ip(&format!("address add {FAR4}/32 dev {eth}"))?;
    client.ip(&format!("address add {FAR6}/128 dev {eth} nodad"))?;
    client.ip(&format!("route add {VIP4}/32 dev {eth} src {FAR4}"))?;
    client.ip(&format!("route add {VIP6}/128 dev {eth} src {FAR6}"))?;
    balancer.ip(&format!("route add {FAR4}/32 dev {lb}"))?;
    balancer.ip(&format!("route add {FAR6}/128 dev {lb}"))?;
    for backend in &segment.backends {
        backend.ip(&format!("route add {FAR4}/32 via {}", balancer.ipv4))?;
        backend.ip(&format!("route add {FAR6}/128 via {}", balancer.ipv6))?;
    }
    Ok(())
}

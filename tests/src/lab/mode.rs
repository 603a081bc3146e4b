//! What a segment needs beyond direct routing, for which it is made: routes for NAT, addresses for
//! FULLNAT.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use anyhow::Result;
use clap::ValueEnum;

use super::config::Service;
use super::segment::{Segment, VIP4, VIP6};

/// Where the client of NAT comes from: another network, since on their own backends would answer it
/// directly.
const FAR4: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 100);
const FAR6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x100);
/// Where packets of FULLNAT come from.
const LOCALS4: [Ipv4Addr; 2] = [Ipv4Addr::new(10, 0, 0, 200), Ipv4Addr::new(10, 0, 0, 201)];
const LOCALS6: [Ipv6Addr; 2] = [
    Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 0x200),
    Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 0x201),
];
/// The port of a service that is translated is by so much that of its backends.
const OFFSET: u16 = 8000;

/// A forwarding mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Mode {
    /// Direct routing.
    Dr,
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
            Self::Nat => "nat",
            Self::FullNat => "fullnat",
        }
    }

    /// Gives the machines of a segment what the mode needs.
    pub fn prepare(self, segment: &Segment) -> Result<()> {
        match self {
            Self::Dr => Ok(()),
            Self::Nat => route_answers(segment),
            Self::FullNat => {
                let balancer = &segment.balancer;
                for local in LOCALS4 {
                    balancer.add_address(balancer.device, local.into(), 32)?;
                }
                for local in LOCALS6 {
                    // Deprecated: the machine's own connections must not come from it.
                    let device = balancer.device;
                    balancer.ip(&format!(
                        "address add {local}/128 dev {device} nodad preferred_lft 0"
                    ))?;
                }
                Ok(())
            }
        }
    }

    /// Where clients find a service whose backends have this port.
    pub const fn service(self, vip: IpAddr, port: u16) -> SocketAddr {
        match self {
            Self::Dr => SocketAddr::new(vip, port),
            Self::Nat | Self::FullNat => SocketAddr::new(vip, port + OFFSET),
        }
    }

    /// A service in this mode; `port` is that of its backends.
    pub fn configure(self, service: Service, port: u16) -> Service {
        let service = service.mode(self.as_str());
        match self {
            Self::Dr => service,
            Self::Nat => service.backend_port(port),
            Self::FullNat => {
                let service = LOCALS4.into_iter().fold(service, Service::local_address);
                let service = LOCALS6.into_iter().fold(service, Service::local_address);
                service.backend_port(port)
            }
        }
    }
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

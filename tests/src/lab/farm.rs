//! Servers on every backend of a segment.

use std::net::{IpAddr, SocketAddr};

use anyhow::Result;

use super::config::Service;
use super::host::Host;
use super::http_server::HttpServer;
use super::segment::{Segment, VIP4, VIP6};
use super::udp_echo::UdpEcho;

/// HTTP on port 80 and UDP echo on port 7 of every backend, at its own addresses and at the VIPs.
pub struct Farm {
    /// The HTTP servers, in the order of the backends.
    pub http: Vec<HttpServer>,
    _echo: Vec<UdpEcho>,
}

impl Farm {
    /// The port of the HTTP servers.
    pub const HTTP: u16 = 80;
    /// The port of the UDP echo servers.
    pub const ECHO: u16 = 7;

    /// Starts them; they accept when this returns.
    pub fn start(segment: &Segment) -> Result<Self> {
        let http = segment
            .backends
            .iter()
            .map(|backend| HttpServer::start(&backend.namespace, &backend.name, Self::HTTP));
        let echo = segment.backends.iter().map(|backend| {
            let addresses: [IpAddr; 4] = [
                backend.ipv4.into(),
                backend.ipv6.into(),
                VIP4.into(),
                VIP6.into(),
            ];
            UdpEcho::start(
                &backend.namespace,
                &backend.name,
                &addresses.map(|ip| SocketAddr::new(ip, Self::ECHO)),
            )
        });
        Ok(Self {
            http: http.collect::<Result<_>>()?,
            _echo: echo.collect::<Result<_>>()?,
        })
    }

    /// The service `web`: HTTP at this VIP, with the segment's backends and these weights.
    pub fn web(segment: &Segment, vip: IpAddr, weights: &[u32]) -> Service {
        Self::web_at(segment, SocketAddr::new(vip, Self::HTTP), weights)
    }

    /// The same at another port.
    pub fn web_at(segment: &Segment, address: SocketAddr, weights: &[u32]) -> Service {
        service("web", "tcp", address, segment, weights)
    }

    /// The service `echo`: UDP echo at this VIP, with the segment's backends and these weights.
    pub fn echo(segment: &Segment, vip: IpAddr, weights: &[u32]) -> Service {
        service(
            "echo",
            "udp",
            SocketAddr::new(vip, Self::ECHO),
            segment,
            weights,
        )
    }
}

fn service(
    name: &str,
    protocol: &'static str,
    address: SocketAddr,
    segment: &Segment,
    weights: &[u32],
) -> Service {
    let same_family = |host: &Host| {
        if address.is_ipv4() {
            IpAddr::V4(host.ipv4)
        } else {
            IpAddr::V6(host.ipv6)
        }
    };
    segment.backends.iter().zip(weights).fold(
        Service::new(name, protocol, address),
        |service, (host, &weight)| service.backend(same_family(host), weight),
    )
}

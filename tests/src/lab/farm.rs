//! Servers on backends.

use std::net::{IpAddr, SocketAddr};

use anyhow::Result;

use super::config::Service;
use super::host::Host;
use super::http_server::HttpServer;
use super::network::{VIP4, VIP6};
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
    pub fn start(backends: &[Host]) -> Result<Self> {
        let http = backends
            .iter()
            .map(|backend| HttpServer::start(&backend.namespace, &backend.name, Self::HTTP));
        let echo = backends.iter().map(|backend| {
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

    /// The service `web`: HTTP at this VIP, with these backends and weights.
    pub fn web(backends: &[Host], vip: IpAddr, weights: &[u32]) -> Service {
        Self::web_at(backends, SocketAddr::new(vip, Self::HTTP), weights)
    }

    /// The same at another port.
    pub fn web_at(backends: &[Host], address: SocketAddr, weights: &[u32]) -> Service {
        Service::new("web", "tcp", address).hosts(backends, address.ip().into(), weights)
    }

    /// The service `echo`: UDP echo at this VIP, with these backends and weights.
    pub fn echo(backends: &[Host], vip: IpAddr, weights: &[u32]) -> Service {
        let address = SocketAddr::new(vip, Self::ECHO);
        Service::new("echo", "udp", address).hosts(backends, address.ip().into(), weights)
    }
}

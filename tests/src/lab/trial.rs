//! All that clients do, through one balancer: requests, big files, datagrams.

use std::net::IpAddr;
use std::ops::ControlFlow;

use anyhow::{Context as _, Result, ensure};
use lvs_common::Family;

use super::config::{self, Service};
use super::director::Director;
use super::farm::Farm;
use super::host::Host;
use super::mode::Mode;
use super::network::Network;
use super::stats::Stats;
use super::{http, udp, verdict};

const WEIGHTS: [u32; 3] = [3, 2, 1];
const REQUESTS: u64 = 10_200;
const BYTES: u64 = 100_000_000;
const PORTS: usize = 60;
const DATAGRAMS: u32 = 50;

/// Who is on trial: machines that are ready for the mode.
#[derive(Clone, Copy, Debug)]
pub struct Trial<'a> {
    /// How the balancer forwards.
    pub mode: Mode,
    /// Where the client asks.
    pub vip: IpAddr,
    /// Of which family the addresses of the backends are.
    pub family: Family,
    /// Who asks.
    pub client: &'a Host,
    /// Who is asked.
    pub balancer: &'a Host,
    /// The balancer's interfaces that packets come in by.
    pub interfaces: &'a [&'a str],
    /// Who answers: three, with the weights 3:2:1.
    pub backends: &'a [Host],
    /// The network they are on.
    pub network: &'a Network,
}

impl Trial<'_> {
    /// Holds it; what the balancer counted. An error if anything was not answered by whom it should have been.
    pub fn run(&self) -> Result<Stats> {
        let farm = Farm::start(self.backends)?;
        let (web, echo) = (
            self.mode.service(self.vip, Farm::HTTP),
            self.mode.service(self.vip, Farm::ECHO),
        );
        let services = [
            (Service::new("web", "tcp", web), Farm::HTTP),
            (Service::new("echo", "udp", echo), Farm::ECHO),
        ];
        let services = services.map(|(service, port)| {
            let service = service.hosts(self.backends, self.family, &WEIGHTS);
            self.mode.configure(service, port, self.network)
        });
        let yaml = config::yaml(self.interfaces, &services);
        let director = Director::start(&self.balancer.namespace, &yaml)?;

        let client = &self.client.namespace;
        let counted = || format!("the balancer counted {:?}", director.stats());
        let tally = http::load(client, web, REQUESTS, |_| ControlFlow::Continue(()))?;
        let stats = director.stats()?;
        let service = stats.service("web")?;
        verdict::balanced(self.backends, &WEIGHTS, &tally, &farm, service).with_context(counted)?;
        http::download(client, web, BYTES).with_context(counted)?;
        http::upload(client, web, BYTES).with_context(counted)?;
        let report = udp::echo(client, echo, PORTS, DATAGRAMS).with_context(counted)?;
        ensure!(
            report.unsteady().is_empty(),
            "answered by several: {:?}",
            report.unsteady()
        );
        let per_backend = report.ports_per_backend();
        let round = WEIGHTS.iter().sum::<u32>() as usize;
        for (host, weight) in self.backends.iter().zip(WEIGHTS) {
            let ports = per_backend.get(&*host.name).copied().unwrap_or(0);
            ensure!(
                ports == PORTS / round * weight as usize,
                "{} answered {ports} of {PORTS} ports, with the weight {weight} of {round}",
                host.name
            );
        }
        director.stats()
    }
}

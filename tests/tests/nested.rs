//! Balancers behind a balancer: the first tier forwards by DR or TUN to two that translate for the same VIP,
//! each with backends of its own. Answers go from the second tier to the client's router, past the first.
//!
//! ```text
//!                           +--- tier 1 10.0.0.2 (the VIP)
//!                           |
//!   far-client --- router --+--- tier 2 10.0.0.17 --- backend-2.17, backend-2.18
//!               10.0.0.1    |
//!                           +--- tier 2 10.0.0.18 --- backend-3.17, backend-3.18
//! ```

use std::net::{IpAddr, SocketAddr};
use std::ops::ControlFlow;

use anyhow::{Result, anyhow, ensure};
use lvs_tests::lab::config::Service;
use lvs_tests::lab::{
    Director, Farm, HttpServer, Inside, Mode, Outside, Segment, VIP4, VIP6, config, http, ping,
    verdict,
};

const REQUESTS: u64 = 1000;
const BYTES: u64 = 20_000_000;

/// A balancer of the second tier at work.
struct Second {
    director: Director,
    farm: Farm,
    inside: Inside,
}

struct Nested {
    first: Director,
    second: Vec<Second>,
    segment: Segment,
    outside: Outside,
    web: SocketAddr,
}

impl Nested {
    fn new(mode: Mode, vip: IpAddr) -> Result<Self> {
        let segment = Segment::builder().backends(2).build()?;
        let outside = Outside::beyond(&segment.network, 1)?;
        let web = Mode::Nat.service(vip, Farm::HTTP);
        let second = segment
            .backends
            .iter()
            .zip(2..)
            .map(|(balancer, number)| {
                let inside = Inside::behind(balancer, number, 2)?;
                inside.answer_by_balancer()?;
                balancer.route_by(outside.router.ipv4, outside.router.ipv6)?;
                // A balancer knows its router's MAC address, as any machine that talks to others does.
                ping::ping(&balancer.namespace, outside.router.address(vip.into()), 56)?;
                let service =
                    Service::new("web", "tcp", web).hosts(&inside.backends, vip.into(), &[1, 1]);
                let service = Mode::Nat.configure(service, Farm::HTTP, &inside.network);
                let yaml = config::yaml(&[balancer.device, inside.balancer.device], &[service]);
                let ends = config::decap(
                    balancer.address(vip.into()),
                    segment.balancer.address(vip.into()),
                );
                let yaml = match mode {
                    Mode::Tun => ends + &yaml,
                    _ => yaml,
                };
                Ok(Second {
                    farm: Farm::start(&inside.backends)?,
                    director: Director::start(&balancer.namespace, &yaml)?,
                    inside,
                })
            })
            .collect::<Result<_>>()?;
        let service = Service::new("web", "tcp", web)
            .hosts(&segment.backends, vip.into(), &[1, 1])
            .mode(mode.as_str());
        let yaml = config::yaml(&[segment.balancer.device], &[service]);
        Ok(Self {
            first: Director::start(&segment.balancer.namespace, &yaml)?,
            outside,
            segment,
            second,
            web,
        })
    }

    /// How far packets came, for an error: tier 1 and its backends, and tier 2's.
    fn trace(&self) -> Result<String> {
        let first = self.first.stats()?;
        let mut lines = vec![format!("tier 1: {:?}", first.reasons_seen())];
        let sent = first.service("web")?.packets;
        let (mut came, mut answered) = (0, 0);
        for second in &self.second {
            let stats = second.director.stats()?;
            let service = stats.service("web")?;
            came += service.packets;
            answered += service.packets_out;
            lines.push(format!("tier 2: {:?}", stats.reasons_seen()));
        }
        lines.push(format!(
            "tier 1 sent {sent} packets on, tier 2 took {came} for its service and sent {answered} answers \
             to the client"
        ));
        lines.push(match (sent, came, answered) {
            (0, ..) => "tier 1 does not forward".to_owned(),
            (_, 0, _) => "tier 2 does not take what tier 1 forwards".to_owned(),
            (_, _, 0) => "the backends of tier 2 do not answer through it".to_owned(),
            _ => "answers are lost behind tier 2: it has to send them by its own route to the client, not to \
                  tier 1, where requests come from"
                .to_owned(),
        });
        Ok(lines.join("\n"))
    }

    fn run(&self) -> Result<()> {
        let client = &self.outside.client.namespace;
        let tier1 = &self.segment.balancer;
        http::get(client, self.web).or_else(|error| {
            let trace = self.trace()?;
            Err(anyhow!("{error:#}\n{trace}"))
        })?;
        let tally = http::load(
            client,
            self.web,
            REQUESTS - 1,
            |_| ControlFlow::Continue(()),
        )?;
        verdict::all_answered(&tally)?;
        self.every_machine_had_its_share()?;

        let before = tier1.received(tier1.device)?;
        http::download(client, self.web, BYTES)?;
        let by_tier1 = tier1.received(tier1.device)? - before;
        // Of a download only acknowledgements.
        ensure!(
            by_tier1 < BYTES / 4,
            "{by_tier1} bytes came to tier 1 during a download of {BYTES}: answers go through it"
        );
        http::upload(client, self.web, BYTES).map(drop)
    }

    /// Both tiers schedule in turn: a half of the requests each, and a quarter.
    fn every_machine_had_its_share(&self) -> Result<()> {
        let stats = self.first.stats()?;
        let service = stats.service("web")?;
        for (balancer, second) in self.segment.backends.iter().zip(&self.second) {
            let stats = second.director.stats()?;
            let counts = [
                service
                    .backend(balancer.ipv4)
                    .or_else(|_| service.backend(balancer.ipv6))?
                    .connections,
                stats.service("web")?.connections,
                second.farm.http.iter().map(HttpServer::requests).sum(),
            ];
            ensure!(
                counts == [REQUESTS / 2; 3],
                "{}: tier 1 counted {}, it {}, its backends {}",
                balancer.name,
                counts[0],
                counts[1],
                counts[2]
            );
            for (backend, server) in second.inside.backends.iter().zip(&second.farm.http) {
                ensure!(
                    server.requests() == REQUESTS / 4,
                    "{} had {} of {REQUESTS} requests",
                    backend.name,
                    server.requests()
                );
            }
        }
        Ok(())
    }
}

fn crosses_both_tiers(mode: Mode, vip: IpAddr) {
    let nested = Nested::new(mode, vip).expect("two tiers");
    nested.run().expect("all answered");
}

mod ipv4 {
    use super::{Mode, VIP4};

    #[test]
    fn dr_over_nat() {
        super::crosses_both_tiers(Mode::Dr, VIP4.into());
    }

    #[test]
    fn tun_over_nat() {
        super::crosses_both_tiers(Mode::Tun, VIP4.into());
    }
}

mod ipv6 {
    use super::{Mode, VIP6};

    #[test]
    fn dr_over_nat() {
        super::crosses_both_tiers(Mode::Dr, VIP6.into());
    }

    #[test]
    fn tun_over_nat() {
        super::crosses_both_tiers(Mode::Tun, VIP6.into());
    }
}

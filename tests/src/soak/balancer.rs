//! The loaded data plane under a soak, and whether its counts are true.

use std::{
    net::{IpAddr, SocketAddr},
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use lvs_common::{
    Family, Protocol, Scheduler,
    flow::{Keys, halves_for},
    map::{FlowEvent, Settings, default_timeouts},
};
use lvs_ctl::datapath::{Clock, Flow, FlowCounts, StatsReader, Swept};
use nix::unistd::Uid;

use crate::{
    harness::{
        Batch, Harness,
        traffic::{OURS, Traffic, VIP4, VIP6},
    },
    packet::{BackendSpec, HZ, Hop, INGRESS, Rig, ServiceSpec},
};

/// Backends of each service. Their ids: from 1 on those of TCP, then those of UDP.
pub(super) const BACKENDS: u16 = 4;
/// Port of the TCP service.
const WEB_PORT: u16 = 80;
/// Port of the UDP service.
const DNS_PORT: u16 = 53;
/// Sweeping for longer than this is in vain.
const PATIENCE: Duration = Duration::from_mins(1);

/// A service of TCP and one of UDP, with a flow table for one family.
pub(super) struct Balancer {
    pub(super) rig: Rig,
    pub(super) clock: Clock,
    pub(super) stats: StatsReader,
    family: Family,
    harness: Harness,
}

impl Balancer {
    /// With a table for this many flows, and IPVS's timeouts.
    pub(super) fn new(family: Family, flows: u32) -> Result<Self> {
        ensure!(
            Uid::effective().is_root(),
            "it loads the data plane into the kernel: run it as root"
        );
        let of = |its| halves_for(if its == family { flows.into() } else { 0 }) as u32;
        let services = [("web", Protocol::Tcp), ("dns", Protocol::Udp)];
        let services = services.map(|(name, protocol)| {
            let backends = (1..=BACKENDS).map(|n| BackendSpec::behind(Hop::neighbour(n as u8)));
            ServiceSpec {
                scheduler: Scheduler::Rr,
                ..ServiceSpec::new(name, protocol, address(family, protocol), backends)
            }
        });
        let mut rig = Rig::load(&services, [of(Family::Ipv4), of(Family::Ipv6)])?;
        rig.datapath.set_interface(INGRESS, OURS, 1500)?;
        let clock = rig.datapath.calibrate()?;
        let ticks = |seconds: u32| clock.ticks(Duration::from_secs(seconds.into()));
        rig.set_timeouts(default_timeouts(ticks))?;
        let mut harness = Harness::new()?;
        harness.aim(rig.datapath.program("lvs")?.fd()?)?;
        Ok(Self {
            stats: rig.datapath.stats()?,
            rig,
            clock,
            family,
            harness,
        })
    }

    /// Gives the empty table other keys.
    pub(super) fn set_keys(&mut self, keys: Keys) -> Result<()> {
        let sizes = self.rig.datapath.sizes();
        self.rig.datapath.set_settings(Settings {
            keys,
            mask4: sizes.halves4 - 1,
            mask6: sizes.halves6 - 1,
            hz: HZ,
            endpoints: 0,
            ..Settings::NONE
        })
    }

    /// Address and port of the TCP service.
    pub(super) fn web(&self) -> SocketAddr {
        address(self.family, Protocol::Tcp)
    }

    /// Traffic to the service of this protocol, TCP with these flags: of neighbours, one flow after the
    /// other from the one with this number on.
    pub(super) fn traffic(protocol: Protocol, tcp_flags: u8, first: u32) -> Traffic {
        Traffic {
            first,
            port: port(protocol).to_be(),
            tcp_flags,
            protocol: protocol as u8,
            ..Traffic::default()
        }
    }

    /// Sends so many packets.
    pub(super) fn send(&mut self, traffic: Traffic, packets: u32) -> Result<()> {
        let batch = Batch { traffic, packets };
        self.harness.run(self.family, &batch)?;
        Ok(())
    }

    /// How often something happened in the flow table.
    pub(super) fn event(&self, event: FlowEvent) -> Result<u64> {
        self.stats.event(event)
    }

    /// Live flows that were evicted for new ones.
    pub(super) fn evicted(&self) -> Result<u64> {
        let events = [
            FlowEvent::EvictedClosing,
            FlowEvent::EvictedHalfOpen,
            FlowEvent::EvictedYoung,
            FlowEvent::EvictedProven,
        ];
        events.map(|event| self.event(event)).into_iter().sum()
    }

    /// What both a scan of the table and the data plane itself count of every backend's flows.
    pub(super) fn scan(&self) -> Result<Vec<FlowCounts>> {
        scan(self.rig.flows(), &self.stats)
    }
}

/// Sweeps until so many flows have expired.
pub(super) fn expire(sweep: impl Fn() -> Result<Swept>, flows: u32) -> Result<()> {
    let (start, flows) = (Instant::now(), u64::from(flows));
    let mut retired = 0;
    while retired < flows {
        retired += sweep()?.retired;
        ensure!(
            start.elapsed() < PATIENCE,
            "{retired} of {flows} flows have expired"
        );
    }
    ensure!(retired == flows, "{retired} flows expired, not {flows}");
    Ok(())
}

/// Active and inactive flows of every backend, by id from 1 on.
///
/// # Errors
/// If what the data plane counts is not what these flows, all that there are, add up to.
pub(super) fn scan(
    flows: impl IntoIterator<Item = Flow>,
    stats: &StatsReader,
) -> Result<Vec<FlowCounts>> {
    let mut found = vec![FlowCounts::default(); usize::from(2 * BACKENDS)];
    for flow in flows {
        let counts = &mut found[usize::from(flow.word.backend()) - 1];
        if flow.word.is_active() {
            counts.active += 1;
        } else {
            counts.inactive += 1;
        }
    }
    for (id, found) in (1..).zip(&found) {
        let counted = stats.load(id)?;
        ensure!(
            counted == *found,
            "of backend {id} the data plane counts {counted:?}, a scan of the table {found:?}"
        );
    }
    Ok(found)
}

const fn port(protocol: Protocol) -> u16 {
    match protocol {
        Protocol::Tcp => WEB_PORT,
        Protocol::Udp => DNS_PORT,
    }
}

fn address(family: Family, protocol: Protocol) -> SocketAddr {
    let address = match family {
        Family::Ipv4 => IpAddr::from(VIP4),
        Family::Ipv6 => IpAddr::from(VIP6),
    };
    SocketAddr::new(address, port(protocol))
}

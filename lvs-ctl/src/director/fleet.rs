//! Services and backends as they stand in the maps: which id means what, who can be reached, and in
//! which turns new flows go round.

use std::{collections::BTreeSet, net::IpAddr};

use anyhow::{Context as _, Result};
use lvs_common::{
    Family, Scheduler,
    flow::halves_for,
    map::{
        Backend as BackendEntry, NAME_LEN, NextHop as NextHopEntry, RING_CHUNK, Ring,
        Service as ServiceEntry, ServiceKey,
    },
    ring,
};

use super::{
    reach::{self, Reach},
    room,
};
use crate::{
    config::{Backend as BackendConfig, Config, Decap, Prefix, Service as ServiceConfig, Timeouts},
    datapath::{Datapath, Sizes},
    net::{Change, Target},
};

/// Next hop ids of a backend: one in use, one to write the next into.
const HOPS_PER_BACKEND: u32 = 2;

/// Rings of a service: one in use, one to write the next into.
const RINGS_PER_SERVICE: u32 = 2;

/// All services.
#[derive(Debug)]
pub(super) struct Fleet {
    services: Vec<Service>,
    /// The entries of LOCALS.
    locals: Vec<IpAddr>,
    /// The entries of TIMEOUTS: first those that hold for most, then every other set.
    timeouts: Vec<Timeouts>,
    /// Tunnels that end here.
    decap: Option<Decap>,
    sizes: Sizes,
}

#[derive(Debug)]
struct Service {
    id: u32,
    config: ServiceConfig,
    backends: Vec<Backend>,
    /// First slot of its rings, and how many slots each has.
    slots: (u32, u32),
    /// Which of its rings is in use.
    ring: u32,
    /// Which entry of TIMEOUTS holds for its flows.
    timeouts: u16,
    /// Its local addresses in LOCALS, of IPv4 and of IPv6: the first, and how many.
    locals: [(u16, u16); 2],
}

#[derive(Debug)]
struct Backend {
    id: u16,
    config: BackendConfig,
    /// Which of its next hops is in use.
    hop: u32,
    reachable: bool,
}

impl Fleet {
    /// Gives ids to everything in a configuration. Backend id 0 and next hop id 0 stay nobody's.
    ///
    /// # Errors
    /// If there is more of something than ids, which validation has ruled out.
    pub(super) fn new(config: &Config) -> Result<Self> {
        let mut services = Vec::new();
        let mut timeouts = vec![config.timeouts];
        let mut locals = Vec::new();
        let mut next_backend = 1_u16;
        let mut next_slot = 0_u32;
        for (id, service) in (0..).zip(&config.services) {
            let slots = u32::try_from(slots_of(service)).context("a ring is too long")?;
            let slots = slots.next_multiple_of(RING_CHUNK as u32);
            let mut backends = Vec::new();
            for backend in &service.backends {
                backends.push(Backend {
                    id: next_backend,
                    config: backend.clone(),
                    hop: 0,
                    reachable: false,
                });
                next_backend = next_backend.checked_add(1).context("too many backends")?;
            }
            let slots = (next_slot, slots);
            next_slot += RINGS_PER_SERVICE * slots.1;
            services.push(Service {
                id,
                config: service.clone(),
                backends,
                slots,
                ring: 0,
                timeouts: number_of(&mut timeouts, service.timeouts)?,
                locals: [
                    add_locals(&mut locals, service, IpAddr::is_ipv4)?,
                    add_locals(&mut locals, service, IpAddr::is_ipv6)?,
                ],
            });
        }
        let halves = |entries: u64| {
            u32::try_from(halves_for(entries)).context("the flow table is too large")
        };
        let [entries4, entries6] = room::entries(config);
        let (endpoints, from) = config.decap.as_ref().map_or((0, 0), |decap| {
            (decap.endpoints.len() as u32, decap.from.len() as u32)
        });
        let sizes = Sizes {
            services: services.len().max(1) as u32,
            timeouts: timeouts.len() as u32,
            locals: locals.len().max(1) as u32,
            endpoints: endpoints.max(1),
            tunnel_sources: from.max(1),
            backends: u32::from(next_backend),
            next_hops: u32::from(next_backend) * HOPS_PER_BACKEND,
            ring_chunks: (next_slot / RING_CHUNK as u32).max(1),
            halves4: halves(entries4)?,
            halves6: halves(entries6)?,
        };
        Ok(Self {
            services,
            locals,
            timeouts,
            decap: config.decap.clone(),
            sizes,
        })
    }

    /// The sizes of the maps that it fills.
    pub(super) fn sizes(&self) -> Sizes {
        self.sizes
    }

    /// The entries of TIMEOUTS.
    pub(super) fn timeouts(&self) -> &[Timeouts] {
        &self.timeouts
    }

    /// The targets whose next hops it needs.
    pub(super) fn targets(&self) -> BTreeSet<Target> {
        let backends = self.services.iter().flat_map(|service| &service.backends);
        backends.map(Backend::target).collect()
    }

    /// "2 services with 5 of 6 backends".
    pub(super) fn summary(&self) -> String {
        let backends = self.services.iter().flat_map(|service| &service.backends);
        let reachable = backends.clone().filter(|backend| backend.reachable).count();
        let all = backends.count();
        let plural = |n: usize| if n == 1 { "" } else { "s" };
        let services = self.services.len();
        let of = if reachable == all {
            String::new()
        } else {
            format!("{reachable} of ")
        };
        format!(
            "{services} service{} with {of}{all} backend{}",
            plural(services),
            plural(all)
        )
    }

    /// Writes everything, with no backend reachable yet.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub(super) fn write(&self, datapath: &mut Datapath) -> Result<()> {
        for (number, local) in (0..).zip(&self.locals) {
            datapath.set_local(number, (*local).into())?;
        }
        if let Some(Decap { endpoints, from }) = &self.decap {
            for endpoint in endpoints {
                datapath.add_endpoint(*endpoint)?;
            }
            for prefix in from {
                datapath.allow_tunnels(prefix.address(), prefix.bits())?;
            }
        }
        for service in &self.services {
            for backend in &service.backends {
                datapath.write_backend(backend.id.into(), backend.entry(service))?;
            }
            let entry = service.entry();
            datapath.write_service(service.id, entry)?;
            datapath.publish_service(entry.key, service.id)?;
        }
        Ok(())
    }

    /// Takes in what became of a target.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub(super) fn resolve(&mut self, datapath: &mut Datapath, change: &Change) -> Result<()> {
        for service in &mut self.services {
            let mut touched = false;
            for backend in &mut service.backends {
                if backend.target() == change.target {
                    let reach = reach::judge(&service.config, &backend.config, &change.resolution);
                    touched |= backend.prepare(datapath, reach.hop)?;
                    report(&service.config, backend, &reach);
                }
            }
            if touched {
                service.turn(datapath)?;
            }
            for backend in &service.backends {
                if backend.target() == change.target && !backend.reachable {
                    datapath.set_next_hop(backend.id.into(), 0)?;
                }
            }
        }
        Ok(())
    }
}

impl Service {
    fn entry(&self) -> ServiceEntry {
        let mut name = [0; NAME_LEN];
        for (to, from) in name.iter_mut().zip(self.config.name.bytes()) {
            *to = from;
        }
        let address = self.config.address;
        ServiceEntry {
            ring: self.ring_of(0).to_bits(),
            key: ServiceKey {
                address: address.ip().into(),
                port: address.port().to_be(),
                protocol: self.config.protocol as u8,
                family: Family::from(address.ip()) as u8,
            },
            scheduler: self.config.scheduler as u8,
            mid_stream: self.config.mid_stream as u8,
            no_backend: self.config.no_backend as u8,
            reserved: 0,
            name,
        }
    }

    /// The ring in use, with so many slots.
    fn ring_of(&self, len: u32) -> Ring {
        let (first, slots) = self.slots;
        Ring {
            first: first + self.ring * slots,
            len,
        }
    }

    /// Has new flows go round the reachable backends, the newest first as in IPVS.
    fn turn(&mut self, datapath: &mut Datapath) -> Result<()> {
        let (ids, weights): (Vec<u16>, Vec<u16>) = self
            .backends
            .iter()
            .rev()
            .filter(|backend| backend.reachable)
            .map(|backend| (backend.id, backend.config.weight))
            .unzip();
        let turns: Vec<u16> = match self.config.scheduler {
            Scheduler::Rr => ring::plain(&weights).map(|i| ids[i]).collect(),
            Scheduler::Wrr => ring::weighted(&weights).map(|i| ids[i]).collect(),
        };
        self.ring = (self.ring + 1) % RINGS_PER_SERVICE;
        let ring = self.ring_of(turns.len() as u32);
        datapath.write_ring(ring, &turns)?;
        datapath.set_ring(self.id, ring)
    }
}

impl Backend {
    fn entry(&self, service: &Service) -> BackendEntry {
        let address = self.config.address;
        let (first_local, locals) = service.locals[usize::from(address.is_ipv6())];
        let ports = &service.config.local_ports;
        BackendEntry {
            next_hop: 0,
            service: service.id,
            address: address.ip().into(),
            port: address.port().to_be(),
            weight: self.config.weight,
            mode: self.config.mode as u8,
            family: Family::from(address.ip()) as u8,
            timeouts: service.timeouts,
            first_local,
            locals,
            first_port: *ports.start(),
            last_port: *ports.end(),
            entropy: self.config.tunnel_source.map_or(0, Prefix::varying_bits),
            ..BackendEntry::NONE
        }
    }

    fn target(&self) -> Target {
        Target {
            address: self.config.address.ip(),
            mac: self.config.mac,
        }
    }

    /// Writes the next hop, if there is one, and notes whether there is; whether that has changed.
    fn prepare(&mut self, datapath: &mut Datapath, hop: Option<NextHopEntry>) -> Result<bool> {
        let was_reachable = self.reachable;
        self.reachable = false;
        if let Some(hop) = hop {
            self.hop = (self.hop + 1) % HOPS_PER_BACKEND;
            let id = u32::from(self.id) * HOPS_PER_BACKEND + self.hop;
            datapath.write_next_hop(id, hop)?;
            datapath.set_next_hop(self.id.into(), id)?;
            self.reachable = true;
        }
        Ok(self.reachable != was_reachable)
    }
}

/// The number of these timeouts, which are added if they are not there.
fn number_of(all: &mut Vec<Timeouts>, wanted: Timeouts) -> Result<u16> {
    let number = all.iter().position(|known| *known == wanted);
    let number = number.unwrap_or_else(|| {
        all.push(wanted);
        all.len() - 1
    });
    u16::try_from(number).context("too many sets of timeouts")
}

/// Adds the local addresses of a family; yields the number of the first, and how many there are.
fn add_locals(
    all: &mut Vec<IpAddr>,
    service: &ServiceConfig,
    family: impl Fn(&IpAddr) -> bool,
) -> Result<(u16, u16)> {
    let first = u16::try_from(all.len()).context("too many local addresses")?;
    all.extend(service.local_addresses.iter().filter(|ip| family(ip)));
    Ok((first, (all.len() - usize::from(first)) as u16))
}

/// Ring slots that a service needs when all of its backends are reachable; no subset needs more.
fn slots_of(service: &ServiceConfig) -> u64 {
    let weights: Vec<u16> = service
        .backends
        .iter()
        .map(|backend| backend.weight)
        .collect();
    match service.scheduler {
        Scheduler::Rr => weights.len() as u64,
        Scheduler::Wrr => ring::weighted_slots(&weights),
    }
}

fn report(service: &ServiceConfig, backend: &Backend, reach: &Reach) {
    let (name, address) = (&service.name, backend.config.address);
    log::log!(reach.level, "{name}: backend {address} {}", reach.words);
}

//! What the director would write into the maps.

use core::{net::IpAddr, ops::RangeInclusive};

use lvs_common::{
    Family, ForwardingMode, MidStream, NoBackend, Protocol, Scheduler,
    bucket::Rate,
    flow::{Keys, halves_for},
    map::{
        Address, Backend, Endpoint, GATEWAY_SLOTS, INTERFACE_SLOTS, Interface, NAME_LEN, NextHop,
        RING_CHUNK, Ring, RingChunk, Service, ServiceKey, Settings, Timeouts, TunnelSource,
        default_timeouts,
    },
    ring,
};

use super::memory::{Memory, Parts};

/// Ticks of a second in the timeouts of a new [`Setup`].
pub const TICKS_PER_SECOND: u32 = 10;

/// MTU of every interface.
const MTU: u32 = 1500;

/// Half buckets of each family, unless set otherwise.
const HALVES: u32 = 256;

/// Interfaces, next hops, services and backends, from which [`Setup::build`] makes a [`Memory`].
#[derive(Clone, Debug)]
pub struct Setup {
    seed: u64,
    now: u32,
    halves: u32,
    /// Entry 0 is that of every backend without one of its own.
    timeouts: Vec<Timeouts>,
    interfaces: Vec<Interface>,
    next_hops: Vec<NextHop>,
    services: Vec<Planned>,
    /// Each with its weight; the first is nobody's.
    backends: Vec<Backend>,
    locals: Vec<Address>,
    endpoints: Vec<Endpoint>,
    tunnel_sources: Vec<(TunnelSource, u32)>,
    gateways: u32,
    /// But for what [`Setup::build`] computes.
    settings: Settings,
}

#[derive(Clone, Debug)]
struct Planned {
    key: ServiceKey,
    scheduler: Scheduler,
    mid_stream: MidStream,
    no_backend: NoBackend,
}

/// The next of a sequence of well mixed numbers (`SplitMix64`: Steele, Lea and Flood, 2014).
fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ mixed >> 31
}

/// Appends a ring in chunks of its own.
pub(super) fn append(rings: &mut Vec<RingChunk>, backends: &[u16]) -> Ring {
    let first = rings.len() * RING_CHUNK;
    for part in backends.chunks(RING_CHUNK) {
        let mut chunk = [0; RING_CHUNK];
        chunk[..part.len()].copy_from_slice(part);
        rings.push(chunk);
    }
    Ring {
        first: first as u32,
        len: backends.len() as u32,
    }
}

impl Setup {
    /// Nothing but default timeouts and a small table; `seed` makes the keys of the table.
    pub fn new(seed: u64) -> Self {
        let none = Interface::new(0, [0; 6], 0);
        Self {
            seed,
            now: 1_000_000,
            halves: HALVES,
            timeouts: vec![default_timeouts(|seconds| seconds * TICKS_PER_SECOND)],
            interfaces: vec![none; INTERFACE_SLOTS as usize],
            // Id 0 means unresolved.
            next_hops: vec![NextHop::new(0, 0, [0; 6], [0; 6])],
            services: Vec::new(),
            backends: vec![Backend::NONE],
            locals: Vec::new(),
            settings: Settings::NONE,
            endpoints: Vec::new(),
            tunnel_sources: Vec::new(),
            gateways: GATEWAY_SLOTS,
        }
    }

    /// Sets what the clock shows at first.
    #[must_use]
    pub const fn now(mut self, ticks: u32) -> Self {
        self.now = ticks;
        self
    }

    /// Sets how many gateways there is room for, and one.
    #[must_use]
    pub const fn gateways(mut self, slots: u32) -> Self {
        self.gateways = slots;
        self
    }

    /// Sets the number of half buckets of each family, a power of two of at least 4.
    #[must_use]
    pub const fn halves(mut self, halves: u32) -> Self {
        self.halves = halves;
        self
    }

    /// Sizes both tables for that many live flows, as the director does.
    #[must_use]
    pub const fn room_for(self, flows: u64) -> Self {
        self.halves(halves_for(flows) as u32)
    }

    /// Sets the timeout, in ticks, of the flows whose word has this state number.
    #[must_use]
    pub fn timeout(mut self, state: u8, ticks: u32) -> Self {
        self.timeouts[0][usize::from(state)] = ticks;
        self
    }

    /// Sets all timeouts of a backend's flows.
    pub fn timeouts_of(&mut self, backend: u16, timeouts: Timeouts) {
        self.timeouts.push(timeouts);
        self.backends[usize::from(backend)].timeouts = self.timeouts.len() as u16 - 1;
    }

    /// Has packets of a backend's flows translated, to another port of it if one is given.
    pub fn nat(&mut self, backend: u16, port: Option<u16>) {
        let entry = &mut self.backends[usize::from(backend)];
        entry.mode = ForwardingMode::Nat as u8;
        entry.port = port.map_or(entry.port, u16::to_be);
    }

    /// Has them translated on both sides, with these local addresses and ports.
    pub fn full_nat(
        &mut self,
        backend: u16,
        port: Option<u16>,
        locals: &[IpAddr],
        ports: RangeInclusive<u16>,
    ) {
        self.nat(backend, port);
        let entry = &mut self.backends[usize::from(backend)];
        entry.mode = ForwardingMode::FullNat as u8;
        entry.first_local = self.locals.len() as u16;
        entry.locals = locals.len() as u16;
        (entry.first_port, entry.last_port) = (*ports.start(), *ports.end());
        self.locals
            .extend(locals.iter().map(|local| Address::from(*local)));
    }

    /// Has packets of a backend's flows tunnelled; the last `entropy` bits of the tunnels' source vary.
    pub fn tun(&mut self, backend: u16, entropy: u8) {
        let entry = &mut self.backends[usize::from(backend)];
        entry.mode = ForwardingMode::Tun as u8;
        entry.entropy = entropy;
    }

    /// Sets how many notices may be sent to all, and to one address; none otherwise.
    pub fn notices(&mut self, all: Rate, one: Rate) {
        self.settings.notices = all;
        self.settings.notices_to_one = one;
    }

    /// Sets whether nobody is told that packets are too big that may be fragmented.
    pub fn quiet_without_df(&mut self, quiet: bool) {
        self.settings.quiet_without_df = quiet.into();
    }

    /// Sets what a client is told if a service has no backend; [`NoBackend::Drop`] otherwise.
    pub fn no_backend(&mut self, service: u32, policy: NoBackend) {
        self.services[service as usize].no_backend = policy;
    }

    /// Lets tunnels end at this address of the balancer.
    pub fn endpoint(&mut self, address: IpAddr) {
        self.endpoints.push(address.into());
    }

    /// Lets tunnels come from a prefix of so many bits.
    pub fn tunnels_from(&mut self, address: IpAddr, bits: u8) {
        self.tunnel_sources
            .push((address.into(), TunnelSource::prefix(bits)));
    }

    /// Sets what becomes of TCP segments of a service's unknown flows; [`MidStream::Pass`] otherwise.
    pub fn mid_stream(&mut self, service: u32, policy: MidStream) {
        self.services[service as usize].mid_stream = policy;
    }

    /// Attaches an interface.
    pub fn interface(&mut self, index: u32, mac: [u8; 6]) {
        self.interfaces[(index % INTERFACE_SLOTS) as usize] = Interface::new(index, mac, MTU);
    }

    /// Adds a next hop; yields its id.
    pub fn next_hop(&mut self, hop: NextHop) -> u32 {
        self.next_hops.push(hop);
        self.next_hops.len() as u32 - 1
    }

    /// Adds a service; yields its id.
    pub fn service(
        &mut self,
        protocol: Protocol,
        address: IpAddr,
        port: u16,
        scheduler: Scheduler,
    ) -> u32 {
        self.services.push(Planned {
            key: ServiceKey {
                address: address.into(),
                port: port.to_be(),
                protocol: protocol as u8,
                family: Family::from(address) as u8,
            },
            scheduler,
            mid_stream: MidStream::Pass,
            no_backend: NoBackend::Drop,
        });
        self.services.len() as u32 - 1
    }

    /// Adds a backend of a service by the id of its next hop, 0: unresolved; yields its id.
    pub fn backend(&mut self, service: u32, address: IpAddr, weight: u16, next_hop: u32) -> u16 {
        self.backends.push(Backend {
            next_hop,
            service,
            address: address.into(),
            port: self.services[service as usize].key.port,
            weight,
            mode: ForwardingMode::Dr as u8,
            family: Family::from(address) as u8,
            ..Backend::NONE
        });
        self.backends.len() as u16 - 1
    }

    /// Ids of the backends of a service, in turn.
    fn turns(&self, service: u32, scheduler: Scheduler) -> Vec<u16> {
        // The kernel's list has the newest first.
        let ids: Vec<u16> = (1..self.backends.len() as u16)
            .rev()
            .filter(|id| self.backends[usize::from(*id)].service == service)
            .collect();
        let weights: Vec<u16> = ids
            .iter()
            .map(|id| self.backends[usize::from(*id)].weight)
            .collect();
        match scheduler {
            Scheduler::Rr => ring::plain(&weights).map(|i| ids[i]).collect(),
            Scheduler::Wrr => ring::weighted(&weights).map(|i| ids[i]).collect(),
        }
    }

    /// The maps with all of this in them.
    pub fn build(&self) -> Memory {
        let mut state = self.seed;
        let mut rings = Vec::new();
        let mut keys = Vec::new();
        let mut services = Vec::new();
        for (id, planned) in (0_u32..).zip(&self.services) {
            let turns = self.turns(id, planned.scheduler);
            keys.push((planned.key, id));
            services.push(Service {
                ring: append(&mut rings, &turns).to_bits(),
                key: planned.key,
                scheduler: planned.scheduler as u8,
                mid_stream: planned.mid_stream as u8,
                no_backend: planned.no_backend as u8,
                reserved: 0,
                name: [0; NAME_LEN],
            });
        }
        Memory::new(Parts {
            settings: Settings {
                keys: Keys::new(core::array::from_fn(|_| random(&mut state))),
                mask4: self.halves - 1,
                mask6: self.halves - 1,
                hz: 100,
                endpoints: u32::from(!self.endpoints.is_empty()),
                ..self.settings
            },
            timeouts: self.timeouts.clone(),
            now: self.now,
            interfaces: self.interfaces.clone(),
            keys,
            services,
            rings,
            backends: self.backends.clone(),
            next_hops: self.next_hops.clone(),
            locals: self.locals.clone(),
            endpoints: self.endpoints.clone(),
            tunnel_sources: self.tunnel_sources.clone(),
            gateways: self.gateways,
        })
    }
}

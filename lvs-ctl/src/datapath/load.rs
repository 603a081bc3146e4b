//! Loading the object, and writing its maps.

use std::net::IpAddr;

use anyhow::{Context as _, Result};
use aya::{
    TestRun as _, TestRunOptions,
    maps::{Array, HashMap, Map, MapData},
    programs::Xdp,
};
use lvs_common::map::{
    Address, Backend, NextHop, Ring, RingChunk, SLOW, Service, ServiceKey, Settings, Timeouts, name,
};

use super::{
    attach::Attacher,
    counters::StatsReader,
    entry::Entry,
    mapped::Mapped,
    object::Object,
    packet_log::PacketLog,
    pins::Pins,
    sweeper::{self, Clock, Swept},
    tunnels::Tunnels,
};

/// How many entries the maps have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// Services.
    pub services: u32,
    /// Entries of TIMEOUTS.
    pub timeouts: u32,
    /// Entries of LOCALS, at least one.
    pub locals: u32,
    /// Addresses at which tunnels end, at least one.
    pub endpoints: u32,
    /// Prefixes that tunnels may come from, at least one.
    pub tunnel_sources: u32,
    /// Backends, and one for id 0.
    pub backends: u32,
    /// Next hops, and one for id 0.
    pub next_hops: u32,
    /// Entries of RINGS.
    pub ring_chunks: u32,
    /// Half buckets of IPv4 flows, a power of two of at least 4.
    pub halves4: u32,
    /// Half buckets of IPv6 flows, a power of two of at least 4.
    pub halves6: u32,
}

/// The loaded programs and their maps.
///
/// Dropping it detaches the program; what was pinned stays until its [`Pins`] are dropped.
pub struct Datapath {
    object: Object,
    sizes: Sizes,
    settings: Array<MapData, Entry<Settings>>,
    timeouts: Array<MapData, Timeouts>,
    locals: Array<MapData, Entry<Address>>,
    tunnels: Tunnels,
    keys: HashMap<MapData, Entry<ServiceKey>, u32>,
    services: Array<MapData, Entry<Service>>,
    services_memory: Mapped<Service>,
    backends: Array<MapData, Entry<Backend>>,
    backends_memory: Mapped<Backend>,
    next_hops: Array<MapData, Entry<NextHop>>,
    rings: Array<MapData, Entry<RingChunk>>,
}

/// Name of the program that it calls for packets it has no way for.
const SLOW_PATH: &str = "slow";
/// Name of the program that is attached.
const PROGRAM: &str = "lvs";

impl Datapath {
    /// Loads the object with maps of these sizes, and the verifier's blessing.
    ///
    /// With `trace` the program logs every packet; that costs, and is for looking closely.
    ///
    /// # Errors
    /// If the kernel refuses; the message says why.
    pub fn load(sizes: Sizes, trace: bool) -> Result<Self> {
        let entries = [
            (name::TIMEOUTS, sizes.timeouts),
            (name::LOCALS, sizes.locals),
            (name::ENDPOINTS, sizes.endpoints),
            (name::TUNNEL_SOURCES, sizes.tunnel_sources),
            (name::BACKEND_CURSORS, sizes.backends),
            (name::SERVICES, sizes.services),
            (name::SERVICE, sizes.services),
            (name::CURSORS, sizes.services),
            (name::SERVICE_STATS, sizes.services),
            (name::BACKEND, sizes.backends),
            (name::LOAD, sizes.backends),
            (name::BACKEND_STATS, sizes.backends),
            (name::NEXT_HOPS, sizes.next_hops),
            (name::RINGS, sizes.ring_chunks),
            (name::FLOWS4, sizes.halves4),
            (name::FLOWS6, sizes.halves6),
        ];
        let programs = [PROGRAM, SLOW_PATH, name::SWEEP, name::FLUSH];
        let mut object = Object::load(&entries, trace, &programs)?;
        object.chain(name::PROGRAMS, SLOW, SLOW_PATH)?;
        let open = |map: &str| object.open(map);
        let (services, backends) = (open(name::SERVICE)?, open(name::BACKEND)?);
        Ok(Self {
            sizes,
            settings: open(name::SETTINGS)?.try_into()?,
            timeouts: open(name::TIMEOUTS)?.try_into()?,
            locals: open(name::LOCALS)?.try_into()?,
            tunnels: Tunnels::open(&object)?,
            keys: open(name::SERVICES)?.try_into()?,
            services_memory: Mapped::new(&services, true).context(name::SERVICE)?,
            services: services.try_into()?,
            backends_memory: Mapped::new(&backends, true).context(name::BACKEND)?,
            backends: backends.try_into()?,
            next_hops: open(name::NEXT_HOPS)?.try_into()?,
            rings: open(name::RINGS)?.try_into()?,
            object,
        })
    }

    /// The sizes it was loaded with.
    pub fn sizes(&self) -> Sizes {
        self.sizes
    }

    /// Pins the programs that sweep and flush, for other processes to run.
    ///
    /// # Errors
    /// If one cannot be pinned.
    pub fn pin_programs(&mut self, pins: &Pins) -> Result<()> {
        for program in [name::SWEEP, name::FLUSH] {
            let path = pins.path(program);
            let pinned = self.object.program_mut(program)?.pin(&path);
            pinned.with_context(|| format!("cannot pin the program {}", path.display()))?;
        }
        Ok(())
    }

    /// Pins every map, for other processes to read.
    ///
    /// # Errors
    /// If one cannot be pinned.
    pub fn pin(&self, pins: &Pins) -> Result<()> {
        for map in name::ALL {
            let path = pins.path(map);
            let pinned = self.object.map(map)?.pin(&path);
            pinned.with_context(|| format!("cannot pin the map {}", path.display()))?;
        }
        Ok(())
    }

    /// What the program logs; only with `trace`. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// If the program was loaded without.
    pub fn packet_log(&mut self) -> Result<PacketLog> {
        PacketLog::new(&mut self.object.ebpf)
    }

    /// Reads what this data plane counts.
    ///
    /// # Errors
    /// If a map cannot be opened.
    pub fn stats(&self) -> Result<StatsReader> {
        StatsReader::new(|map| self.open(map))
    }

    /// How many instructions the verifier followed to prove the program; it gives up at a million.
    ///
    /// # Errors
    /// If the kernel does not tell.
    pub fn verified_instructions(&self) -> Result<u32> {
        let count = self.program(PROGRAM)?.info()?.verified_instruction_count();
        count.context("the kernel does not tell how many instructions it verified")
    }

    /// Measures the kernel's clock; takes a tenth of a second.
    ///
    /// # Errors
    /// If the kernel does not run the sweep program.
    pub fn calibrate(&self) -> Result<Clock> {
        sweeper::calibrate(self.program(name::SWEEP)?)
    }

    /// Frees the expired flows of the whole table, in steps that each hold up the network input of
    /// one CPU for well under a millisecond.
    ///
    /// # Errors
    /// If the kernel does not run the sweep program.
    pub fn sweep(&self) -> Result<Swept> {
        sweeper::sweep(
            self.program(name::SWEEP)?,
            self.sizes.halves4,
            self.sizes.halves6,
        )
    }

    /// Runs the program on a frame as if it came by the loopback interface; yields the XDP verdict
    /// and the frame after it.
    ///
    /// # Errors
    /// If the kernel does not run it: a frame must have at least an Ethernet header.
    pub fn try_frame(&self, frame: &[u8]) -> Result<(u32, Vec<u8>)> {
        let mut after = vec![0; frame.len() + 256];
        let result = self.program(PROGRAM)?.test_run(TestRunOptions {
            data_in: Some(frame),
            data_out: Some(&mut after),
            ..TestRunOptions::default()
        });
        let result = result.context("cannot run the program on a frame")?;
        after.truncate(result.data_size_out as usize);
        Ok((result.return_value, after))
    }

    /// Writes the settings.
    ///
    /// # Errors
    /// If the kernel refuses, here and for the other entries.
    pub fn set_settings(&mut self, settings: Settings) -> Result<()> {
        self.settings
            .set(0, Entry(settings), 0)
            .context(name::SETTINGS)
    }

    /// Writes an entry of TIMEOUTS.
    ///
    /// # Errors
    /// As above.
    pub fn set_timeouts(&mut self, number: u32, timeouts: Timeouts) -> Result<()> {
        self.timeouts
            .set(number, timeouts, 0)
            .context(name::TIMEOUTS)
    }

    /// Writes a local address of FULLNAT that no backend names yet.
    ///
    /// # Errors
    /// As above.
    pub fn set_local(&mut self, number: u32, address: Address) -> Result<()> {
        self.locals
            .set(number, Entry(address), 0)
            .context(name::LOCALS)
    }

    /// Lets tunnels end at an address of this machine; the settings must say that there are such.
    ///
    /// # Errors
    /// As above.
    pub fn add_endpoint(&mut self, address: IpAddr) -> Result<()> {
        self.tunnels.add_endpoint(address)
    }

    /// Lets tunnels come from a prefix of so many bits.
    ///
    /// # Errors
    /// As above.
    pub fn allow_tunnels(&mut self, from: IpAddr, bits: u8) -> Result<()> {
        self.tunnels.allow(from, bits)
    }

    /// Makes an interface's MAC address known, which must be before the program is attached there.
    ///
    /// # Errors
    /// As above, and if another interface's index has the same place.
    pub fn set_interface(&mut self, index: u32, mac: [u8; 6], mtu: u32) -> Result<()> {
        self.attacher().set_interface(index, mac, mtu)
    }

    /// Writes a service that no packet finds yet.
    ///
    /// # Errors
    /// As above.
    pub fn write_service(&mut self, id: u32, service: Service) -> Result<()> {
        self.services
            .set(id, Entry(service), 0)
            .context(name::SERVICE)
    }

    /// Lets packets find a service.
    ///
    /// # Errors
    /// As above.
    pub fn publish_service(&mut self, key: ServiceKey, id: u32) -> Result<()> {
        self.keys.insert(Entry(key), id, 0).context(name::SERVICES)
    }

    /// Writes a backend that is on no ring yet.
    ///
    /// # Errors
    /// As above.
    pub fn write_backend(&mut self, id: u32, backend: Backend) -> Result<()> {
        self.backends
            .set(id, Entry(backend), 0)
            .context(name::BACKEND)
    }

    /// Writes a next hop that no backend names.
    ///
    /// # Errors
    /// As above.
    pub fn write_next_hop(&mut self, id: u32, next_hop: NextHop) -> Result<()> {
        self.next_hops
            .set(id, Entry(next_hop), 0)
            .context(name::NEXT_HOPS)
    }

    /// Has a backend's packets go to this next hop from now on; 0: nowhere.
    ///
    /// # Errors
    /// If there is no such backend.
    pub fn set_next_hop(&self, backend: u32, next_hop: u32) -> Result<()> {
        self.backends_memory
            .set_first_u32(backend, next_hop)
            .context(name::BACKEND)
    }

    /// Writes backend ids to a ring that is not in use.
    ///
    /// # Errors
    /// As above.
    pub fn write_ring(&mut self, ring: Ring, backends: &[u16]) -> Result<()> {
        let first = ring.first / RingChunk::default().len() as u32;
        for (chunk, ids) in (first..).zip(backends.chunks(RingChunk::default().len())) {
            let mut entry = RingChunk::default();
            entry[..ids.len()].copy_from_slice(ids);
            self.rings
                .set(chunk, Entry(entry), 0)
                .context(name::RINGS)?;
        }
        Ok(())
    }

    /// Has a service's new flows go round this ring from now on.
    ///
    /// # Errors
    /// If there is no such service.
    pub fn set_ring(&self, service: u32, ring: Ring) -> Result<()> {
        self.services_memory
            .set_first_u64(service, ring.to_bits())
            .context(name::SERVICE)
    }

    /// Another handle of a map.
    pub(super) fn open(&self, name: &str) -> Result<Map> {
        self.object.open(name)
    }

    /// A program of the object by its name, for who runs or measures it without an interface: `lvs`
    /// is the data plane, `sweep` the sweep.
    ///
    /// # Errors
    /// If there is none.
    pub fn program(&self, name: &str) -> Result<&Xdp> {
        self.object.program(name)
    }

    /// Attaches the data plane to interfaces.
    pub fn attacher(&mut self) -> Attacher<'_> {
        Attacher::new(&mut self.object, PROGRAM)
    }
}

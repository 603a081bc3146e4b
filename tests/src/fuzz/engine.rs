//! The run: packet after packet, each checked.

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
};

use lvs_common::{Reason, map::FlowEvent};
use lvs_ebpf::host::{Memory, audit, judge};
use rand::{Rng as _, SeedableRng as _, rngs::SmallRng};

use super::{
    arena::{Arena, MAX_FRAME, Wall},
    fault,
    mutate::{mutate, noise},
    report::{Failure, Report},
    traffic,
    world::{self, DMZ, LAN, STRANGE},
};

/// Packets between two counts of the whole table.
const AUDIT_EVERY: u64 = 4096;

/// A run of the fuzzer.
#[derive(Debug)]
pub struct Fuzzer {
    seed: u64,
    random: SmallRng,
    memory: Memory,
    arena: Arena,
    packets: u64,
    swept: u64,
}

impl Fuzzer {
    /// A new run; the same seed makes the same one.
    pub fn new(seed: u64) -> io::Result<Self> {
        Ok(Self {
            seed,
            random: SmallRng::seed_from_u64(seed),
            memory: world::memory(seed),
            arena: Arena::new()?,
            packets: 0,
            swept: 0,
        })
    }

    /// Walks one packet and checks what became of it.
    pub fn step(&mut self) -> Result<(), Failure> {
        self.disturb();
        let packet = self.packet();
        let ingress = match self.random.random_range(0..64) {
            0 => DMZ,
            1 => STRANGE,
            _ => LAN,
        };
        let checked = self.walk(&packet, ingress).and_then(|()| {
            if self.packets.is_multiple_of(AUDIT_EVERY) {
                audit(&self.memory)
            } else {
                Ok(())
            }
        });
        self.packets += 1;
        checked.map_err(|complaint| Failure {
            complaint,
            seed: self.seed,
            number: self.packets - 1,
            ingress,
            packet,
        })
    }

    /// Lets time pass now and then, and sweeps.
    fn disturb(&mut self) {
        match self.random.random_range(0..2_000) {
            0 => self.memory.pass(self.random.random_range(0..10_000)),
            1..20 => self.memory.pass(self.random.random_range(0..50)),
            20 => self.swept += u64::from(self.memory.sweep_all().retired),
            _ => {}
        }
    }

    fn packet(&mut self) -> Vec<u8> {
        let random = &mut self.random;
        let mut packet = match random.random_range(0..16) {
            0 => noise(random),
            1..6 => traffic::packet(random),
            _ => {
                let mut packet = traffic::packet(random);
                let other = traffic::packet(random);
                mutate(random, &mut packet, &other);
                packet
            }
        };
        packet.truncate(MAX_FRAME);
        packet
    }

    fn walk(&mut self, packet: &[u8], ingress: u32) -> Result<(), String> {
        let wall = if self.packets.is_multiple_of(2) {
            Wall::Back
        } else {
            Wall::Front
        };
        fault::note(self.seed, packet);
        let placed = self.arena.place(packet, wall, ingress);
        let memory = &self.memory;
        let outcome = catch_unwind(AssertUnwindSafe(|| memory.receive(&placed)))
            .map_err(|_panic| "a panic, see above".to_owned())?;
        if !placed.is_intact() {
            return Err(format!("{outcome:?}, and written outside the frame"));
        }
        judge(memory, ingress, packet, placed.bytes(), outcome)
    }

    /// What has been covered until now.
    pub fn report(&self) -> Report {
        let reasons = Reason::ALL.iter();
        let events = FlowEvent::ALL.iter();
        Report {
            seed: self.seed,
            packets: self.packets,
            swept: self.swept,
            reasons: reasons
                .map(|reason| (*reason, self.memory.reason_counters(*reason).packets))
                .collect(),
            events: events
                .map(|event| (*event, self.memory.event(*event)))
                .collect(),
        }
    }
}

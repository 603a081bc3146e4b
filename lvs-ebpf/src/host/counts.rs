//! What the kernel would count per CPU, counted once for all threads.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use lvs_common::{
    Reason,
    map::{Counters, FlowEvent, Notice},
};

/// Counters that any thread may add to.
#[derive(Debug, Default)]
struct Shared {
    packets: AtomicU64,
    bytes: AtomicU64,
    connections: AtomicU64,
    packets_out: AtomicU64,
    bytes_out: AtomicU64,
}

impl Shared {
    fn packet(&self, bytes: u64) {
        self.packets.fetch_add(1, Relaxed);
        self.bytes.fetch_add(bytes, Relaxed);
    }

    fn read(&self) -> Counters {
        Counters {
            packets: self.packets.load(Relaxed),
            bytes: self.bytes.load(Relaxed),
            connections: self.connections.load(Relaxed),
            packets_out: self.packets_out.load(Relaxed),
            bytes_out: self.bytes_out.load(Relaxed),
        }
    }
}

/// The counters of a [`Memory`](super::Memory).
#[derive(Debug)]
pub(super) struct Counts {
    services: Vec<Shared>,
    backends: Vec<Shared>,
    reasons: Vec<Shared>,
    events: Vec<AtomicU64>,
    notices: Vec<AtomicU64>,
}

fn zeros<T: Default>(len: usize) -> Vec<T> {
    (0..len).map(|_| T::default()).collect()
}

fn read(counters: &[Shared], id: u32) -> Counters {
    counters
        .get(id as usize)
        .map_or(Counters::ZERO, Shared::read)
}

impl Counts {
    pub(super) fn new(services: usize, backends: usize) -> Self {
        Self {
            services: zeros(services),
            backends: zeros(backends),
            reasons: zeros(Reason::ALL.len()),
            events: zeros(FlowEvent::ALL.len()),
            notices: zeros(Notice::ALL.len()),
        }
    }

    pub(super) fn packet(&self, service: u32, backend: u32, bytes: u64) {
        for (counters, id) in [(&self.services, service), (&self.backends, backend)] {
            if let Some(counters) = counters.get(id as usize) {
                counters.packet(bytes);
            }
        }
    }

    pub(super) fn answer(&self, service: u32, backend: u32, bytes: u64) {
        for (counters, id) in [(&self.services, service), (&self.backends, backend)] {
            if let Some(counters) = counters.get(id as usize) {
                counters.packets_out.fetch_add(1, Relaxed);
                counters.bytes_out.fetch_add(bytes, Relaxed);
            }
        }
    }

    pub(super) fn connection(&self, service: u32, backend: u32) {
        for (counters, id) in [(&self.services, service), (&self.backends, backend)] {
            if let Some(counters) = counters.get(id as usize) {
                counters.connections.fetch_add(1, Relaxed);
            }
        }
    }

    pub(super) fn reason(&self, reason: Reason, bytes: u64) {
        self.reasons[reason as usize].packet(bytes);
    }

    pub(super) fn event(&self, event: FlowEvent) {
        self.events[event as usize].fetch_add(1, Relaxed);
    }

    pub(super) fn of_service(&self, id: u32) -> Counters {
        read(&self.services, id)
    }

    pub(super) fn of_backend(&self, id: u32) -> Counters {
        read(&self.backends, id)
    }

    pub(super) fn of_reason(&self, reason: Reason) -> Counters {
        self.reasons[reason as usize].read()
    }

    pub(super) fn of_event(&self, event: FlowEvent) -> u64 {
        self.events[event as usize].load(Relaxed)
    }

    pub(super) fn notice(&self, number: u32) {
        if let Some(count) = self.notices.get(number as usize) {
            count.fetch_add(1, Relaxed);
        }
    }

    pub(super) fn of_notice(&self, notice: Notice) -> u64 {
        self.notices[notice as usize].load(Relaxed)
    }
}

//! The configuration that is measured: one service with three backends, all reachable.

use std::{array, net::IpAddr, time::Duration};

use anyhow::Result;
use lvs_common::{
    Family, ForwardingMode, MidStream, NoBackend, Protocol, Scheduler,
    flow::{Keys, halves_for},
    map::{Backend, NAME_LEN, NextHop, Ring, Service, ServiceKey, Settings, default_timeouts},
};
use lvs_ctl::datapath::{Datapath, Sizes};
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};

use crate::harness::traffic::{OURS, VIP4, VIP6};

/// Index of the loopback interface, by which frames of a test run come.
const LOOPBACK: u32 = 1;
/// Id of the service.
pub(super) const SERVICE: u32 = 0;
/// Ids of the backends: from 1 to this one.
pub(super) const BACKENDS: u16 = 3;
/// Port of the service.
pub(super) const PORT: u16 = 80;
const MTU: u32 = 1500;

/// The data plane with a table for this many flows, and the service written.
pub(super) fn datapath(family: Family, flows: u32) -> Result<Datapath> {
    let halves = |of| halves_for(if of == family { flows.into() } else { 0 }) as u32;
    let sizes = Sizes {
        services: 1,
        timeouts: 1,
        locals: 1,
        endpoints: 1,
        tunnel_sources: 1,
        backends: u32::from(BACKENDS) + 1,
        next_hops: u32::from(BACKENDS) + 1,
        ring_chunks: 1,
        halves4: halves(Family::Ipv4),
        halves6: halves(Family::Ipv6),
    };
    let mut datapath = Datapath::load(sizes, false)?;
    let mut random = StdRng::from_os_rng();
    let clock = datapath.calibrate()?;
    datapath.set_settings(Settings {
        keys: Keys::new(array::from_fn(|_| random.random())),
        mask4: sizes.halves4 - 1,
        mask6: sizes.halves6 - 1,
        hz: clock.hz(),
        endpoints: 0,
        ..Settings::NONE
    })?;
    let ticks = |seconds: u32| clock.ticks(Duration::from_secs(seconds.into()));
    datapath.set_timeouts(0, default_timeouts(ticks))?;
    datapath.set_interface(LOOPBACK, OURS, MTU)?;
    let ids: Vec<u16> = (1..=BACKENDS).collect();
    for id in &ids {
        let mac = [2, 0, 0, 0, 1, *id as u8];
        datapath.write_next_hop((*id).into(), NextHop::new(LOOPBACK, MTU, mac, OURS))?;
        datapath.write_backend((*id).into(), backend(family, *id))?;
    }
    let ring = Ring {
        first: 0,
        len: BACKENDS.into(),
    };
    datapath.write_ring(ring, &ids)?;
    let service = service(family, ring);
    datapath.write_service(SERVICE, service)?;
    datapath.publish_service(service.key, SERVICE)?;
    Ok(datapath)
}

fn vip(family: Family) -> IpAddr {
    match family {
        Family::Ipv4 => VIP4.into(),
        Family::Ipv6 => VIP6.into(),
    }
}

fn backend(family: Family, id: u16) -> Backend {
    Backend {
        next_hop: id.into(),
        service: SERVICE,
        address: vip(family).into(),
        port: PORT.to_be(),
        weight: 1,
        mode: ForwardingMode::Dr as u8,
        family: family as u8,
        ..Backend::NONE
    }
}

fn service(family: Family, ring: Ring) -> Service {
    Service {
        ring: ring.to_bits(),
        key: ServiceKey {
            address: vip(family).into(),
            port: PORT.to_be(),
            protocol: Protocol::Tcp as u8,
            family: family as u8,
        },
        scheduler: Scheduler::Rr as u8,
        mid_stream: MidStream::Pass as u8,
        no_backend: NoBackend::Unreachable as u8,
        reserved: 0,
        name: [0; NAME_LEN],
    }
}

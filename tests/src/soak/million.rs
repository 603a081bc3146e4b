//! An empty table takes as many flows as it is made for, and none of them costs another.

use std::{array, time::Duration};

use anyhow::{Result, ensure};
use lvs_common::{Family, Protocol, flow::Keys, map::FlowEvent, tcp};
use rand::{Rng as _, SeedableRng as _, rngs::SmallRng};

use super::balancer::Balancer;

/// `flows: 1M`.
const FLOWS: u32 = 1_000_000;
/// How often, with other keys each time.
const OPENINGS: u64 = 20;

/// Opens that many flows in tables for as many, once with the keys of each seed: every other time of
/// neighbours, else of clients from anywhere.
///
/// # Errors
/// If one was evicted or found no place, or counts are not true.
pub fn open(family: Family, flows: u32, seeds: impl Iterator<Item = u64>) -> Result<()> {
    for seed in seeds {
        let mut balancer = Balancer::new(family, flows)?;
        let mut random = SmallRng::seed_from_u64(seed);
        balancer.set_keys(Keys::new(array::from_fn(|_| random.random())))?;
        let mut traffic = Balancer::traffic(Protocol::Tcp, tcp::SYN, 0);
        traffic.scattered = (seed % 2) as u32;
        balancer.send(traffic, flows)?;
        let (evicted, homeless) = (balancer.evicted()?, balancer.event(FlowEvent::NotKept)?);
        ensure!(
            evicted == 0 && homeless == 0,
            "{family:?}, seed {seed}: of {flows} new flows {evicted} evicted another, and \
             {homeless} found no place"
        );
        let active: u32 = balancer.scan()?.iter().map(|counts| counts.active).sum();
        ensure!(
            active == flows,
            "{family:?}, seed {seed}: {active} of {flows}"
        );
    }
    Ok(())
}

/// The soak.
pub(super) fn run(_: Duration) -> Result<()> {
    for family in [Family::Ipv4, Family::Ipv6] {
        open(family, FLOWS, 0..OPENINGS)?;
        println!(
            "  {family:?}: {OPENINGS} times {FLOWS} flows, each with other keys: none evicted"
        );
    }
    Ok(())
}

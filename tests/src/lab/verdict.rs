//! What client, backends and balancer counted, compared with the weights and with each other.

use anyhow::{Result, ensure};

use super::farm::Farm;
use super::host::Host;
use super::http::Tally;
use super::stats::Service;

/// Whether no request failed, and all three counted the same connections of every backend, in the ratio of
/// the weights. The farm's servers must have had no other requests.
pub fn balanced(
    backends: &[Host],
    weights: &[u32],
    tally: &Tally,
    farm: &Farm,
    service: &Service,
) -> Result<()> {
    all_answered(tally)?;
    let requests = tally.answered();
    ensure!(
        service.connections == requests,
        "the balancer counted {} connections for {requests} requests",
        service.connections
    );
    let round = weights.iter().copied().map(u64::from).sum::<u64>();
    for ((host, server), weight) in backends.iter().zip(&farm.http).zip(weights) {
        let backend = service
            .backend(host.ipv4)
            .or_else(|_| service.backend(host.ipv6))?;
        let counts = [backend.connections, tally.of(&host.name), server.requests()];
        ensure!(
            counts.iter().all(|&count| count == counts[0]),
            "{}: the balancer counted {}, the client {}, the backend {}",
            host.name,
            counts[0],
            counts[1],
            counts[2]
        );
        // Whole rounds are exact; of one that was begun a backend has between nothing and all.
        let least = requests / round * u64::from(*weight);
        let most = requests.div_ceil(round) * u64::from(*weight);
        ensure!(
            (least..=most).contains(&counts[0]),
            "{} got {} connections; its weight {weight} of {round} is worth {least} to {most}",
            host.name,
            counts[0]
        );
    }
    Ok(())
}

/// Whether no request failed.
pub fn all_answered(tally: &Tally) -> Result<()> {
    let failures = &tally.failures;
    ensure!(
        failures.is_empty(),
        "{} of {} requests failed, the first: {}",
        failures.len(),
        tally.answered() + failures.len() as u64,
        failures[0]
    );
    Ok(())
}

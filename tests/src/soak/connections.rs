//! A life of many connections: they are closed, expire, lose their backend and their director; and all
//! the while the counts of active and inactive flows are what a scan of the table finds.

use std::{fmt::Write as _, net::SocketAddr, path::Path, process, time::Duration};

use anyhow::{Result, ensure};
use lvs_common::{Family, Protocol, flow::Stage, tcp};
use lvs_ctl::datapath::{FlowCounts, Pinned, Pins};

use super::balancer::{BACKENDS, Balancer, expire, scan};
use crate::{harness::traffic::OURS, packet::Frame};

/// How many the soak has.
const CONNECTIONS: u32 = 200_000;

const ESTABLISHED: Stage = Stage::Tcp(tcp::State::Established);
const FIN_WAIT: Stage = Stage::Tcp(tcp::State::FinWait);
/// The backend that is removed: id and name.
const REMOVED: (u16, &str) = (2, "web-2");
/// Those that stay.
const LEFT: [&str; 3] = ["web-4", "web-3", "web-1"];

/// Lives through it all with that many connections, a multiple of 16; tells of each event what was
/// counted after it.
///
/// # Errors
/// If counts are not what a scan finds, or not what they must be.
pub fn live(family: Family, connections: u32) -> Result<String> {
    let mut balancer = Balancer::new(family, connections)?;
    let (quarter, half) = (connections / 4, connections / 2);
    let mut diary = String::new();
    let mut note = |event: &str, counts: &[FlowCounts], expected: (u32, u32)| -> Result<()> {
        let (active, inactive) = sum(counts);
        ensure!(
            (active, inactive) == expected,
            "{event}: {active} active and {inactive} inactive instead of {expected:?}"
        );
        writeln!(
            diary,
            "  {event:<22}{active:>9} active{inactive:>9} inactive"
        )?;
        Ok(())
    };

    for flags in [tcp::SYN, tcp::ACK, tcp::ACK] {
        segments(&mut balancer, flags, 0, connections)?;
    }
    note("opened", &balancer.scan()?, (connections, 0))?;

    segments(&mut balancer, tcp::FIN | tcp::ACK, 0, half)?;
    note("half of them closed", &balancer.scan()?, (half, half))?;

    let second = balancer.clock.ticks(Duration::from_secs(1));
    balancer.rig.set_timeout(ESTABLISHED, second)?;
    segments(&mut balancer, tcp::ACK, half, quarter)?;
    expire(|| balancer.rig.datapath.sweep(), quarter)?;
    note("a quarter expired", &balancer.scan()?, (quarter, half))?;

    let (id, name) = REMOVED;
    balancer.rig.set_turns("web", &LEFT)?;
    balancer.rig.move_backend(name, None)?;
    segments(&mut balancer, tcp::SYN, connections, quarter)?;
    let counts = balancer.scan()?;
    note("a backend removed", &counts, (half, half))?;
    let its = counts[usize::from(id) - 1];
    let (active, inactive) = (quarter / 4, half / 4);
    ensure!(its == FlowCounts { active, inactive }, "{name} has {its:?}");
    balancer.rig.set_timeout(FIN_WAIT, second)?;
    for client in clients_of(&balancer, id) {
        let ack = Frame::tcp(client, balancer.web(), tcp::ACK).to_mac(OURS);
        balancer.rig.walk(&ack.bytes())?;
    }
    expire(|| balancer.rig.datapath.sweep(), active + inactive)?;
    let left = (half - active, half - inactive);
    note("its flows expired", &balancer.scan()?, left)?;

    // These expire while there is no director.
    segments(&mut balancer, tcp::ACK, connections, quarter)?;
    let root = format!("/sys/fs/bpf/lvs-soak-{}-{family:?}", process::id());
    let pins = Pins::take(Path::new(&root))?;
    balancer.rig.pin(&pins)?;
    drop(balancer);
    let pinned = Pinned::open(Path::new(&root))?;
    expire(|| pinned.sweep(), quarter)?;
    let flows = pinned.flows()?;
    let counts = scan(
        flows.iter(|word| !word.is_reply()).map(|(flow, _)| flow),
        &pinned.stats,
    )?;
    note("the director is gone", &counts, (left.0 - quarter, left.1))?;
    Ok(diary)
}

/// A segment with these flags on each of so many connections, from this one on.
fn segments(balancer: &mut Balancer, flags: u8, first: u32, connections: u32) -> Result<()> {
    let traffic = Balancer::traffic(Protocol::Tcp, flags, first);
    balancer.send(traffic, connections)
}

/// Active and inactive flows of the backends of TCP; those of UDP have none.
fn sum(counts: &[FlowCounts]) -> (u32, u32) {
    let web = &counts[..usize::from(BACKENDS)];
    let active = web.iter().map(|counts| counts.active).sum();
    (active, web.iter().map(|counts| counts.inactive).sum())
}

fn clients_of(balancer: &Balancer, backend: u16) -> Vec<SocketAddr> {
    let flows = balancer.rig.flows().into_iter();
    let its = flows.filter(|flow| flow.word.backend() == backend);
    its.map(|flow| flow.source).collect()
}

/// The soak.
pub(super) fn run(_: Duration) -> Result<()> {
    for family in [Family::Ipv4, Family::Ipv6] {
        print!("  {family:?}\n{}", live(family, CONNECTIONS)?);
    }
    Ok(())
}

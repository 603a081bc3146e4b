//! Floods of forged packets: what becomes of established connections, and of clients that come
//! meanwhile.
//!
//! In a table that the flood has filled, a client's SYN opens a flow; so many forged packets later, as
//! come in a round trip, its ACK and its data follow. The handshake is complete if they go where the SYN
//! went.

use std::{
    collections::{HashMap, VecDeque},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use lvs_common::{Family, Protocol, map::FlowEvent, tcp};

use super::balancer::Balancer;
use crate::{
    harness::traffic::{OURS, Traffic},
    packet::{Frame, Rig, Xdp},
};

/// What is forged. Every address is another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flood {
    /// A SYN each.
    Syn,
    /// A datagram each.
    Datagram,
    /// A SYN each, and the ACK that would follow if the client were real.
    SynAck,
}

impl Flood {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Syn, Self::Datagram, Self::SynAck];

    const fn name(self) -> &'static str {
        match self {
            Self::Syn => "SYN",
            Self::Datagram => "UDP datagrams",
            Self::SynAck => "SYN + ACK",
        }
    }

    /// The packets after that many.
    fn traffic(self, after: u32) -> Traffic {
        let (protocol, first) = match self {
            Self::Syn => (Protocol::Tcp, after),
            Self::Datagram => (Protocol::Udp, after),
            Self::SynAck => (Protocol::Tcp, after / 2),
        };
        Traffic {
            scattered: 1,
            ack_follows: u32::from(self == Self::SynAck),
            ..Balancer::traffic(protocol, tcp::SYN, first)
        }
    }
}

/// Steps of the flood in a round trip of clients: with the soak's scale from 2 % of the table's slots to
/// twice as many.
const GAPS: [u32; 5] = [1, 10, 25, 50, 100];

/// How much of everything.
#[derive(Clone, Copy, Debug)]
pub struct Scale {
    /// Flows that the table is made for.
    pub flows: u32,
    /// Connections that are established before.
    pub established: u32,
    /// Forged packets.
    pub forged: u32,
    /// Forged packets in a step: the shortest round trip, see [`GAPS`].
    pub step: u32,
    /// For how many steps, the last of the flood, clients come. Each takes the kernel some 20 ms of
    /// preparation.
    pub steps: u32,
    /// Clients of each round trip that come in each step.
    pub clients: usize,
}

impl Scale {
    /// The soak's: `flows: 256k`.
    pub const FULL: Self = Self {
        flows: 256_000,
        established: 10_000,
        forged: 20_000_000,
        step: 20_000,
        steps: 600,
        clients: 10,
    };
    /// A 64th of it, and fewer steps.
    pub const SMALL: Self = Self {
        flows: 4_000,
        established: 10_000 / 64,
        forged: 20_000_000 / 64,
        step: 20_000 / 64,
        steps: 40,
        clients: 4,
    };
}

/// Handshakes of clients with the same round trip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Handshakes {
    /// Forged packets between SYN and ACK.
    pub gap: u32,
    /// How many clients there were.
    pub begun: u32,
    /// How many of their connections came about.
    pub complete: u32,
}

impl Handshakes {
    /// Complete ones in a thousand.
    pub const fn per_mille(&self) -> u32 {
        self.complete * 1000 / self.begun
    }
}

/// A client that waits for an answer.
struct Client {
    address: SocketAddr,
    /// MAC address of the backend that got its SYN.
    backend: [u8; 6],
}

/// Clients with the same round trip, the longest waiting first.
struct Queue {
    steps: usize,
    waiting: VecDeque<Vec<Client>>,
    handshakes: Handshakes,
}

/// Sends a flood on established connections and new clients; tells what became of these, by their round
/// trips, the shortest first.
///
/// # Errors
/// If an established connection is gone or elsewhere, a client's segment goes to another backend than its
/// SYN, or counts are not true.
pub fn send(flood: Flood, family: Family, scale: &Scale) -> Result<Vec<Handshakes>> {
    let mut balancer = Balancer::new(family, scale.flows)?;
    for flags in [tcp::SYN, tcp::ACK, tcp::ACK, tcp::ACK] {
        let traffic = Balancer::traffic(Protocol::Tcp, flags, 0);
        balancer.send(traffic, scale.established)?;
    }
    let before = backends(&balancer.rig);
    ensure!(
        before.len() == scale.established as usize,
        "some are missing"
    );

    let mut queues = GAPS.map(|steps| Queue {
        steps: steps as usize,
        waiting: VecDeque::new(),
        handshakes: Handshakes {
            gap: scale.step * steps,
            begun: 0,
            complete: 0,
        },
    });
    let mut clients = (0..).map(|number| client(family, number));
    let filling = scale.forged - scale.steps * scale.step;
    balancer.send(flood.traffic(0), filling)?;
    for after in (filling..scale.forged).step_by(scale.step as usize) {
        for queue in &mut queues {
            let new = clients.by_ref().take(scale.clients);
            let new = new.map(|address| begin(&balancer, address));
            queue.waiting.push_back(new.collect::<Result<_>>()?);
        }
        balancer.send(flood.traffic(after), scale.step)?;
        for queue in &mut queues {
            queue.answer(&balancer)?;
        }
    }

    let after = backends(&balancer.rig);
    let lost = before
        .iter()
        .filter(|(who, backend)| after.get(who) != Some(backend));
    let lost = lost.count();
    ensure!(
        lost == 0,
        "{lost} of {} established connections are lost",
        before.len()
    );
    let alarms = balancer.event(FlowEvent::EvictedProven)?;
    ensure!(alarms == 0, "{alarms} proven flows were evicted");
    balancer.scan()?;
    let handshakes = queues.into_iter().map(|queue| queue.handshakes);
    Ok(handshakes.filter(|some| some.begun > 0).collect())
}

impl Queue {
    /// Those who have waited for a round trip go on.
    fn answer(&mut self, balancer: &Balancer) -> Result<()> {
        if self.waiting.len() < self.steps {
            return Ok(());
        }
        for client in self.waiting.pop_front().unwrap_or_default() {
            self.handshakes.begun += 1;
            self.handshakes.complete += u32::from(complete(balancer, &client)?);
        }
        Ok(())
    }
}

/// The backend of every flow, by client.
fn backends(rig: &Rig) -> HashMap<SocketAddr, u16> {
    let flows = rig.flows().into_iter();
    flows
        .map(|flow| (flow.source, flow.word.backend()))
        .collect()
}

/// Address of a client that nobody forges.
fn client(family: Family, number: u32) -> SocketAddr {
    let address: IpAddr = match family {
        Family::Ipv4 => Ipv4Addr::from_bits(0x6440_0000 + number).into(),
        Family::Ipv6 => Ipv6Addr::from_bits(0x2001_0db8 << 96 | u128::from(number)).into(),
    };
    SocketAddr::new(address, 2000)
}

/// A client sends its SYN.
fn begin(balancer: &Balancer, address: SocketAddr) -> Result<Client> {
    let syn = Frame::tcp(address, balancer.web(), tcp::SYN);
    let backend = send_one(balancer, syn)?;
    let backend = backend.with_context(|| format!("the SYN of {address} was not sent"))?;
    Ok(Client { address, backend })
}

/// A client acknowledges and sends data; whether its backend gets it all.
fn complete(balancer: &Balancer, client: &Client) -> Result<bool> {
    let ack = || Frame::tcp(client.address, balancer.web(), tcp::ACK);
    for segment in [ack(), ack().payload(400), ack(), ack().payload(100)] {
        let Some(backend) = send_one(balancer, segment)? else {
            return Ok(false);
        };
        ensure!(
            backend == client.backend,
            "{} was moved to another backend",
            client.address
        );
    }
    Ok(true)
}

/// MAC address of the backend that a frame is sent to, if it is.
fn send_one(balancer: &Balancer, frame: Frame) -> Result<Option<[u8; 6]>> {
    let (verdict, after) = balancer.rig.walk(&frame.to_mac(OURS).bytes())?;
    Ok((verdict == Xdp::Tx)
        .then(|| after.first_chunk().copied())
        .flatten())
}

/// The soak.
pub(super) fn run(_: Duration) -> Result<()> {
    let scale = Scale::FULL;
    println!("  flood          family  packets from SYN to ACK    begun  complete");
    for flood in Flood::ALL {
        for family in [Family::Ipv4, Family::Ipv6] {
            let of = || format!("{} over {family:?}", flood.name());
            for handshakes in send(flood, family, &scale).with_context(of)? {
                let share = handshakes.per_mille();
                println!(
                    "  {:<15}{:<6}{:>25}{:>9}{:>7}.{} %",
                    flood.name(),
                    format!("{family:?}"),
                    handshakes.gap,
                    handshakes.begun,
                    share / 10,
                    share % 10
                );
            }
        }
    }
    println!(
        "  each flood: {} packets at flows: {}; all of {} established connections were kept",
        scale.forged, scale.flows, scale.established
    );
    Ok(())
}

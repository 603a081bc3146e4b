//! A UDP client with many ports, which keeps a record of who answered which.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};

use super::namespace::Namespace;

/// An answer that takes longer is asked for again.
const PATIENCE: Duration = Duration::from_millis(500);
/// How often, at most, one datagram is sent again.
const RETRIES: u32 = 5;
/// How many may be sent again before no more are: each has taken all of that patience.
const ENOUGH: u64 = 200;
/// Ports that wait for an answer at the same time.
const BURST: usize = 20;

/// What became of many datagrams.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Datagrams that were answered.
    pub answered: u64,
    /// Datagrams that had to be sent again before they were.
    pub resent: u64,
    /// Answers per client port and backend.
    pub ports: BTreeMap<u16, BTreeMap<String, u64>>,
}

impl Report {
    /// The ports that were answered by more than one backend.
    pub fn unsteady(&self) -> Vec<u16> {
        self.ports
            .iter()
            .filter(|(_, backends)| backends.len() != 1)
            .map(|(&port, _)| port)
            .collect()
    }

    /// How many ports each backend answered.
    pub fn ports_per_backend(&self) -> BTreeMap<&str, usize> {
        let mut count = BTreeMap::new();
        for backend in self.ports.values().flat_map(BTreeMap::keys) {
            *count.entry(backend.as_str()).or_default() += 1;
        }
        count
    }
}

/// Sends `rounds` datagrams from each of `ports` client ports to an echo server, and waits for each answer.
pub fn echo(
    namespace: &Namespace,
    server: SocketAddr,
    ports: usize,
    rounds: u32,
) -> Result<Report> {
    namespace.run(|| {
        let clients = (0..ports)
            .map(|_| Client::new(server))
            .collect::<Result<Vec<_>>>()?;
        let mut report = Report::default();
        for round in 0..rounds {
            for burst in clients.chunks(BURST) {
                for client in burst {
                    client.send(round)?;
                }
                for client in burst {
                    let backend = client.receive(round, &mut report)?;
                    report.answered += 1;
                    *report
                        .ports
                        .entry(client.port)
                        .or_default()
                        .entry(backend)
                        .or_default() += 1;
                }
            }
        }
        Ok(report)
    })
}

struct Client {
    socket: UdpSocket,
    port: u16,
}

impl Client {
    fn new(server: SocketAddr) -> Result<Self> {
        let any = if server.is_ipv4() {
            IpAddr::V4(Ipv4Addr::UNSPECIFIED)
        } else {
            IpAddr::V6(Ipv6Addr::UNSPECIFIED)
        };
        let socket = UdpSocket::bind((any, 0)).context("no port for a UDP client")?;
        // Connected: an answer that does not come from the address asked would not be received.
        socket
            .connect(server)
            .with_context(|| format!("no way to {server}"))?;
        let port = socket
            .local_addr()
            .context("a UDP socket without an address")?
            .port();
        Ok(Self { socket, port })
    }

    fn question(&self, round: u32) -> String {
        format!("{} {round}", self.port)
    }

    fn send(&self, round: u32) -> Result<()> {
        self.socket
            .send(self.question(round).as_bytes())
            .with_context(|| format!("could not send from port {}", self.port))?;
        Ok(())
    }

    /// Waits for the answer of this round and returns the backend's name.
    fn receive(&self, round: u32, report: &mut Report) -> Result<String> {
        for _ in 0..=RETRIES {
            if let Some(backend) = self.answer(round)? {
                return Ok(backend);
            }
            report.resent += 1;
            ensure!(
                report.resent <= ENOUGH,
                "of {} datagrams {ENOUGH} had to be sent again",
                report.answered
            );
            self.send(round)?;
        }
        bail!(
            "port {} got no answer to datagram {round}, though it was sent {} times",
            self.port,
            RETRIES + 1
        )
    }

    fn answer(&self, round: u32) -> Result<Option<String>> {
        let question = self.question(round);
        let start = Instant::now();
        while let Some(left) = PATIENCE
            .checked_sub(start.elapsed())
            .filter(|left| !left.is_zero())
        {
            self.socket
                .set_read_timeout(Some(left))
                .context("could not set a socket's timeout")?;
            let mut buffer = [0; 2048];
            match self.socket.recv(&mut buffer) {
                Ok(length) => {
                    let text = String::from_utf8_lossy(&buffer[..length]);
                    let (backend, echo) = text
                        .split_once(' ')
                        .with_context(|| format!("strange answer {text:?}"))?;
                    // Another one is the late answer to a datagram that was sent twice.
                    if echo == question {
                        return Ok(Some(backend.to_owned()));
                    }
                }
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) =>
                {
                    return Ok(None);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    return Err(error).with_context(|| format!("port {} was refused", self.port));
                }
            }
        }
        Ok(None)
    }
}

//! ping, without the program: a fresh machine may not have it.

use std::net::{IpAddr, UdpSocket};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use nix::sys::socket::{AddressFamily, SockFlag, SockProtocol, SockType, socket};

use super::namespace::Namespace;

const TIMEOUT: Duration = Duration::from_secs(3);
/// Type, code, checksum, identifier, sequence number.
const HEADER: usize = 8;

/// Sends one echo request with `payload` bytes behind the header and waits for the right answer.
pub fn ping(namespace: &Namespace, address: IpAddr, payload: usize) -> Result<Duration> {
    let (family, protocol, request, reply) = match address {
        IpAddr::V4(_) => (AddressFamily::Inet, SockProtocol::Icmp, 8, 0),
        IpAddr::V6(_) => (AddressFamily::Inet6, SockProtocol::IcmpV6, 128, 129),
    };
    namespace.run(|| {
        let socket = socket(family, SockType::Datagram, SockFlag::SOCK_CLOEXEC, protocol)
            .context("no ICMP socket")?;
        // The standard library has no type for this socket, but connect, send and recv are the same.
        let socket = UdpSocket::from(socket);
        socket
            .set_read_timeout(Some(TIMEOUT))
            .context("could not set a socket's timeout")?;
        socket
            .connect((address, 0))
            .with_context(|| format!("no way to {address}"))?;
        let body: Vec<u8> = (0..payload).map(|i| i as u8).collect();
        let start = Instant::now();
        // The kernel fills in identifier and checksum.
        socket
            .send(&[&[request, 0, 0, 0, 0, 0, 0, 1], body.as_slice()].concat())
            .with_context(|| format!("could not ping {address}"))?;
        let mut answer = vec![0; HEADER + payload + 1];
        let length = match socket.recv(&mut answer) {
            Ok(length) => length,
            Err(error) => bail!(
                "{address} did not answer a ping within {} s: {error}",
                TIMEOUT.as_secs()
            ),
        };
        ensure!(
            length == HEADER + payload && answer[0] == reply && answer[HEADER..length] == body,
            "{address} answered a ping with something else"
        );
        Ok(start.elapsed())
    })
}

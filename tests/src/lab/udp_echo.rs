//! The UDP server of a backend: it sends back what it gets, with its name in front.

use std::io::ErrorKind;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context as _, Result};

use super::namespace::Namespace;

/// How soon a thread notices that it shall end.
const PERIOD: Duration = Duration::from_millis(50);

/// An echo server on some addresses of a namespace, until dropped.
#[derive(Debug)]
pub struct UdpEcho {
    stop: Arc<AtomicBool>,
    workers: Vec<JoinHandle<()>>,
}

impl UdpEcho {
    /// Listens on exactly these addresses: an answer from the VIP has to be sent by a socket bound to it.
    pub fn start(namespace: &Namespace, name: &str, addresses: &[SocketAddr]) -> Result<Self> {
        let sockets = namespace.run(|| {
            addresses
                .iter()
                .map(|address| {
                    let socket = UdpSocket::bind(address)
                        .with_context(|| format!("{name} could not listen on {address}"))?;
                    socket
                        .set_read_timeout(Some(PERIOD))
                        .context("could not set a socket's timeout")?;
                    Ok(socket)
                })
                .collect::<Result<Vec<_>>>()
        })?;
        let stop = Arc::new(AtomicBool::new(false));
        let workers = sockets
            .into_iter()
            .map(|socket| {
                let (stop, prefix) = (Arc::clone(&stop), format!("{name} "));
                thread::spawn(move || serve(&socket, prefix.as_bytes(), &stop))
            })
            .collect();
        Ok(Self { stop, workers })
    }
}

impl Drop for UdpEcho {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for worker in self.workers.drain(..) {
            if worker.join().is_err() {
                eprintln!("lab: a UDP echo server panicked");
            }
        }
    }
}

fn serve(socket: &UdpSocket, prefix: &[u8], stop: &AtomicBool) {
    let mut buffer = [0; 2048];
    while !stop.load(Ordering::Relaxed) {
        match socket.recv_from(&mut buffer) {
            Ok((length, client)) => {
                // One that can't be sent is one that the client doesn't get: it will count it.
                socket
                    .send_to(&[prefix, &buffer[..length]].concat(), client)
                    .unwrap_or_default();
            }
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted
                ) => {}
            // What ICMP reports about an earlier answer.
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => {}
            Err(error) => {
                eprintln!("lab: a UDP echo server stopped: {error}");
                return;
            }
        }
    }
}

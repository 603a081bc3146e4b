//! The HTTP server of a backend.

use std::net::{Ipv6Addr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, JoinHandle};

use anyhow::{Context as _, Result, anyhow};
use tiny_http::{Header, Method, Request, Response, Server};

use super::blob::{self, Blob};
use super::namespace::Namespace;

/// The header that names the backend.
pub(super) const BACKEND_HEADER: &str = "x-backend";
const THREADS: usize = 4;

/// A server that answers `/` with its name and `/blob?bytes=N` with a [`Blob`], until dropped. Whoever puts a
/// blob there gets the name too, or what was wrong with it.
pub struct HttpServer {
    server: Option<Arc<Server>>,
    workers: Vec<JoinHandle<()>>,
    requests: Arc<AtomicU64>,
    namespace: Namespace,
}

impl HttpServer {
    /// Listens on every address of the namespace, IPv4 and IPv6.
    pub fn start(namespace: &Namespace, name: &str, port: u16) -> Result<Self> {
        let listener = namespace.run(|| {
            TcpListener::bind((Ipv6Addr::UNSPECIFIED, port))
                .with_context(|| format!("{name} could not listen on port {port}"))
        })?;
        let server = Server::from_listener(listener, None)
            .map_err(|error| anyhow!("{name} could not serve HTTP: {error}"))?;
        let header = Header::from_bytes(BACKEND_HEADER, name)
            .ok()
            .with_context(|| format!("{name} does not fit in a header"))?;
        let server = Arc::new(server);
        let requests = Arc::new(AtomicU64::new(0));
        let workers = (0..THREADS)
            .map(|_| {
                let (server, header, requests) =
                    (Arc::clone(&server), header.clone(), Arc::clone(&requests));
                thread::spawn(move || {
                    while let Ok(request) = server.recv() {
                        requests.fetch_add(1, Ordering::Relaxed);
                        answer(request, &header);
                    }
                })
            })
            .collect();
        Ok(Self {
            server: Some(server),
            workers,
            requests,
            namespace: namespace.clone(),
        })
    }

    /// The requests that have arrived so far.
    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }
}

impl Drop for HttpServer {
    fn drop(&mut self) {
        let Some(server) = self.server.take() else {
            return;
        };
        for _ in &self.workers {
            server.unblock();
        }
        for worker in self.workers.drain(..) {
            if worker.join().is_err() {
                eprintln!("lab: a worker of an HTTP server panicked");
            }
        }
        // tiny_http wakes its accepting thread by a connection to itself, which has to be made in there.
        let dropped = self.namespace.run(move || {
            drop(server);
            Ok(())
        });
        if let Err(error) = dropped {
            eprintln!("lab: {error:#}");
        }
    }
}

/// A client that goes away in the middle is no matter for the server.
fn answer(mut request: Request, header: &Header) {
    let blob = request
        .url()
        .strip_prefix("/blob?bytes=")
        .map(str::parse::<u64>);
    let name = header.value.as_str();
    let text = |text: &str| Response::from_string(text).with_header(header.clone());
    let sent = match (request.url(), blob) {
        ("/", _) => request.respond(text(name)),
        (_, Some(Ok(bytes))) if *request.method() == Method::Put => {
            match blob::verify(request.as_reader(), bytes) {
                Ok(()) => request.respond(text(name)),
                Err(error) => request.respond(text(&format!("{error:#}"))),
            }
        }
        (_, Some(Ok(bytes))) => {
            let length = usize::try_from(bytes).ok();
            let body = Response::new(
                200.into(),
                vec![header.clone()],
                Blob::new(bytes),
                length,
                None,
            );
            request.respond(body.with_chunked_threshold(usize::MAX))
        }
        _ => request.respond(Response::empty(404).with_header(header.clone())),
    };
    sent.unwrap_or_default();
}

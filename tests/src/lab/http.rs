//! HTTP clients: every request is a connection of its own.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use ureq::http::Response;
use ureq::{Agent, Body, SendBody};

use super::blob::{self, Blob};
use super::http_server::BACKEND_HEADER;
use super::namespace::Namespace;

const THREADS: usize = 4;
/// A request that takes this long has failed, though the kernel's TCP would still try.
const TIMEOUT: Duration = Duration::from_secs(15);
/// After so many failures no more requests are sent: each may have taken all of that time.
const ENOUGH: usize = 20;

/// What became of many requests.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Answers per backend.
    pub answers: BTreeMap<String, u64>,
    /// What went wrong, one line per failed request.
    pub failures: Vec<String>,
}

impl Tally {
    /// All answers.
    pub fn answered(&self) -> u64 {
        self.answers.values().sum()
    }

    /// The answers of one backend.
    pub fn of(&self, backend: &str) -> u64 {
        self.answers.get(backend).copied().unwrap_or(0)
    }
}

/// Sends `requests` GETs for `/`, a few at a time; less if many fail.
///
/// `progress` is told after every request how many have ended, and can stop the rest.
pub fn load(
    namespace: &Namespace,
    server: SocketAddr,
    requests: u64,
    progress: impl Fn(u64) -> ControlFlow<()> + Sync,
) -> Result<Tally> {
    let tally = Mutex::new(Tally::default());
    let (begun, ended, stopped) = (AtomicU64::new(0), AtomicU64::new(0), AtomicBool::new(false));
    let one_after_another = || {
        let agent = agent();
        while !stopped.load(Ordering::Relaxed) && begun.fetch_add(1, Ordering::Relaxed) < requests {
            let answer = name_from_both_places(&agent, server);
            if let Ok(mut tally) = tally.lock() {
                match answer {
                    Ok(backend) => *tally.answers.entry(backend).or_default() += 1,
                    Err(error) => tally.failures.push(format!("{error:#}")),
                }
                if tally.failures.len() >= ENOUGH {
                    stopped.store(true, Ordering::Relaxed);
                }
            }
            if progress(ended.fetch_add(1, Ordering::Relaxed) + 1).is_break() {
                stopped.store(true, Ordering::Relaxed);
            }
        }
    };
    namespace.run(|| {
        thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(one_after_another);
            }
        });
        Ok(())
    })?;
    tally.into_inner().ok().context("a client thread panicked")
}

/// One GET for `/`: the name of the backend that answered.
pub fn get(namespace: &Namespace, server: SocketAddr) -> Result<String> {
    namespace.run(|| name_from_both_places(&agent(), server))
}

/// Downloads a [`blob`] of this size and checks every byte; the name of the backend that sent it.
pub fn download(namespace: &Namespace, server: SocketAddr, bytes: u64) -> Result<String> {
    namespace.run(|| {
        let url = format!("http://{server}/blob?bytes={bytes}");
        let response = patient_agent()
            .get(&url)
            .call()
            .with_context(|| format!("GET {url} failed"))?;
        let backend = backend(&response)?;
        blob::verify(response.into_body().into_reader(), bytes)
            .with_context(|| format!("{url} from {backend}"))?;
        Ok(backend)
    })
}

/// Uploads a [`blob`] of this size, of which the server checks every byte; the name of the backend that got it.
pub fn upload(namespace: &Namespace, server: SocketAddr, bytes: u64) -> Result<String> {
    namespace.run(|| {
        let url = format!("http://{server}/blob?bytes={bytes}");
        let mut response = patient_agent()
            .put(&url)
            .header("content-length", bytes.to_string())
            .send(SendBody::from_reader(&mut Blob::new(bytes)))
            .with_context(|| format!("PUT {url} failed"))?;
        let backend = backend(&response)?;
        let body = response
            .body_mut()
            .read_to_string()
            .with_context(|| format!("the answer of {backend} broke off"))?;
        ensure!(body == backend, "PUT {url} to {backend}: {body}");
        Ok(backend)
    })
}

/// For big files: its patience begins again with every piece that it reads.
fn patient_agent() -> Agent {
    Agent::config_builder()
        .max_idle_connections(0)
        .proxy(None)
        .timeout_connect(Some(TIMEOUT))
        .timeout_send_body(Some(4 * TIMEOUT))
        .timeout_recv_response(Some(TIMEOUT))
        .timeout_per_read(Some(TIMEOUT))
        .build()
        .new_agent()
}

/// No idle connections are kept, so the client closes first and its port rests in `TIME_WAIT`: the next request
/// comes from another.
fn agent() -> Agent {
    Agent::config_builder()
        .max_idle_connections(0)
        .proxy(None)
        .timeout_global(Some(TIMEOUT))
        .build()
        .new_agent()
}

fn name_from_both_places(agent: &Agent, server: SocketAddr) -> Result<String> {
    let mut response = agent
        .get(format!("http://{server}/"))
        .call()
        .with_context(|| format!("GET http://{server}/ failed"))?;
    let backend = backend(&response)?;
    let body = response
        .body_mut()
        .read_to_string()
        .with_context(|| format!("the answer of {backend} broke off"))?;
    ensure!(
        body == backend,
        "the header says {backend}, the body says {body:?}"
    );
    Ok(backend)
}

fn backend(response: &Response<Body>) -> Result<String> {
    let name = response
        .headers()
        .get(BACKEND_HEADER)
        .with_context(|| format!("no {BACKEND_HEADER} in the answer"))?;
    Ok(name
        .to_str()
        .with_context(|| format!("{BACKEND_HEADER} is not text"))?
        .to_owned())
}

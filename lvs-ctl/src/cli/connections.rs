//! `lvs-ctl connections`.

use std::{
    collections::BTreeMap,
    io::{BufWriter, Write},
    net::{IpAddr, SocketAddr},
    path::Path,
    process::ExitCode,
    time::Duration,
};

use anyhow::Result;
use lvs_common::{
    Protocol,
    flow::{Stage, Word},
};
use serde::Serialize;

use super::{Output, color_on_stderr, names};
use crate::datapath::{Flow, Pinned};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Only those of the service with this name
    #[arg(long, value_name = "NAME")]
    service: Option<String>,
    /// Only those of the backend with this address, of all its ports if none is given
    #[arg(long, value_name = "ADDRESS[:PORT]", value_parser = Endpoint::parse)]
    backend: Option<Endpoint>,
    /// Only those of this client, of all its ports if none is given
    #[arg(long, value_name = "ADDRESS[:PORT]", value_parser = Endpoint::parse)]
    client: Option<Endpoint>,
    /// Only those in this state, such as ESTABLISHED, in any case
    #[arg(long, value_name = "STATE")]
    state: Option<String>,
    /// How to print them
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
}

/// An address, or one port of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Endpoint {
    address: IpAddr,
    port: Option<u16>,
}

impl Endpoint {
    fn parse(text: &str) -> Result<Self, String> {
        if let Ok(address) = text.parse() {
            return Ok(Self {
                address,
                port: None,
            });
        }
        let both: SocketAddr = text.parse().map_err(|_error| {
            "give an address such as 10.0.0.17 or 2001:db8::17, with a port 10.0.0.17:80 or \
             [2001:db8::17]:80"
                .to_string()
        })?;
        Ok(Self {
            address: both.ip(),
            port: Some(both.port()),
        })
    }

    fn covers(self, endpoint: SocketAddr) -> bool {
        endpoint.ip() == self.address && self.port.is_none_or(|port| port == endpoint.port())
    }
}

/// A connection, as `-o json` prints it. Fields are only ever added within a version.
#[derive(Debug, Serialize)]
struct Connection<'a> {
    protocol: &'static str,
    state: &'static str,
    active: bool,
    /// Seconds of silence until it is forgotten.
    expires: u64,
    client: SocketAddr,
    r#virtual: SocketAddr,
    backend: SocketAddr,
    service: &'a str,
}

/// What is known of a backend by its id.
struct Known {
    address: SocketAddr,
    service: String,
}

pub(super) fn run(args: &Args, pin_dir: &Path) -> Result<ExitCode> {
    let pinned = Pinned::open(pin_dir)?;
    let known = known(&pinned)?;
    pinned.sweep()?;
    let flows = pinned.flows()?;
    let connections = flows.iter().filter_map(|(flow, left)| {
        let known = known.get(&u32::from(flow.word.backend()))?;
        Some(connection(&flow, left, known)).filter(|connection| args.wants(connection))
    });
    let mut out = BufWriter::with_capacity(1 << 16, std::io::stdout().lock());
    match args.output {
        Output::Json => write_json(&mut out, connections)?,
        Output::Table => write_table(&mut out, connections)?,
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

impl Args {
    fn wants(&self, connection: &Connection<'_>) -> bool {
        let state = |state: &String| state.eq_ignore_ascii_case(connection.state);
        self.service
            .as_ref()
            .is_none_or(|name| name == connection.service)
            && self
                .backend
                .is_none_or(|backend| backend.covers(connection.backend))
            && self
                .client
                .is_none_or(|client| client.covers(connection.client))
            && self.state.as_ref().is_none_or(state)
    }
}

/// Every backend by its id.
fn known(pinned: &Pinned) -> Result<BTreeMap<u32, Known>> {
    let services: BTreeMap<u32, String> = pinned
        .services()
        .map(|(id, service)| (id, names::service(&service)))
        .collect();
    let mut known = BTreeMap::new();
    for (id, backend) in pinned.backends() {
        let address = names::socket_address(backend.address, backend.family, backend.port)?;
        let service = services.get(&backend.service).cloned().unwrap_or_default();
        known.insert(id, Known { address, service });
    }
    Ok(known)
}

fn connection<'a>(flow: &Flow, left: Duration, known: &'a Known) -> Connection<'a> {
    Connection {
        protocol: Protocol::from_number(flow.protocol).map_or("?", Protocol::as_str),
        state: state(flow.word),
        active: flow.word.is_active(),
        expires: left.as_secs(),
        client: flow.source,
        r#virtual: flow.destination,
        backend: known.address,
        service: &known.service,
    }
}

/// The name that `ipvsadm -Lc` prints.
fn state(word: Word) -> &'static str {
    match word.stage() {
        Some(Stage::Tcp(state)) => state.as_str(),
        Some(Stage::Udp) => "UDP",
        Some(Stage::Free | Stage::Busy) | None => "?",
    }
}

fn write_json<'a>(
    out: &mut impl Write,
    connections: impl Iterator<Item = Connection<'a>>,
) -> Result<()> {
    write!(out, "{{\"version\":1,\"connections\":[")?;
    for (n, connection) in connections.enumerate() {
        out.write_all(if n == 0 { b"\n" } else { b",\n" })?;
        serde_json::to_writer(&mut *out, &connection)?;
    }
    writeln!(out, "\n]}}")?;
    Ok(())
}

/// Columns of fixed widths, as of `ipvsadm -Lc`: a million rows are printed as they are read.
fn write_table<'a>(
    out: &mut impl Write,
    connections: impl Iterator<Item = Connection<'a>>,
) -> Result<()> {
    writeln!(
        out,
        "{:<5} {:>7}  {:<11} {:<21} {:<21} {:<21} SERVICE",
        "PROTO", "EXPIRES", "STATE", "CLIENT", "VIRTUAL", "BACKEND"
    )?;
    let mut count = 0_u64;
    for connection in connections {
        let Connection {
            protocol,
            state,
            expires,
            client,
            r#virtual,
            backend,
            service,
            ..
        } = connection;
        let expires = format!("{:02}:{:02}", expires / 60, expires % 60);
        let (client, r#virtual) = (client.to_string(), r#virtual.to_string());
        let backend = backend.to_string();
        writeln!(
            out,
            "{protocol:<5} {expires:>7}  {state:<11} {client:<21} {virtual:<21} {backend:<21} \
             {service}"
        )?;
        count += 1;
    }
    if count == 0 && color_on_stderr() {
        log::info!("no connections");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints() {
        let socket = |text: &str| text.parse::<SocketAddr>().unwrap();
        let any = Endpoint::parse("10.0.0.17").unwrap();
        assert!(any.covers(socket("10.0.0.17:80")) && any.covers(socket("10.0.0.17:81")));
        assert!(!any.covers(socket("10.0.0.18:80")));
        let one = Endpoint::parse("[2001:db8::17]:80").unwrap();
        assert!(one.covers(socket("[2001:db8::17]:80")));
        assert!(!one.covers(socket("[2001:db8::17]:81")));
        assert!(Endpoint::parse("web").unwrap_err().contains("10.0.0.17:80"));
    }

    #[test]
    fn rows_and_json() {
        let row = || Connection {
            protocol: "tcp",
            state: "ESTABLISHED",
            active: true,
            expires: 899,
            client: "10.0.0.100:50000".parse().unwrap(),
            r#virtual: "10.0.0.29:80".parse().unwrap(),
            backend: "10.0.0.17:80".parse().unwrap(),
            service: "web",
        };
        let mut table = Vec::new();
        write_table(&mut table, std::iter::once(row())).unwrap();
        let table = String::from_utf8(table).unwrap();
        let expected = "tcp     14:59  ESTABLISHED 10.0.0.100:50000      10.0.0.29:80          \
                        10.0.0.17:80          web";
        assert_eq!(table.lines().nth(1), Some(expected));

        let mut json = Vec::new();
        write_json(&mut json, [row(), row()].into_iter()).unwrap();
        let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
        assert_eq!(json["connections"][1]["virtual"], "10.0.0.29:80");
        let mut none = Vec::new();
        write_json(&mut none, std::iter::empty()).unwrap();
        assert!(serde_json::from_slice::<serde_json::Value>(&none).is_ok());
    }
}

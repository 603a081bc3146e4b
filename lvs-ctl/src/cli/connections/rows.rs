//! Connections as text, a row each.

use std::{io::Write, net::SocketAddr, time::Duration};

use anyhow::Result;
use lvs_common::{
    Protocol,
    flow::{Stage, Word},
};
use serde::Serialize;

use super::digits::{push_address, push_minutes, push_number};
use crate::{cli::Output, datapath::Flow};

/// Bytes of text that are written at once.
const CHUNK: usize = 1 << 17;

/// Columns of a socket address; those of IPv6 may be longer.
const ADDRESS: usize = 21;

/// What is known of a backend, and what the rows of its connections end with.
pub(super) struct Known {
    destination: SocketAddr,
    address: SocketAddr,
    service: String,
    end: String,
}

impl Known {
    /// Of a backend's address and the address and name of its service.
    pub(super) fn new(
        output: Output,
        address: SocketAddr,
        destination: SocketAddr,
        service: String,
    ) -> Result<Self> {
        Ok(Self {
            destination,
            address,
            end: end(output, destination, address, &service)?,
            service,
        })
    }
}

/// The end of a connection's JSON object. Fields are only ever added within a version.
#[derive(Serialize)]
struct End<'a> {
    r#virtual: SocketAddr,
    backend: SocketAddr,
    service: &'a str,
}

/// What a row ends with; it is the same for nearly all connections of a backend.
fn end(
    output: Output,
    destination: SocketAddr,
    backend: SocketAddr,
    service: &str,
) -> Result<String> {
    let end = End {
        r#virtual: destination,
        backend,
        service,
    };
    Ok(match output {
        Output::Json => serde_json::to_string(&end)?.replacen('{', ",", 1),
        Output::Table => format!("{destination:<ADDRESS$} {backend:<ADDRESS$} {service}\n"),
    })
}

/// Writes rows between what comes before and after them.
///
/// A million rows take no more memory than one chunk, and the table's columns have fixed widths, as
/// those of `ipvsadm -Lc`.
pub(super) struct Rows<'a, W> {
    output: Output,
    out: &'a mut W,
    /// Not written yet.
    text: String,
    count: u64,
}

impl<'a, W: Write> Rows<'a, W> {
    /// No rows yet.
    pub(super) fn new(output: Output, out: &'a mut W) -> Self {
        let text = match output {
            Output::Json => "{\"version\":1,\"connections\":[".to_string(),
            Output::Table => format!(
                "{:<5} {:>7}  {:<11} {:<ADDRESS$} {:<ADDRESS$} {:<ADDRESS$} SERVICE\n",
                "PROTO", "EXPIRES", "STATE", "CLIENT", "VIRTUAL", "BACKEND"
            ),
        };
        Self {
            output,
            out,
            text,
            count: 0,
        }
    }

    /// Writes a flow of a backend that ends after this much silence.
    pub(super) fn write(&mut self, flow: &Flow, left: Duration, backend: &Known) -> Result<()> {
        let protocol = Protocol::from_number(flow.protocol).map_or("?", Protocol::as_str);
        let (state, expires) = (state(flow.word), left.as_secs());
        let text = &mut self.text;
        match self.output {
            Output::Json => {
                let active = if flow.word.is_active() {
                    "true"
                } else {
                    "false"
                };
                text.push_str(if self.count == 0 { "\n" } else { ",\n" });
                text.push_str("{\"protocol\":\"");
                text.push_str(protocol);
                text.push_str("\",\"state\":\"");
                text.push_str(state);
                text.push_str("\",\"active\":");
                text.push_str(active);
                text.push_str(",\"expires\":");
                push_number(text, expires);
                text.push_str(",\"client\":\"");
                push_address(text, flow.source)?;
                text.push('"');
            }
            Output::Table => {
                let start = text.len();
                text.push_str(protocol);
                pad(text, start, 5);
                push_minutes(text, expires);
                text.push_str("  ");
                let start = text.len();
                text.push_str(state);
                pad(text, start, 11);
                let start = text.len();
                push_address(text, flow.source)?;
                pad(text, start, ADDRESS);
            }
        }
        if flow.destination == backend.destination {
            text.push_str(&backend.end);
        } else {
            let end = end(
                self.output,
                flow.destination,
                backend.address,
                &backend.service,
            )?;
            text.push_str(&end);
        }
        self.count += 1;
        if text.len() >= CHUNK {
            self.out.write_all(text.as_bytes())?;
            text.clear();
        }
        Ok(())
    }

    /// Writes what is left; yields how many rows there were.
    pub(super) fn finish(mut self) -> Result<u64> {
        if matches!(self.output, Output::Json) {
            self.text.push_str("\n]}\n");
        }
        self.out.write_all(self.text.as_bytes())?;
        self.out.flush()?;
        Ok(self.count)
    }
}

/// Ends a cell that begins at `start`: at least `width` columns, and one more before the next cell.
fn pad(text: &mut String, start: usize, width: usize) {
    const SPACES: &str = "                      ";
    let missing = (start + width + 1).saturating_sub(text.len()).max(1);
    text.push_str(&SPACES[..missing.min(SPACES.len())]);
}

/// The name that `ipvsadm -Lc` prints.
pub(super) fn state(word: Word) -> &'static str {
    match word.stage() {
        Some(Stage::Tcp(state)) => state.as_str(),
        Some(Stage::Udp) => "UDP",
        Some(Stage::Free | Stage::Busy) | None => "?",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lvs_common::flow::Slot;

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    fn flow(client: &str, destination: &str) -> Flow {
        Flow {
            slot: Slot(0),
            word: Word::open(1, Word::of_tcp(1), 3),
            source: address(client),
            destination: address(destination),
            protocol: Protocol::Tcp as u8,
        }
    }

    /// The text that comes of these flows of a service 10.0.0.29:80 with that name.
    fn written(output: Output, service: &str, flows: &[Flow]) -> String {
        let known = Known::new(
            output,
            address("10.0.0.17:80"),
            address("10.0.0.29:80"),
            service.to_string(),
        );
        let known = known.unwrap();
        let mut out = Vec::new();
        let mut rows = Rows::new(output, &mut out);
        for flow in flows {
            rows.write(flow, Duration::from_millis(899_999), &known)
                .unwrap();
        }
        assert_eq!(rows.finish().unwrap(), flows.len() as u64);
        String::from_utf8(out).unwrap()
    }

    fn parsed(service: &str, flows: &[Flow]) -> serde_json::Value {
        serde_json::from_str(&written(Output::Json, service, flows)).unwrap()
    }

    #[test]
    fn columns_keep_their_places() {
        let flows = [
            flow("10.0.0.100:50000", "10.0.0.29:80"),
            flow("[2001:db8:1:2:3:4:5:64]:50000", "10.0.0.29:80"),
            flow("10.0.0.100:1", "10.0.0.30:81"),
        ];
        let table = written(Output::Table, "web", &flows);
        let expected = [
            "PROTO EXPIRES  STATE       CLIENT                VIRTUAL               \
             BACKEND               SERVICE",
            "tcp     14:59  ESTABLISHED 10.0.0.100:50000      10.0.0.29:80          \
             10.0.0.17:80          web",
            "tcp     14:59  ESTABLISHED [2001:db8:1:2:3:4:5:64]:50000 10.0.0.29:80          \
             10.0.0.17:80          web",
            "tcp     14:59  ESTABLISHED 10.0.0.100:1          10.0.0.30:81          \
             10.0.0.17:80          web",
        ];
        assert!(table.lines().eq(expected), "{table}");
    }

    #[test]
    fn json_has_every_field() {
        let client = "[2001:db8::64]:50000";
        let flows = [
            flow(client, "10.0.0.29:80"),
            flow(client, "[2001:db8::29]:81"),
        ];
        let row = |destination: &str| {
            serde_json::json!({
                "protocol": "tcp", "state": "ESTABLISHED", "active": true, "expires": 899,
                "client": client, "virtual": destination, "backend": "10.0.0.17:80",
                "service": "web",
            })
        };
        let rows = [row("10.0.0.29:80"), row("[2001:db8::29]:81")];
        let expected = serde_json::json!({ "version": 1, "connections": rows });
        assert_eq!(parsed("web", &flows), expected);
        assert_eq!(parsed("web", &[])["connections"], serde_json::json!([]));
    }

    #[test]
    fn json_is_valid_whatever_a_service_is_called() {
        for name in ["we\"b\\", "{web}\n", "wéb \u{fffd}", ""] {
            let list = parsed(name, &[flow("10.0.0.100:1", "10.0.0.29:80")]);
            assert_eq!(list["connections"][0]["service"], name);
        }
    }

    #[test]
    fn every_row_of_many_chunks_is_written_once() {
        let flows = (1..=5_000).map(|port| flow(&format!("10.0.0.100:{port}"), "10.0.0.29:80"));
        let flows: Vec<Flow> = flows.collect();
        for output in [Output::Json, Output::Table] {
            let text = written(output, "web", &flows);
            assert!(text.len() > 2 * CHUNK, "{}", text.len());
            let rows = text.lines().filter(|line| line.contains("10.0.0.100:"));
            for (n, row) in (1..).zip(rows.clone()) {
                assert!(
                    row.contains(&format!("10.0.0.100:{n} "))
                        || row.contains(&format!("10.0.0.100:{n}\""))
                );
            }
            assert_eq!(rows.count(), flows.len());
        }
    }
}

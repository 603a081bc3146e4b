//! `lvs-ctl connections` of a table with tens of thousands of flows: each is listed once, as it is, and
//! filters let through what they say.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use clap::Parser as _;
use lvs_common::{
    Protocol, Reason,
    flow::{Stage, TICK_SHIFT, halves_for},
    tcp::{ACK, FIN, RST, SYN, State},
};
use lvs_ctl::{cli::Cli, datapath::Pins};
use lvs_tests::packet::{Case, Frame, HZ, Rig};
use serde::Deserialize;

use crate::{
    farm::{SITES, Site},
    pin_dir::Dir,
};

/// Flows of each site.
const FLOWS: u16 = 8_000;
/// Addresses that they come from.
const CLIENTS: u16 = 40;

/// Ticks after which a connection in `FIN_WAIT` is gone; the others last longer.
const FIN_WAIT_TICKS: u32 = 1 << 22;
/// The same in seconds: three days.
const MOST: u64 = ((FIN_WAIT_TICKS as u64) << TICK_SHIFT) / HZ as u64;
/// What must be left of them when they are listed, however slow the machine is.
const LEAST: u64 = MOST / 2;

/// What the clients of TCP send, in turn, and the state that leads to.
const LIVES: [(&[u8], &str, bool); 4] = [
    (&[SYN], "SYN_RECV", true),
    (&[SYN, ACK], "ESTABLISHED", true),
    (&[SYN, ACK, FIN | ACK], "FIN_WAIT", false),
    (&[SYN, ACK, RST], "CLOSE", false),
];

/// A row of the list.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
struct Row {
    protocol: String,
    state: String,
    active: bool,
    expires: u64,
    client: SocketAddr,
    r#virtual: SocketAddr,
    backend: SocketAddr,
    service: String,
}

#[derive(Deserialize)]
struct List {
    version: u32,
    connections: Vec<Row>,
}

/// Rows by the service's name and the client.
type Rows = BTreeMap<(String, SocketAddr), Row>;

fn client(site: Site, n: u16) -> SocketAddr {
    let host = (n % CLIENTS) as u8 + 1;
    let address: IpAddr = if site.is_ipv6() {
        Ipv6Addr::new(0x2001, 0xdb8, 0xc, 0, 0, 0, 0, host.into()).into()
    } else {
        Ipv4Addr::new(192, 0, 2, host).into()
    };
    SocketAddr::new(address, 1024 + n / CLIENTS)
}

/// Opens the `n`-th flow of a site; the row that it has to be listed as, but for when it expires.
fn open(rig: &Rig, site: Site, n: u16) -> Row {
    let client = client(site, n);
    let (flags, state, active) = match site.protocol() {
        Protocol::Tcp => LIVES[usize::from(n / CLIENTS) % LIVES.len()],
        Protocol::Udp => (&[0][..], "UDP", false),
    };
    for flags in flags {
        let frame = match site.protocol() {
            Protocol::Tcp => Frame::tcp(client, site.address(), *flags),
            Protocol::Udp => Frame::udp(client, site.address()),
        };
        rig.walk(&frame.bytes()).expect("a walk");
    }
    Row {
        protocol: site.protocol().as_str().to_owned(),
        state: state.to_owned(),
        active,
        expires: 0,
        client,
        r#virtual: site.address(),
        // Direct routing: it has the service's own address.
        backend: site.address(),
        service: site.name().to_owned(),
    }
}

fn print(dir: &Dir, arguments: &[&str]) -> String {
    let dir = dir.path().to_str().expect("a path");
    let words = ["lvs-ctl", "connections", "--pin-dir", dir];
    let cli = Cli::try_parse_from(words.iter().chain(arguments)).expect("arguments");
    let mut out = Vec::new();
    cli.run(&mut out).expect("a list");
    String::from_utf8(out).expect("text")
}

/// Ends connections; how many.
fn flush(dir: &Dir, filter: &[&str]) -> u64 {
    let text = print(dir, &[&["flush", "-o", "json"], filter].concat());
    let answer: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(answer["version"], 1);
    answer["flushed"].as_u64().expect("a number")
}

fn list(dir: &Dir, filter: &[&str]) -> Rows {
    let text = print(dir, &[&["-o", "json"], filter].concat());
    let list: List = serde_json::from_str(&text).expect("a list in JSON");
    assert_eq!(list.version, 1);
    let mut rows = Rows::new();
    for row in list.connections {
        let other = rows.insert((row.service.clone(), row.client), row);
        assert!(other.is_none(), "listed twice: {other:?}");
    }
    rows
}

/// Whether a filter lets through what it says, which is something.
fn lets_through(dir: &Dir, all: &Rows, filter: &[&str], says: impl Fn(&Row) -> bool) {
    let listed = list(dir, filter);
    let wanted = all.iter().filter(|(_, row)| says(row)).map(|(key, _)| key);
    assert!(listed.keys().eq(wanted), "{filter:?}: {}", listed.len());
    assert!(!listed.is_empty(), "{filter:?}");
}

/// Active and inactive connections of all backends.
fn load(rig: &Rig) -> u64 {
    rig.state().expect("the counters").sum("load.", "")
}

#[test]
fn are_flushed_by_the_same_filters_and_booked_out() {
    let dir = Dir::new();
    let mut rig = Rig::new(&SITES.map(Site::service));
    let pins = Pins::take(dir.path()).expect("the directory");
    rig.pin(&pins).expect("pinned");
    for site in SITES {
        for n in 0..100 {
            open(&rig, site, n);
        }
    }
    let all = list(&dir, &[]);
    assert_eq!((all.len(), load(&rig)), (400, 400));
    // Each of the 40 addresses has three connections with a site, or two.
    let one = ["--client", "192.0.2.7"];
    assert_eq!(flush(&dir, &one), 6);
    assert_eq!(flush(&dir, &one), 0, "they are gone");
    let filter = ["--service", "web6", "--state", "syn_recv"];
    assert_eq!(flush(&dir, &filter), 40);
    let left = list(&dir, &[]);
    assert!(left.keys().all(|key| all.contains_key(key)));
    assert_eq!((left.len(), load(&rig)), (354, 354));
    assert_eq!(list(&dir, &one), Rows::new());
    assert_eq!(list(&dir, &filter), Rows::new());

    // A connection that was flushed is none: its next segment belongs to nothing.
    let ack = Frame::tcp(client(Site::Web, 6), Site::Web.address(), ACK);
    rig.run([Case::untouched("an ACK", ack.bytes(), Reason::NoFlow)]);

    assert_eq!(
        print(&dir, &["flush", "--all"]),
        "flushed 354 connections\n"
    );
    assert_eq!((list(&dir, &[]), load(&rig)), (Rows::new(), 0));
    assert_eq!(rig.state().expect("the counters").get("event.flushed"), 400);
}

#[test]
fn are_flushed_all_only_if_that_is_said() {
    let dir = Dir::new();
    let path = dir.path().to_str().expect("a path");
    for (arguments, words) in [
        (&["flush"][..], "say --all"),
        (&["flush", "--all", "--state", "close"], "contradict"),
        (&["--state", "close", "flush", "--all"], "write it behind"),
    ] {
        let before = ["lvs-ctl", "connections", "--pin-dir", path];
        let cli = Cli::try_parse_from(before.iter().chain(arguments)).expect("arguments");
        let error = cli.run(&mut Vec::new()).expect_err("it is refused");
        assert!(error.to_string().contains(words), "{error}");
    }
}

#[test]
fn are_listed_once_each_and_filtered() {
    let dir = Dir::new();
    let halves = halves_for(2 * u64::from(FLOWS)) as u32;
    let mut rig = Rig::with_halves(&SITES.map(Site::service), halves);
    rig.set_timeout(Stage::Tcp(State::FinWait), FIN_WAIT_TICKS)
        .expect("settings");
    let pins = Pins::take(dir.path()).expect("the directory");
    rig.pin(&pins).expect("pinned");
    assert_eq!(list(&dir, &[]), Rows::new());
    let mut all = Rows::new();
    for site in SITES {
        for n in 0..FLOWS {
            let row = open(&rig, site, n);
            all.insert((row.service.clone(), row.client), row);
        }
    }

    let mut listed = list(&dir, &[]);
    assert_eq!(listed.len(), all.len());
    for (key, row) in &mut listed {
        if row.state == "FIN_WAIT" {
            assert!((LEAST..=MOST).contains(&row.expires), "{row:?}");
        } else {
            assert!(row.expires > MOST, "{row:?}");
        }
        row.expires = 0;
        assert_eq!(all.get(key), Some(&*row));
    }

    let table = print(&dir, &[]);
    let rows = table.lines().skip(1).map(|line| {
        let cells: Vec<&str> = line.split_whitespace().collect();
        let client = cells[3].parse().expect("a client");
        (cells[6].to_owned(), client)
    });
    let mut rows: Vec<_> = rows.collect();
    rows.sort_unstable();
    assert!(rows.iter().eq(all.keys()), "the table has {}", rows.len());

    let through = |filter: &[&str], says: &dyn Fn(&Row) -> bool| {
        lets_through(&dir, &all, filter, says);
    };
    through(&["--service", "web"], &|row| row.service == "web");
    through(&["--state", "established"], &|row| {
        row.state == "ESTABLISHED"
    });
    through(&["--state", "UDP"], &|row| row.protocol == "udp");
    through(&["--backend", "10.0.0.29"], &|row| row.backend.is_ipv4());
    through(&["--backend", "[2001:db8::29]:53"], &|row| {
        row.service == "dns6"
    });
    let [some, one] = ["192.0.2.7", "[2001:db8:c::7]:1100"];
    through(&["--client", some], &|row| {
        row.client.ip().to_string() == some
    });
    through(&["--client", one], &|row| row.client.to_string() == one);
    through(&["--client", some, "--state", "close"], &|row| {
        row.client.ip().to_string() == some && row.state == "CLOSE"
    });
    for none in [["--service", "we"], ["--client", "192.0.2.200"]] {
        assert_eq!(list(&dir, &none), Rows::new(), "{none:?}");
    }
}

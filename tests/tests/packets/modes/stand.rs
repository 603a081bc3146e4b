//! The program with a service for every cell of a test, and a tally of what it has to count.

use std::{collections::BTreeMap, net::SocketAddr};

use lvs_common::{Family, ForwardingMode, Protocol, Reason, map::Notice};
use lvs_tests::{
    lab::{Namespace, command::output},
    packet::{
        BackendSpec, Changes, Frame, Hop, INGRESS, Rig, ServiceSpec, State, Xdp, compare, source,
    },
};

use crate::errors::told::MANY;

use super::{
    network::{Arms, DMZ, DMZ_MAC, balancer, local, near, sender},
    table::{Cell, Pair},
};

/// A network namespace with the interface [`DMZ`], besides the one that frames come by.
pub(crate) fn two_interfaces() -> Namespace {
    let namespace = Namespace::new().expect("a network namespace");
    let line = format!("link add dmz index {DMZ} type veth peer name far");
    output(namespace.command("ip").args(line.split(' '))).expect("another interface");
    namespace
}

/// Has the tunnels of [`sender`] end at the balancer.
pub(crate) fn end_tunnels(rig: &mut Rig) {
    for (family, bits) in [(Family::Ipv4, 24), (Family::Ipv6, 64)] {
        rig.end_tunnels(balancer(family)).expect("an endpoint");
        let allowed = rig.datapath.allow_tunnels(sender(family), bits);
        allowed.expect("a prefix");
    }
}

/// A service of a mode and a pair, with one backend behind this hop: TCP.
pub(crate) fn service(mode: ForwardingMode, pair: Pair, hop: Hop) -> ServiceSpec {
    let spec = BackendSpec {
        mode,
        address: Some(pair.backend(mode)),
        ..BackendSpec::behind(hop)
    };
    let name = pair.web().trim_end_matches("-1");
    ServiceSpec {
        locals: vec![local(pair.backend)],
        ..ServiceSpec::new(name, Protocol::Tcp, pair.vip(), [spec])
    }
}

/// The program with such a service for each of these pairs, with all backends next to the clients.
pub(crate) fn rig(mode: ForwardingMode, pairs: &[Pair]) -> Rig {
    let services = pairs
        .iter()
        .map(|pair| service(mode, *pair, near(pair.backend)));
    Rig::new(&services.collect::<Vec<_>>())
}

/// Half buckets of either family: plenty for a flow of every cell.
const HALVES: u32 = 2_048;

/// A rig, and what its counters have to show.
pub(crate) struct Stand {
    pub(crate) rig: Rig,
    before: State,
    tally: Changes,
    /// Headers with an identification of their own so far, by service.
    numbered: BTreeMap<String, u16>,
}

impl Stand {
    /// With the services of these cells.
    pub(crate) fn new(cells: &[Cell]) -> Self {
        let mut services = BTreeMap::new();
        for cell in cells {
            let name = cell.service();
            let backend = BackendSpec {
                mode: cell.mode,
                address: Some(cell.backend()),
                ..BackendSpec::behind(cell.hop())
            };
            let service = ServiceSpec {
                locals: vec![local(cell.pair.backend)],
                ..ServiceSpec::new(&name, cell.protocol, cell.vip(), [backend])
            };
            services.insert(name, service);
        }
        let services: Vec<ServiceSpec> = services.into_values().collect();
        let mut rig = Rig::with_halves(&services, HALVES);
        rig.add_interface(DMZ, DMZ_MAC).expect("another interface");
        end_tunnels(&mut rig);
        Self {
            before: rig.state().expect("the counters"),
            rig,
            tally: Changes::new(),
            numbered: BTreeMap::new(),
        }
    }

    /// The identification of the next header of a cell's backend that has one of its own.
    pub(crate) fn number(&mut self, cell: Cell) -> u16 {
        let next = self.numbered.entry(cell.service()).or_default();
        *next += 1;
        *next - 1
    }

    fn count(&mut self, counter: String, change: usize) {
        *self.tally.entry(counter).or_default() += (change as u64).cast_signed();
    }

    fn count_reason(&mut self, reason: Reason, frame: &Frame) {
        let reason = reason.as_str();
        self.count(format!("reason.{reason}.packets"), 1);
        self.count(format!("reason.{reason}.bytes"), frame.bytes().len());
    }

    fn count_for(&mut self, cell: Cell, counter: &str, change: usize) {
        let service = cell.service();
        self.count(format!("service.{service}.{counter}"), change);
        self.count(format!("backend.{service}-1.{counter}"), change);
    }

    /// A new flow of a cell.
    pub(crate) fn count_flow(&mut self, cell: Cell) {
        let kind = match cell.protocol {
            Protocol::Tcp => "active",
            Protocol::Udp => "inactive",
        };
        self.count_for(cell, "connections", 1);
        self.count(format!("load.{}-1.{kind}", cell.service()), 1);
    }

    /// A client's packet that is sent.
    pub(crate) fn count_request(&mut self, cell: Cell, frame: &Frame) {
        self.count_for(cell, "packets", 1);
        self.count_for(cell, "bytes", frame.ip_len());
    }

    /// A backend's.
    pub(crate) fn count_answer(&mut self, cell: Cell, frame: &Frame) {
        self.count_for(cell, "packets_out", 1);
        self.count_for(cell, "bytes_out", frame.ip_len());
    }

    /// Sends a client's packet to see where it seems to come from then.
    pub(crate) fn source_of(&mut self, cell: Cell, frame: &Frame) -> SocketAddr {
        let (verdict, after) = self.walk(INGRESS, frame);
        let found = source(&after);
        assert!(
            found.is_some(),
            "{cell}: {verdict:?} of {}",
            compare(&frame.bytes(), &after)
        );
        let reason = match cell.arms {
            Arms::One => Reason::Sent,
            Arms::Two => Reason::Redirected,
        };
        self.count_reason(reason, frame);
        found.expect("as was just seen")
    }

    fn walk(&self, by: u32, frame: &Frame) -> (Xdp, Vec<u8>) {
        self.rig.walk_by(by, &frame.bytes()).expect("a walk")
    }

    /// The frame must become `expected`, out by the interface `to`.
    pub(crate) fn sends(
        &mut self,
        what: &str,
        [by, to]: [u32; 2],
        frame: &Frame,
        expected: &Frame,
    ) {
        let (verdict, reason) = if by == to {
            (Xdp::Tx, Reason::Sent)
        } else {
            (Xdp::Redirect, Reason::Redirected)
        };
        self.becomes(what, by, frame, (verdict, reason), expected);
    }

    /// The frame must stay as it is, for this reason.
    pub(crate) fn drops(&mut self, what: &str, by: u32, frame: &Frame, reason: Reason) {
        self.becomes(what, by, frame, (Xdp::Drop, reason), frame);
    }

    /// Has senders told what becomes of their packets.
    pub(crate) fn tell_all(&mut self) {
        self.rig.allow_notices(MANY, MANY).expect("a rate");
    }

    /// The frame must be left to the host as it is.
    pub(crate) fn passes(&mut self, what: &str, by: u32, frame: &Frame) {
        let outcome = (Xdp::Pass, Reason::OtherProtocol);
        self.becomes(what, by, frame, outcome, frame);
    }

    /// The packet must end here for this reason, and its sender get this message.
    pub(crate) fn tells(
        &mut self,
        what: &str,
        by: u32,
        frame: &Frame,
        message: &Frame,
        (reason, notice): (Reason, Notice),
    ) {
        self.becomes(what, by, frame, (Xdp::Tx, reason), message);
        self.count(format!("notice.{}", notice.as_str()), 1);
    }

    fn becomes(
        &mut self,
        what: &str,
        by: u32,
        frame: &Frame,
        (verdict, reason): (Xdp, Reason),
        expected: &Frame,
    ) {
        let (got, after) = self.walk(by, frame);
        let expected = expected.bytes();
        assert!(
            (got, &after) == (verdict, &expected),
            "{what}: {got:?} instead of {verdict:?}\nin and out: {}as it must be: {}counters: {}",
            compare(&frame.bytes(), &after),
            compare(&expected, &after),
            self.rig.state().expect("the counters")
        );
        self.count_reason(reason, frame);
    }

    /// All counters must show what was tallied.
    pub(crate) fn finish(self) {
        let state = self.rig.state().expect("the counters");
        let changes = state.since(&self.before);
        let names = changes.keys().chain(self.tally.keys());
        let wrong: BTreeMap<_, _> = names
            .map(|name| (name, (changes.get(name), self.tally.get(name))))
            .filter(|(_, (counted, tallied))| counted != tallied)
            .collect();
        assert!(wrong.is_empty(), "counted and tallied: {wrong:#?}\n{state}");
    }
}

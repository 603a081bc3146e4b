//! The program with a service for every cell of a mode and a pair, and a tally of what it has to count.

use std::{collections::BTreeMap, net::SocketAddr};

use lvs_common::{Family, ForwardingMode, Protocol, Reason};
use lvs_tests::{
    lab::{Namespace, command::output},
    packet::{
        BackendSpec, Changes, Frame, Hop, INGRESS, Rig, ServiceSpec, State, Xdp, compare, source,
    },
};

use super::{
    network::{Arms, DMZ, DMZ_MAC, backend, balancer, local, sender, vip},
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

/// A service of a mode and a pair, with one backend behind this hop: TCP, port 80.
pub(crate) fn service(mode: ForwardingMode, pair: Pair, hop: Hop) -> ServiceSpec {
    let port = if mode.translates() { 8080 } else { 80 };
    let spec = BackendSpec {
        mode,
        address: Some(backend(pair.backend, port)),
        ..BackendSpec::behind(hop)
    };
    ServiceSpec {
        locals: vec![local(pair.backend)],
        ..ServiceSpec::new("web", Protocol::Tcp, vip(pair.client, 80), [spec])
    }
}

/// A rig, and what its counters have to show.
pub(crate) struct Stand {
    pub(crate) rig: Rig,
    before: State,
    tally: Changes,
    /// Headers with an identification of their own so far, by service.
    numbered: BTreeMap<&'static str, u16>,
}

impl Stand {
    pub(crate) fn new(mode: ForwardingMode, pair: Pair) -> Self {
        let mut services: Vec<ServiceSpec> = Vec::new();
        for cell in Cell::all(mode, pair) {
            if services.iter().any(|known| known.name == cell.service()) {
                continue;
            }
            let backend = BackendSpec {
                mode,
                address: Some(cell.backend()),
                ..BackendSpec::behind(cell.hop())
            };
            services.push(ServiceSpec {
                locals: vec![local(pair.backend)],
                ..ServiceSpec::new(cell.service(), cell.protocol, cell.vip(), [backend])
            });
        }
        let mut rig = Rig::new(&services);
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
        assert_eq!(state.since(&self.before), self.tally, "\n{state}");
    }
}

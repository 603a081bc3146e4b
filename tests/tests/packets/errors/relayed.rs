//! Errors about the packets of a flow, and what has to become of them.

use std::net::{IpAddr, SocketAddr};

use lvs_common::{
    Family, ForwardingMode,
    ForwardingMode::{FullNat, Nat, Tun},
    tcp::ACK,
};
use lvs_tests::packet::{Frame, INGRESS, Quote};

use super::{kinds::Kind, shapes::Shape};
use crate::modes::{
    expected::{self, is_numbered},
    forwarding::open,
    network::{client, first, next},
    stand::Stand,
    table::Cell,
};

/// A router on the clients' side.
fn far_router(family: Family) -> IpAddr {
    address(family, "203.0.113.7", "2001:db8:9::7")
}

/// One beside the backends.
fn near_router(family: Family) -> IpAddr {
    address(family, "10.0.1.254", "2001:db8:1::fe")
}

fn address(family: Family, v4: &str, v6: &str) -> IpAddr {
    let text = if family == Family::Ipv4 { v4 } else { v6 };
    text.parse().expect("an address")
}

/// A flow of a cell.
pub(crate) struct Flow {
    pub(crate) cell: Cell,
    pub(crate) client: SocketAddr,
    /// Where its packets seem to come from.
    pub(crate) origin: SocketAddr,
    /// What opened it.
    opening: Frame,
}

impl Flow {
    /// Opens that of the client with this port.
    pub(crate) fn open(stand: &mut Stand, cell: Cell, port: u16) -> Self {
        let client = client(cell.pair.client, port);
        let opening = first(cell.protocol, client, cell.vip()).tags(cell.came.header());
        let origin = open(stand, cell, (&opening, None), client);
        Self {
            cell,
            client,
            origin,
            opening,
        }
    }

    /// A packet of the client.
    pub(crate) fn request(&self) -> Frame {
        self.opening.clone().flags(ACK)
    }

    /// A packet of the backend.
    pub(crate) fn answer(&self) -> Frame {
        let Cell { protocol, arms, .. } = self.cell;
        next(protocol, self.cell.backend(), self.origin)
            .tags(self.cell.network.header())
            .from_mac(self.cell.hop().to)
            .to_mac(arms.mac())
    }

    /// What a router on the clients' side has of the service's packet to the client.
    pub(crate) fn quoted_far(&self, shape: &Shape) -> Quote {
        let packet = next(self.cell.protocol, self.cell.vip(), self.client);
        (shape.quote)(Quote::of(&(shape.packet)(packet), 1))
    }

    /// What that router sends with such a quote.
    pub(crate) fn far(&self, kind: &Kind, shape: &Shape, quote: Vec<u8>) -> Frame {
        let router = far_router(self.cell.pair.client);
        let frame = Frame::icmp(router, self.cell.vip().ip(), kind.number, kind.word, quote);
        (shape.error)(frame).tags(self.cell.came.header())
    }

    /// What the backend has to get of such an error.
    pub(crate) fn far_sent(&self, stand: &mut Stand, frame: &Frame, quote: &Quote) -> Frame {
        let (cell, backend) = (self.cell, self.cell.backend());
        if !cell.mode.translates() {
            let has_number = cell.mode == Tun && is_numbered(frame.ip(), cell.pair.backend);
            let number = if has_number { stand.number(cell) } else { 0 };
            return expected::request(cell, frame, self.origin, number);
        }
        let sent = frame.clone().tags(cell.network.header());
        let router = SocketAddr::new(frame.ip().source, 0);
        sent.forwarded(&cell.hop())
            .between(router, backend)
            .body(quote.clone().between(backend, self.origin).bytes())
    }

    /// What a router on the backends' side, or the backend, has of the client's packet.
    pub(crate) fn quoted_near(&self, shape: &Shape) -> Quote {
        let packet = next(self.cell.protocol, self.origin, self.cell.backend());
        (shape.quote)(Quote::of(&(shape.packet)(packet), 63))
    }

    /// What the router sends with such a quote.
    pub(crate) fn near(&self, kind: &Kind, shape: &Shape, quote: Vec<u8>) -> Frame {
        let router = near_router(self.cell.pair.backend);
        let frame = Frame::icmp(router, self.origin.ip(), kind.number, kind.word, quote);
        (shape.error)(frame)
            .tags(self.cell.network.header())
            .to_mac(self.cell.arms.mac())
    }

    /// The same, sent by the backend.
    pub(crate) fn by_backend(&self, frame: &Frame) -> Frame {
        let frame = frame.clone().from_mac(self.cell.hop().to);
        frame.between(self.cell.backend(), self.origin)
    }

    /// What the client has to get of such an error.
    pub(crate) fn near_sent(&self, frame: &Frame, quote: &Quote) -> Frame {
        let (client, vip) = (self.client, self.cell.vip());
        let sent = frame.clone().tags(self.cell.came.header());
        sent.forwarded(&self.opening.back())
            .between(vip, client)
            .body(quote.clone().between(client, vip).bytes())
    }

    /// The interfaces that a client's frames come by, and its backend's.
    pub(crate) const fn way(&self) -> [u32; 2] {
        [INGRESS, self.cell.arms.interface()]
    }
}

/// All cells whose packets get other addresses.
pub(crate) fn translated() -> Vec<Cell> {
    [Nat, FullNat].into_iter().flat_map(within).collect()
}

/// All cells of a mode, but those that are translated between families.
pub(crate) fn within(mode: ForwardingMode) -> Vec<Cell> {
    let cells = Cell::of_mode(mode).into_iter();
    let fits = |cell: &Cell| !(mode.translates() && cell.pair.crosses());
    cells.filter(fits).collect()
}

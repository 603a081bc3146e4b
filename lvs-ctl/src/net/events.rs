//! The kernel's news: what it says by itself about links, routes and neighbours.

use std::time::Duration;

use futures::{FutureExt as _, StreamExt as _, channel::mpsc::UnboundedReceiver};
use netlink_packet_route::RouteNetlinkMessage;
use rtnetlink::{
    MulticastGroup,
    packet_core::{NetlinkMessage, NetlinkPayload},
    sys::SocketAddr,
};
use tokio::time::Instant;

use super::{
    NetError,
    neighbour::{self, Key, Neighbour},
};

/// How long news are gathered after the first, so that a flood of them costs one look at the
/// tables.
const GATHER: Duration = Duration::from_millis(20);

const GROUPS: [MulticastGroup; 8] = [
    MulticastGroup::Link,
    MulticastGroup::Neigh,
    MulticastGroup::Ipv4Ifaddr,
    MulticastGroup::Ipv6Ifaddr,
    MulticastGroup::Ipv4Route,
    MulticastGroup::Ipv6Route,
    MulticastGroup::Ipv4Rule,
    MulticastGroup::Ipv6Rule,
];

/// A piece of news.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// A neighbour entry is now like this; none: it is gone.
    Neighbour(Key, Option<Neighbour>),
    /// An interface came, went or changed. Routes go with it, for IPv4 without a word (`fib_flush`
    /// in `net/ipv4/fib_frontend.c`).
    Link,
    /// Routes, rules or addresses changed.
    Route,
    /// The kernel had more to tell than the socket could hold: anything may have changed.
    Lost,
}

type Received = (NetlinkMessage<RouteNetlinkMessage>, SocketAddr);

/// A subscription. It has its own socket, so that a flood of news never costs the answer to a
/// question.
pub(super) struct Events {
    socket: UnboundedReceiver<Received>,
    gathered: Vec<Event>,
    /// When gathering is over; none while nothing was heard.
    until: Option<Instant>,
}

impl Events {
    /// Subscribes in the calling thread's network namespace, served by the current runtime.
    pub(super) fn subscribe() -> Result<Self, NetError> {
        let (connection, _, socket) =
            rtnetlink::new_multicast_connection(&GROUPS).map_err(NetError::Open)?;
        tokio::spawn(connection);
        Ok(Self {
            socket,
            gathered: Vec::new(),
            until: None,
        })
    }

    /// Waits until there is news and a moment has passed in which more could come, at most until
    /// `deadline`. Nothing is lost when the future is dropped.
    pub(super) async fn wait(&mut self, deadline: Instant) -> Result<(), NetError> {
        loop {
            let until = self.until.map_or(deadline, |until| until.min(deadline));
            // A stream that always has something more would never let the timeout be seen.
            if Instant::now() >= until {
                return Ok(());
            }
            match tokio::time::timeout_at(until, self.socket.next()).await {
                Ok(Some(message)) => self.gather(&message),
                Ok(None) => return Err(NetError::Closed),
                Err(tokio::time::error::Elapsed { .. }) => return Ok(()),
            }
        }
    }

    /// All news so far, in order.
    pub(super) fn take(&mut self) -> Vec<Event> {
        while let Some(Some(message)) = self.socket.next().now_or_never() {
            self.gather(&message);
        }
        self.until = None;
        std::mem::take(&mut self.gathered)
    }

    fn gather(&mut self, (message, _): &Received) {
        if let Some(event) = parse(message) {
            self.gathered.push(event);
            self.until.get_or_insert_with(|| Instant::now() + GATHER);
        }
    }
}

fn parse(message: &NetlinkMessage<RouteNetlinkMessage>) -> Option<Event> {
    let message = match &message.payload {
        NetlinkPayload::InnerMessage(message) => message,
        NetlinkPayload::Overrun(_) => return Some(Event::Lost),
        _ => return None,
    };
    match message {
        RouteNetlinkMessage::NewNeighbour(entry) => {
            neighbour::parse(entry).map(|(key, neighbour)| Event::Neighbour(key, Some(neighbour)))
        }
        RouteNetlinkMessage::DelNeighbour(entry) => {
            neighbour::parse(entry).map(|(key, _)| Event::Neighbour(key, None))
        }
        RouteNetlinkMessage::NewLink(_) | RouteNetlinkMessage::DelLink(_) => Some(Event::Link),
        RouteNetlinkMessage::NewRoute(_)
        | RouteNetlinkMessage::DelRoute(_)
        | RouteNetlinkMessage::NewRule(_)
        | RouteNetlinkMessage::DelRule(_)
        | RouteNetlinkMessage::NewAddress(_)
        | RouteNetlinkMessage::DelAddress(_) => Some(Event::Route),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use futures::channel::mpsc::{UnboundedSender, unbounded};
    use netlink_packet_route::{
        address::AddressMessage, link::LinkMessage, neighbour::NeighbourMessage,
    };
    use rtnetlink::packet_core::NetlinkHeader;

    use super::*;

    fn received(payload: NetlinkPayload<RouteNetlinkMessage>) -> Received {
        (
            NetlinkMessage::new(NetlinkHeader::default(), payload),
            SocketAddr::new(0, 0),
        )
    }

    fn inner(message: RouteNetlinkMessage) -> Received {
        received(NetlinkPayload::InnerMessage(message))
    }

    fn events() -> (UnboundedSender<Received>, Events) {
        let (sender, socket) = unbounded();
        (
            sender,
            Events {
                socket,
                gathered: Vec::new(),
                until: None,
            },
        )
    }

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
    }

    #[test]
    fn a_flood_is_gathered_and_an_overrun_is_news() {
        let (sender, mut events) = events();
        for _ in 0..3 {
            sender
                .unbounded_send(inner(RouteNetlinkMessage::NewLink(LinkMessage::default())))
                .unwrap();
        }
        sender
            .unbounded_send(inner(RouteNetlinkMessage::DelAddress(
                AddressMessage::default(),
            )))
            .unwrap();
        sender
            .unbounded_send(received(NetlinkPayload::Overrun(vec![])))
            .unwrap();
        // Without an address it is no neighbour, as for a bridge's forwarding entry.
        sender
            .unbounded_send(inner(RouteNetlinkMessage::NewNeighbour(
                NeighbourMessage::default(),
            )))
            .unwrap();
        let start = Instant::now();
        runtime()
            .block_on(events.wait(start + Duration::from_mins(1)))
            .unwrap();
        assert!(start.elapsed() < Duration::from_secs(30));
        assert_eq!(
            events.take(),
            [
                Event::Link,
                Event::Link,
                Event::Link,
                Event::Route,
                Event::Lost
            ]
        );
        assert_eq!(events.take(), []);
    }

    #[test]
    fn a_wait_that_is_given_up_loses_nothing() {
        let (sender, mut events) = events();
        sender
            .unbounded_send(inner(RouteNetlinkMessage::NewLink(LinkMessage::default())))
            .unwrap();
        runtime().block_on(async {
            let deadline = Instant::now() + Duration::from_mins(1);
            assert!(
                events.wait(deadline).now_or_never().is_none(),
                "still gathering"
            );
        });
        assert_eq!(events.take(), [Event::Link]);
    }

    #[test]
    fn a_closed_socket_is_an_error() {
        let (sender, mut events) = events();
        drop(sender);
        let outcome = runtime().block_on(events.wait(Instant::now() + Duration::from_mins(1)));
        assert!(matches!(outcome, Err(NetError::Closed)));
    }
}

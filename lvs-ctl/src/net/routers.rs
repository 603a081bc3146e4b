//! The routers that the kernel's routes lead to.
//!
//! The data plane sends answers and messages by the kernel's routes (`bpf_fib_lookup`), which works only
//! while the kernel knows the router's MAC address; and nobody else may have asked for it.

use std::collections::{BTreeMap, BTreeSet};

use futures::TryStreamExt as _;
use netlink_packet_route::{
    AddressFamily,
    route::{RouteAttribute, RouteMessage, RouteType},
};
use rtnetlink::Handle;
use tokio::{
    sync::watch,
    task::JoinHandle,
    time::{Instant, sleep},
};

use super::{
    NetError,
    neighbour::Key,
    request,
    route::{self, gateway},
};

/// After routes were read it pauses for so many times as long as that took: there may be a million, and then
/// they change all the time.
const PAUSE: u32 = 50;

/// Follows the routes that leave by some interfaces.
///
/// A task of its own reads them, on a socket of its own: it may take seconds, in which backends come and
/// go.
pub(super) struct Routers {
    interfaces: BTreeSet<u32>,
    look: watch::Sender<()>,
    /// Routers by all interfaces; none before they were read for the first time.
    found: watch::Receiver<Option<BTreeSet<Key>>>,
    /// Those that are kept, and whether the MAC address of each is known.
    kept: BTreeMap<Key, bool>,
    task: JoinHandle<()>,
}

impl Routers {
    /// Begins to read. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// [`NetError::Open`] if a socket cannot be opened.
    pub(super) fn of(interfaces: BTreeSet<u32>) -> Result<Self, NetError> {
        let handle = request::connect()?;
        let (look, told) = watch::channel(());
        let (tell, found) = watch::channel(None);
        Ok(Self {
            interfaces,
            look,
            found,
            kept: BTreeMap::new(),
            task: tokio::spawn(follow(handle, told, tell)),
        })
    }

    /// Has the routes read again soon.
    pub(super) fn look_again(&self) {
        self.look.send_replace(());
    }

    /// Waits until there are others than before. Nothing is lost when the future is dropped.
    pub(super) async fn changed(&mut self) -> Result<(), NetError> {
        self.found
            .changed()
            .await
            .map_err(|_ended| NetError::Closed)
    }

    /// The neighbour entries of those whose interface `is_usable`.
    pub(super) fn wanted(&mut self, is_usable: impl Fn(u32) -> bool) -> BTreeSet<Key> {
        let found = self.found.borrow_and_update();
        let keys = found
            .iter()
            .flatten()
            .filter(|key| self.interfaces.contains(&key.ifindex) && is_usable(key.ifindex));
        keys.copied().collect()
    }

    /// Takes in which entries are kept, and whether the MAC address of each is known.
    pub(super) fn note(&mut self, kept: BTreeMap<Key, bool>) {
        for (key, is_known) in &kept {
            if self.kept.get(key) != Some(is_known) {
                let Key { address, ifindex } = key;
                let not = if *is_known { "" } else { "not " };
                log::debug!("router {address} on interface {ifindex}: MAC address {not}known");
            }
        }
        self.kept = kept;
    }

    /// Whether there is something left to be found out.
    pub(super) fn awaits_an_answer(&self) -> bool {
        self.found.borrow().is_none() || self.kept.values().any(|is_known| !is_known)
    }
}

impl Drop for Routers {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Reads the routes whenever it is told to, and tells the routers when they are others.
async fn follow(
    handle: Handle,
    mut told: watch::Receiver<()>,
    tell: watch::Sender<Option<BTreeSet<Key>>>,
) {
    loop {
        told.mark_unchanged();
        let start = Instant::now();
        match read(&handle).await {
            Ok(routers) => {
                tell.send_if_modified(|known| {
                    let differ = known.as_ref() != Some(&routers);
                    *known = Some(routers);
                    differ
                });
            }
            // They are read again, and answers have another way meanwhile.
            Err(error) => log::debug!("{error}"),
        }
        sleep(start.elapsed() * PAUSE).await;
        if told.changed().await.is_err() {
            return;
        }
    }
}

/// The routers of all routes.
async fn read(handle: &Handle) -> Result<BTreeSet<Key>, NetError> {
    let mut routers = BTreeSet::new();
    for family in [AddressFamily::Inet, AddressFamily::Inet6] {
        let mut message = RouteMessage::default();
        message.header.address_family = family;
        let mut answers = Box::pin(handle.route().get(message).execute());
        let mut next =
            async || request::complete(|| "list the routes".to_owned(), answers.try_next()).await;
        loop {
            match next().await {
                Ok(Some(message)) => routers.extend(routers_of(&message)),
                Ok(None) => break,
                Err(error) if error.errno().is_some_and(route::is_no_family) => break,
                Err(error) => return Err(error),
            }
        }
    }
    Ok(routers)
}

/// The routers of a route, of whatever table.
fn routers_of(message: &RouteMessage) -> Vec<Key> {
    if message.header.kind != RouteType::Unicast {
        return Vec::new();
    }
    let mut routers = Vec::new();
    let mut add = |ifindex: Option<u32>, attributes: &[RouteAttribute]| {
        let address = attributes.iter().find_map(gateway);
        routers.extend(
            ifindex
                .zip(address)
                .map(|(ifindex, address)| Key { ifindex, address }),
        );
    };
    let ifindex = message
        .attributes
        .iter()
        .find_map(|attribute| match attribute {
            RouteAttribute::Oif(ifindex) => Some(*ifindex),
            _ => None,
        });
    add(ifindex, &message.attributes);
    for attribute in &message.attributes {
        if let RouteAttribute::MultiPath(hops) = attribute {
            for hop in hops {
                add(Some(hop.interface_index), &hop.attributes);
            }
        }
    }
    routers
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use netlink_packet_route::route::{RouteAddress, RouteNextHop, RouteVia};

    use super::*;

    fn via(text: &str) -> RouteAttribute {
        RouteAttribute::Gateway(match text.parse().unwrap() {
            IpAddr::V4(v4) => RouteAddress::Inet(v4),
            IpAddr::V6(v6) => RouteAddress::Inet6(v6),
        })
    }

    fn hop(ifindex: u32, attributes: Vec<RouteAttribute>) -> RouteNextHop {
        let mut hop = RouteNextHop::default();
        hop.interface_index = ifindex;
        hop.attributes = attributes;
        hop
    }

    fn found(kind: RouteType, attributes: Vec<RouteAttribute>) -> Vec<(u32, String)> {
        let mut message = RouteMessage::default();
        message.header.kind = kind;
        message.attributes = attributes;
        let keys = routers_of(&message).into_iter();
        keys.map(|key| (key.ifindex, key.address.to_string()))
            .collect()
    }

    #[test]
    fn routers_of_every_kind_of_route() {
        let oif = || RouteAttribute::Oif(3);
        let v6 = RouteVia::Inet6("fe80::1".parse().unwrap());
        let paths = RouteAttribute::MultiPath(vec![
            hop(4, vec![via("10.0.0.1")]),
            hop(5, vec![]),
            hop(6, vec![RouteAttribute::Via(v6.clone())]),
        ]);
        for (attributes, expected) in [
            (vec![oif(), via("10.0.0.1")], vec![(3, "10.0.0.1")]),
            (vec![oif(), via("fe80::1")], vec![(3, "fe80::1")]),
            (vec![oif(), RouteAttribute::Via(v6)], vec![(3, "fe80::1")]),
            (vec![oif()], vec![]),
            (vec![via("10.0.0.1")], vec![]),
            (vec![paths], vec![(4, "10.0.0.1"), (6, "fe80::1")]),
        ] {
            let expected: Vec<_> = expected.iter().map(|&(i, a)| (i, a.to_owned())).collect();
            assert_eq!(found(RouteType::Unicast, attributes), expected);
        }
        for kind in [RouteType::Local, RouteType::BlackHole, RouteType::Multicast] {
            assert_eq!(found(kind, vec![oif(), via("10.0.0.1")]), []);
        }
    }
}

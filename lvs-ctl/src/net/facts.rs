//! What is known of the kernel's tables, and which part of it is out of date.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use rtnetlink::Handle;

use super::{
    Link, NetError, Resolution,
    events::Event,
    link,
    neighbour::{self, Key, Neighbours},
    next_hop::{Target, Way},
    route::{self, Route},
};

/// Copies of the kernel's tables. Neighbours follow the news; links and routes are read again when
/// the news says that they changed, since a route is the outcome of a search that no event
/// describes.
pub(super) struct Facts {
    handle: Handle,
    links: BTreeMap<u32, Link>,
    neighbours: Neighbours,
    targets: BTreeSet<Target>,
    /// The route to the address of each target.
    routes: BTreeMap<IpAddr, Route>,
    /// The interface that each address was last seen to leave by.
    last: BTreeMap<IpAddr, u32>,
    stale: Stale,
}

/// Which tables are to be read again.
#[derive(Clone, Copy)]
struct Stale {
    links: bool,
    neighbours: bool,
    routes: bool,
}

impl Stale {
    const ALL: Self = Self {
        links: true,
        neighbours: true,
        routes: true,
    };
}

impl Facts {
    /// Knows nothing yet.
    pub(super) fn new(handle: Handle) -> Self {
        Self {
            handle,
            links: BTreeMap::new(),
            neighbours: Neighbours::new(),
            targets: BTreeSet::new(),
            routes: BTreeMap::new(),
            last: BTreeMap::new(),
            stale: Stale::ALL,
        }
    }

    /// Takes in a piece of news.
    pub(super) fn hear(&mut self, event: Event) {
        match event {
            Event::Neighbour(key, Some(neighbour)) => {
                self.neighbours.insert(key, neighbour);
            }
            Event::Neighbour(key, None) => {
                self.neighbours.remove(&key);
            }
            Event::Link => {
                self.stale.links = true;
                self.stale.routes = true;
            }
            Event::Route => self.stale.routes = true,
            Event::Lost => self.distrust(),
        }
    }

    /// Everything is to be read again.
    pub(super) fn distrust(&mut self) {
        self.stale = Stale::ALL;
    }

    /// Reads again what is out of date, routes to these targets. What was not finished when the
    /// future is dropped stays out of date.
    pub(super) async fn update(&mut self, targets: &BTreeSet<Target>) -> Result<(), NetError> {
        if self.stale.links {
            self.links = link::links(&self.handle)
                .await?
                .into_iter()
                .map(|link| (link.index, link))
                .collect();
            self.stale.links = false;
        }
        if self.stale.neighbours {
            self.neighbours = neighbour::dump(&self.handle).await?;
            self.stale.neighbours = false;
        }
        if self.stale.routes {
            let mut routes = BTreeMap::new();
            let addresses: BTreeSet<_> = targets.iter().map(|target| target.address).collect();
            for &address in &addresses {
                let route = route::lookup(&self.handle, address).await?;
                if let Route::Out(out) = &route {
                    self.last.insert(address, out.ifindex);
                }
                routes.insert(address, route);
            }
            self.routes = routes;
            self.targets.clone_from(targets);
            self.last.retain(|address, _| addresses.contains(address));
            self.stale.routes = false;
        }
        Ok(())
    }

    /// The outcome for each target that was looked up.
    pub(super) fn resolutions(&self) -> BTreeMap<Target, Resolution> {
        self.ways()
            .map(|way| (way.target, way.resolve(&self.neighbours)))
            .collect()
    }

    /// The neighbour entries that the targets need.
    pub(super) fn wanted(&self) -> BTreeSet<Key> {
        self.ways().filter_map(Way::neighbour).collect()
    }

    /// Whether routes may have changed since they were looked up.
    pub(super) fn routes_are_stale(&self) -> bool {
        self.stale.routes
    }

    /// Whether neighbours can be asked for on this interface.
    pub(super) fn can_ask_on(&self, ifindex: u32) -> bool {
        let link = self.links.get(&ifindex);
        link.is_some_and(|link| link.up && link.carrier && link.mac.is_some())
    }

    /// The neighbour table.
    pub(super) fn neighbours(&self) -> &Neighbours {
        &self.neighbours
    }

    fn ways(&self) -> impl Iterator<Item = Way<'_>> {
        self.targets.iter().filter_map(|&target| {
            Some(Way {
                target,
                route: self.routes.get(&target.address)?,
                last: self.last.get(&target.address).copied(),
                links: &self.links,
            })
        })
    }
}

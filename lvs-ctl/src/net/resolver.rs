//! Next hops for a set of targets, and word when they change.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use log::Level;
use rtnetlink::Handle;
use tokio::time::Instant;

use super::{
    Cause, NetError, Resolution, Target,
    events::Events,
    facts::Facts,
    keeper::{Keeper, Step},
    neighbour::{self, Key},
    request,
    routers::Routers,
};

/// How often everything is read again although no event said so.
const FULL: Duration = Duration::from_secs(1);

/// News of a target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The target.
    pub target: Target,
    /// What became of it.
    pub resolution: Resolution,
}

/// Watches the kernel's routes and neighbours for a set of targets.
///
/// It asks the kernel for every neighbour that the targets need and has it keep them resolved,
/// for which the process needs `CAP_NET_ADMIN`. [`Resolver::release`] undoes that. One that is only
/// dropped leaves the kernel probing; the next resolver adopts those of its own targets.
pub struct Resolver {
    handle: Handle,
    events: Events,
    facts: Facts,
    keeper: Keeper,
    /// Routers that are kept as well.
    routers: Option<Routers>,
    /// Requests that failed and were logged, so that one that goes on failing is logged once.
    refused: BTreeSet<Key>,
    targets: BTreeSet<Target>,
    current: BTreeMap<Target, Resolution>,
    told: BTreeMap<Target, Resolution>,
    /// When everything is to be read again.
    full_at: Instant,
    /// Whether a refresh was begun and not ended, because its future was dropped.
    behind: bool,
}

impl Resolver {
    /// Begins to watch, in the calling thread's network namespace. Must be called within a tokio
    /// runtime, which serves the sockets. Nothing counts as told yet: [`Resolver::settle`] or
    /// [`Resolver::changed`] reports every target.
    ///
    /// # Errors
    /// [`NetError::Open`] if a socket cannot be opened; others if the kernel's tables cannot be
    /// read.
    pub async fn new(
        targets: impl IntoIterator<Item = impl Into<Target>>,
    ) -> Result<Self, NetError> {
        let handle = request::connect()?;
        // Before the first look at the tables, so that no change falls between.
        let events = Events::subscribe()?;
        let mut resolver = Self {
            facts: Facts::new(handle.clone()),
            handle,
            events,
            keeper: Keeper::default(),
            routers: None,
            refused: BTreeSet::new(),
            targets: targets.into_iter().map(Into::into).collect(),
            current: BTreeMap::new(),
            told: BTreeMap::new(),
            full_at: Instant::now() + FULL,
            behind: false,
        };
        resolver.refresh().await?;
        Ok(resolver)
    }

    /// Watches these targets from now on, and no others. New ones are reported by the next
    /// [`Resolver::settle`] or [`Resolver::changed`]; the neighbours of those left out are let go.
    ///
    /// # Errors
    /// As [`Resolver::changed`].
    pub async fn watch(
        &mut self,
        targets: impl IntoIterator<Item = impl Into<Target>>,
    ) -> Result<(), NetError> {
        self.targets = targets.into_iter().map(Into::into).collect();
        self.facts.distrust();
        self.refresh().await
    }

    /// Keeps the routers as well that the kernel's routes by these interfaces lead to, whatever becomes of them:
    /// nothing is told, and nobody is warned. Interfaces are named by their indices.
    ///
    /// # Errors
    /// [`NetError::Open`] if a socket cannot be opened.
    pub fn keep_routers(
        &mut self,
        interfaces: impl IntoIterator<Item = u32>,
    ) -> Result<(), NetError> {
        self.routers = Some(Routers::of(interfaces.into_iter().collect())?);
        Ok(())
    }

    /// What is known now of every watched target.
    pub fn resolutions(&self) -> &BTreeMap<Target, Resolution> {
        &self.current
    }

    /// Waits until every neighbour that was asked, routers too, has answered, at most for `deadline`, and
    /// returns what was not told yet. Hosts that are up answer within a millisecond; only a silent one
    /// costs the whole time.
    ///
    /// # Errors
    /// As [`Resolver::changed`].
    pub async fn settle(&mut self, deadline: Duration) -> Result<Vec<Change>, NetError> {
        let deadline = Instant::now() + deadline;
        while self.awaits_an_answer() && Instant::now() < deadline {
            self.wait(deadline.min(self.full_at)).await?;
            self.refresh().await?;
        }
        Ok(self.tell())
    }

    /// Waits until the resolution of at least one target differs from what was last told, and
    /// returns those that do. The future can be dropped at any time, as in `select!`; nothing is
    /// lost.
    ///
    /// It is this method that has the neighbours asked again, so it must be waited on all the time.
    ///
    /// # Errors
    /// [`NetError::Closed`] if a socket is gone; [`NetError::Refused`] or [`NetError::NoAnswer`] if
    /// the kernel's tables cannot be read.
    pub async fn changed(&mut self) -> Result<Vec<Change>, NetError> {
        loop {
            let changes = self.tell();
            if !changes.is_empty() {
                return Ok(changes);
            }
            if !self.behind {
                self.wait(self.full_at).await?;
            }
            self.refresh().await?;
        }
    }

    /// Ends watching and leaves the kernel's neighbour table as it was: entries made here are
    /// removed, entries that were there before become ordinary ones again.
    ///
    /// # Errors
    /// The first request that failed, after all were tried.
    pub async fn release(mut self) -> Result<(), NetError> {
        let neighbours = neighbour::dump(&self.handle).await?;
        let mut outcome = Ok(());
        for step in self.keeper.let_go(&BTreeSet::new(), &neighbours) {
            if let Err(error) = carry_out(&self.handle, step).await {
                outcome = outcome.and(Err(error));
            }
        }
        outcome
    }

    /// Waits for news, at most until `deadline`. Nothing is lost when the future is dropped.
    async fn wait(&mut self, deadline: Instant) -> Result<(), NetError> {
        let routers = &mut self.routers;
        let others = async {
            match routers {
                Some(routers) => routers.changed().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            waited = self.events.wait(deadline) => waited,
            changed = others => changed,
        }
    }

    /// Brings everything up to date with the kernel, and asks for the neighbours that are due.
    async fn refresh(&mut self) -> Result<(), NetError> {
        self.behind = true;
        for event in self.events.take() {
            self.facts.hear(event);
        }
        if Instant::now() >= self.full_at {
            self.facts.distrust();
            self.full_at = Instant::now() + FULL;
        }
        if let Some(routers) = &self.routers
            && self.facts.routes_are_stale()
        {
            routers.look_again();
        }
        self.facts.update(&self.targets).await?;
        self.current = self.facts.resolutions();
        let mut wanted = self.facts.wanted();
        wanted.extend(self.wanted_routers());
        for step in self
            .keeper
            .steps(&wanted, self.facts.neighbours(), Instant::now())
        {
            let outcome = carry_out(&self.handle, step).await;
            self.log(step, outcome);
        }
        self.behind = false;
        Ok(())
    }

    /// The neighbour entries of routers.
    fn wanted_routers(&mut self) -> BTreeSet<Key> {
        let Some(routers) = &mut self.routers else {
            return BTreeSet::new();
        };
        let (facts, neighbours) = (&self.facts, self.facts.neighbours());
        let wanted = routers.wanted(|ifindex| facts.can_ask_on(ifindex));
        let is_known = |key: &Key| neighbours.get(key).is_some_and(|entry| entry.mac.is_some());
        routers.note(wanted.iter().map(|key| (*key, is_known(key))).collect());
        wanted
    }

    /// A refused request is no reason to stop: what the table has by other means still counts, and
    /// it is tried again.
    fn log(&mut self, step: Step, outcome: Result<(), NetError>) {
        let key = step.key();
        match outcome {
            Ok(()) => {
                self.refused.remove(&key);
            }
            Err(error) if self.refused.insert(key) => {
                let reason = std::error::Error::source(&error)
                    .map(|source| format!(": {source}"))
                    .unwrap_or_default();
                let is_backend = self.facts.wanted().contains(&key);
                let level = if is_backend {
                    Level::Warn
                } else {
                    Level::Debug
                };
                log::log!(level, "{error}{reason}");
            }
            Err(_) => {}
        }
    }

    fn awaits_an_answer(&self) -> bool {
        let of_routers = self.routers.as_ref().is_some_and(Routers::awaits_an_answer);
        of_routers
            || self.current.values().any(|resolution| {
                matches!(
                    resolution,
                    Resolution::Unresolved(Cause::NoNeighbour { .. })
                )
            })
    }

    /// What differs from what was told; from now on it is told.
    fn tell(&mut self) -> Vec<Change> {
        let changes = self
            .current
            .iter()
            .filter(|&(target, resolution)| self.told.get(target) != Some(resolution))
            .map(|(&target, resolution)| Change {
                target,
                resolution: resolution.clone(),
            })
            .collect();
        self.told.clone_from(&self.current);
        changes
    }
}

/// Has the kernel do it. An interface or entry that is gone needs nothing undone.
async fn carry_out(handle: &Handle, step: Step) -> Result<(), NetError> {
    let outcome = match step {
        Step::Ask { key, make } => return neighbour::ask(handle, key, make).await,
        Step::Unmanage(key) => neighbour::unmanage(handle, key).await,
        Step::Delete(key) => neighbour::delete(handle, key).await,
    };
    match outcome {
        Err(error) if matches!(error.errno(), Some(libc::ENOENT | libc::ENODEV)) => Ok(()),
        outcome => outcome,
    }
}

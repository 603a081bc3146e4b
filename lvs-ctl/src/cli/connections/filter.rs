//! Which connections are meant.

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
};

use anyhow::{Context as _, Result};
use lvs_common::{flow::Word, map::Service};

use super::{super::names, rows::state};
use crate::datapath::Pinned;

/// The filters of the command line: all that are given must fit.
#[derive(Debug, Default, clap::Args)]
pub(super) struct Filter {
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

/// What a filter lets through: the flow word decides almost all of it.
pub(super) struct Chosen<B> {
    /// The backends whose connections are meant, by their ids.
    backends: Vec<Option<B>>,
    /// Whether connections in a state are meant, by its number in the flow word.
    states: [bool; 16],
    client: Option<Endpoint>,
}

impl<B> Chosen<B> {
    /// Whether a flow with this word may be meant. The entry of a flow's replies is not, its owner is.
    pub(super) fn has(&self, word: Word) -> bool {
        let state = self.states.get(usize::from(word.state()));
        state.is_some_and(|chosen| *chosen) && !word.is_reply() && self.backend(word).is_some()
    }

    /// The backend of a flow that may be meant.
    pub(super) fn backend(&self, word: Word) -> Option<&B> {
        self.backends.get(usize::from(word.backend()))?.as_ref()
    }

    /// Whether connections of this client are meant.
    pub(super) fn has_client(&self, client: SocketAddr) -> bool {
        self.client.is_none_or(|chosen| chosen.covers(client))
    }
}

impl Filter {
    /// Whether there is no filter at all.
    pub(super) fn is_empty(&self) -> bool {
        let Self {
            service,
            backend,
            client,
            state,
        } = self;
        service.is_none() && backend.is_none() && client.is_none() && state.is_none()
    }

    /// What it lets through of a running director's flows. `make` is called for every backend that is
    /// meant: its address, that of its service, and the service's name.
    pub(super) fn choose<B>(
        &self,
        pinned: &Pinned,
        mut make: impl FnMut(SocketAddr, SocketAddr, String) -> Result<B>,
    ) -> Result<Chosen<B>> {
        let services: BTreeMap<u32, Service> = pinned.services().collect();
        let mut backends = Vec::new();
        for (id, backend) in pinned.backends() {
            let address = names::socket_address(backend.address, backend.family, backend.port)?;
            let service = services.get(&backend.service);
            let service = service.with_context(|| format!("backend {id} is of no service"))?;
            let name = names::service(service);
            let key = &service.key;
            let destination = names::socket_address(key.address, key.family, key.port)?;
            let chosen = self
                .has_backend(address, &name)
                .then(|| make(address, destination, name));
            backends.resize_with(id as usize, || None);
            backends.push(chosen.transpose()?);
        }
        Ok(Chosen {
            backends,
            states: self.states(),
            client: self.client,
        })
    }

    fn has_backend(&self, address: SocketAddr, service: &str) -> bool {
        self.service.as_ref().is_none_or(|name| name == service)
            && self.backend.is_none_or(|backend| backend.covers(address))
    }

    fn states(&self) -> [bool; 16] {
        std::array::from_fn(|number| {
            let state = state(Word::open(0, number as u8, 0));
            let chosen = self.state.as_ref();
            chosen.is_none_or(|chosen| chosen.eq_ignore_ascii_case(state))
        })
    }
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
    fn states_by_name_in_any_case() {
        let mut filter = Filter::default();
        assert!(filter.is_empty());
        assert_eq!(filter.states(), [true; 16]);
        for (name, number) in [("time_wait", Word::of_tcp(5)), ("UDP", Word::UDP)] {
            filter.state = Some(name.to_string());
            let mut expected = [false; 16];
            expected[usize::from(number)] = true;
            assert_eq!(filter.states(), expected, "{name}");
        }
    }
}

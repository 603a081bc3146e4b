//! The maps of the tunnels that end here.

use std::net::IpAddr;

use anyhow::{Context as _, Result};
use aya::maps::{
    HashMap, MapData,
    lpm_trie::{Key, LpmTrie},
};
use lvs_common::map::{Endpoint, TunnelSource, name};

use super::{entry::Entry, object::Object};

/// Where tunnels end, and where they may come from.
pub(super) struct Tunnels {
    endpoints: HashMap<MapData, Entry<Endpoint>, u32>,
    sources: LpmTrie<MapData, Entry<TunnelSource>, u32>,
}

impl Tunnels {
    /// Those of a loaded object.
    pub(super) fn open(object: &Object) -> Result<Self> {
        Ok(Self {
            endpoints: object.open(name::ENDPOINTS)?.try_into()?,
            sources: object.open(name::TUNNEL_SOURCES)?.try_into()?,
        })
    }

    /// Lets tunnels end at an address of this machine.
    pub(super) fn add_endpoint(&mut self, address: IpAddr) -> Result<()> {
        self.endpoints
            .insert(Entry(address.into()), 1, 0)
            .context(name::ENDPOINTS)
    }

    /// Lets tunnels come from a prefix of so many bits.
    pub(super) fn allow(&mut self, from: IpAddr, bits: u8) -> Result<()> {
        let key = Key::new(TunnelSource::prefix(bits), Entry(from.into()));
        self.sources
            .insert(&key, 1, 0)
            .context(name::TUNNEL_SOURCES)
    }
}

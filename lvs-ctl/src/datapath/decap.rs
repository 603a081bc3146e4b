//! The program that takes packets out of tunnels, for machines that do not balance.

use std::net::IpAddr;

use anyhow::{Context as _, Result};
use aya::maps::{Array, MapData};
use lvs_common::map::{Settings, name};

use super::{
    attach::Attacher, counters::StatsReader, entry::Entry, object::Object, tunnels::Tunnels,
};

/// Name of the program.
const PROGRAM: &str = "decap";

/// The loaded program and its maps. Dropping it detaches the program.
pub struct Decap {
    object: Object,
}

impl Decap {
    /// Loads the program for tunnels that end at one of `endpoints` and come from one of the prefixes
    /// `from`, each an address and how many of its bits count.
    ///
    /// # Errors
    /// If the kernel refuses; the message says why.
    pub fn load(endpoints: &[IpAddr], from: &[(IpAddr, u8)]) -> Result<Self> {
        let entries = [
            (name::ENDPOINTS, endpoints.len().max(1) as u32),
            (name::TUNNEL_SOURCES, from.len().max(1) as u32),
        ];
        let object = Object::load(&entries, false, &[PROGRAM])?;
        let mut tunnels = Tunnels::open(&object)?;
        for endpoint in endpoints {
            tunnels.add_endpoint(*endpoint)?;
        }
        for (address, bits) in from {
            tunnels.allow(*address, *bits)?;
        }
        let mut settings: Array<MapData, Entry<Settings>> =
            object.open(name::SETTINGS)?.try_into()?;
        let entry = Settings {
            endpoints: 1,
            ..Settings::NONE
        };
        settings.set(0, Entry(entry), 0).context(name::SETTINGS)?;
        Ok(Self { object })
    }

    /// Attaches the program to interfaces.
    pub fn attacher(&mut self) -> Attacher<'_> {
        Attacher::new(&mut self.object, PROGRAM)
    }

    /// Reads what the program counts: of the counters those of the reasons.
    ///
    /// # Errors
    /// If a map cannot be opened.
    pub fn stats(&self) -> Result<StatsReader> {
        StatsReader::new(|map| self.object.open(map))
    }
}

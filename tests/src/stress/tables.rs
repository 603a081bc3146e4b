//! The flow table's maps, read and emptied while nobody is in them.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use aya::maps::{Array, Map, MapData};
use lvs_common::{
    flow::{Link, Slot, Tuple, Tuple4, Tuple6, WAYS, Word},
    map::{LINE, name},
};
use lvs_ebpf::host::{AnyTuple, Flow, Load, Scan};

const HALF4: usize = WAYS * <Tuple4 as Tuple>::ENTRY_WORDS;
const HALF6: usize = WAYS * <Tuple6 as Tuple>::ENTRY_WORDS;

/// Half buckets of either family that stress uses, at the most; others may be there, and are empty.
pub(super) const MOST_HALVES: u32 = 64;

/// FLOWS4, FLOWS6 and LOAD.
pub(super) struct Tables {
    halves4: Array<MapData, [u64; HALF4]>,
    halves6: Array<MapData, [u64; HALF6]>,
    loads: Array<MapData, [u64; LINE]>,
}

impl Tables {
    /// Opens the maps, which are pinned there.
    pub(super) fn open(pin: impl Fn(&str) -> PathBuf) -> Result<Self> {
        let open = |map: &str| -> Result<Map> {
            let data = MapData::from_pin(pin(map)).with_context(|| map.to_owned())?;
            Ok(Map::from_map_data(data)?)
        };
        Ok(Self {
            halves4: open(name::FLOWS4)?.try_into()?,
            halves6: open(name::FLOWS6)?.try_into()?,
            loads: open(name::LOAD)?.try_into()?,
        })
    }

    /// Everything that is in them, at this tick.
    pub(super) fn scan(&self, now: u32) -> Result<Scan> {
        let mut flows = Vec::new();
        for half in 0..self.halves4.len().min(MOST_HALVES) {
            let words = self.halves4.get(&half, 0).context(name::FLOWS4)?;
            add::<Tuple4>(&words, half, &mut flows);
        }
        for half in 0..self.halves6.len().min(MOST_HALVES) {
            let words = self.halves6.get(&half, 0).context(name::FLOWS6)?;
            add::<Tuple6>(&words, half, &mut flows);
        }
        let load = |id: u32| -> Result<(u16, Load)> {
            let line = self.loads.get(&id, 0).context(name::LOAD)?;
            Ok((u16::try_from(id)?, Load::from_bits(line[0])))
        };
        Ok(Scan {
            flows,
            // Id 0 is nobody's.
            loads: (1..self.loads.len()).map(load).collect::<Result<_>>()?,
            now,
        })
    }

    /// Makes them as if they were never used.
    pub(super) fn empty(&mut self) -> Result<()> {
        for half in 0..self.halves4.len().min(MOST_HALVES) {
            self.halves4
                .set(half, [0; HALF4], 0)
                .context(name::FLOWS4)?;
        }
        for half in 0..self.halves6.len().min(MOST_HALVES) {
            self.halves6
                .set(half, [0; HALF6], 0)
                .context(name::FLOWS6)?;
        }
        for id in 0..self.loads.len() {
            self.loads.set(id, [0; LINE], 0).context(name::LOAD)?;
        }
        Ok(())
    }
}

/// Adds the live entries of a half bucket.
fn add<T: Tuple + Into<AnyTuple>>(words: &[u64], half: u32, flows: &mut Vec<Flow>) {
    for (way, entry) in (0..).zip(words.chunks_exact(T::ENTRY_WORDS)) {
        let word = Word(entry[0]);
        if let Some(tuple) = T::from_words(&entry[1..T::LINK]).filter(|_| word.is_live()) {
            flows.push(Flow {
                slot: Slot::new(T::FAMILY, half, way),
                word,
                tuple: tuple.into(),
                link: Link(entry[T::LINK]),
            });
        }
    }
}

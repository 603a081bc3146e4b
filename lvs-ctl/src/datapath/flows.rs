//! Reading the flow table.

use std::{
    net::SocketAddr,
    sync::atomic::{Ordering, fence},
};

use anyhow::{Context as _, Result};
use aya::maps::Map;
use lvs_common::{
    flow::{Slot, Tuple, Tuple4, Tuple6, WAYS, Word},
    map::name,
};
use zerocopy::{FromBytes, Immutable, IntoBytes};

use super::{load::Datapath, mapped::Mapped};

type Half4 = [u64; WAYS * <Tuple4 as Tuple>::ENTRY_WORDS];
type Half6 = [u64; WAYS * <Tuple6 as Tuple>::ENTRY_WORDS];

/// Words of the longest tuple.
const LONGEST: usize = size_of::<Tuple6>() / size_of::<u64>();

/// A flow as it stands in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flow {
    /// Where its entry is.
    pub slot: Slot,
    /// Backend, state and deadline. It may have expired, and not been swept yet.
    pub word: Word,
    /// The client.
    pub source: SocketAddr,
    /// The service's address and port.
    pub destination: SocketAddr,
    /// IANA number of the transport protocol.
    pub protocol: u8,
}

/// Reads the flow table while the data plane goes on changing it.
pub struct FlowReader {
    halves4: Mapped<Half4>,
    halves6: Mapped<Half6>,
}

impl FlowReader {
    /// Opens the maps that `take` gives by their names.
    pub(super) fn new(take: impl Fn(&str) -> Result<Map>) -> Result<Self> {
        Ok(Self {
            halves4: Mapped::new(&take(name::FLOWS4)?, false).context(name::FLOWS4)?,
            halves6: Mapped::new(&take(name::FLOWS6)?, false).context(name::FLOWS6)?,
        })
    }

    /// Every live entry, those of replies too, first those of IPv4. One that is opened or ended meanwhile may be missing.
    pub fn flows(&self) -> impl Iterator<Item = Flow> + '_ {
        self.flows_with(|_| true)
    }

    /// The same of those whose word is `wanted`; of other entries nothing but the word is read.
    pub fn flows_with<'a>(
        &'a self,
        wanted: impl Fn(Word) -> bool + Copy + 'a,
    ) -> impl Iterator<Item = Flow> + 'a {
        of_family::<Tuple4, _>(&self.halves4, wanted)
            .chain(of_family::<Tuple6, _>(&self.halves6, wanted))
    }
}

impl Datapath {
    /// Reads this data plane's flow table.
    ///
    /// # Errors
    /// If a map cannot be opened.
    pub fn flows(&self) -> Result<FlowReader> {
        FlowReader::new(|map| self.open(map))
    }
}

fn of_family<T, Half>(
    halves: &Mapped<Half>,
    wanted: impl Fn(Word) -> bool + Copy,
) -> impl Iterator<Item = Flow>
where
    T: Tuple,
    Half: FromBytes + IntoBytes + Immutable + Copy,
{
    (0..halves.len() as u32).flat_map(move |index| {
        (0..WAYS).filter_map(move |way| {
            let slot = Slot::new(T::FAMILY, index, way as u32);
            settled::<T>(slot, wanted, |n| {
                halves.word(index, way * T::ENTRY_WORDS + n)
            })
        })
    })
}

/// The live flow in an entry, if its word is `wanted` and nobody took the entry while it was read.
///
/// `word` reads the `n`-th word of the entry. The flow word is read before and after the tuple, as
/// the data plane itself does: only a claim, and so another generation, puts another tuple there.
fn settled<T: Tuple>(
    slot: Slot,
    wanted: impl Fn(Word) -> bool,
    mut word: impl FnMut(usize) -> Option<u64>,
) -> Option<Flow> {
    let is_wanted = |word: &Word| word.is_live() && wanted(*word);
    let before = word(0).map(Word).filter(is_wanted)?;
    fence(Ordering::Acquire);
    // A tuple is nothing but its words; the link follows them.
    let mut words = [0; LONGEST];
    let words = words.get_mut(..size_of::<T>() / size_of::<u64>())?;
    for (n, place) in (1..).zip(words.iter_mut()) {
        *place = word(n)?;
    }
    fence(Ordering::Acquire);
    let after = word(0).map(Word).filter(is_wanted)?;
    if after.generation() != before.generation() {
        return None;
    }
    let tuple = T::from_words(words)?;
    Some(Flow {
        slot,
        word: after,
        source: tuple.source().into(),
        destination: tuple.destination().into(),
        protocol: tuple.protocol(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SLOT: Slot = Slot(5);
    const TUPLE: [u64; 2] = [0x1d00_000a_6400_000a, 0x0006_5000_50c3];

    fn entry(word: Word, tuple: [u64; 2]) -> [u64; 4] {
        [word.0, tuple[0], tuple[1], 0]
    }

    /// The flow that is read in an entry which is another one at each of the four reads.
    fn read(entries: [[u64; 4]; 4]) -> Option<Flow> {
        read_wanted(|_| true, entries)
    }

    fn read_wanted(wanted: impl Fn(Word) -> bool, entries: [[u64; 4]; 4]) -> Option<Flow> {
        let mut entries = entries.into_iter();
        settled::<Tuple4>(SLOT, wanted, |n| entries.next().map(|entry| entry[n]))
    }

    #[test]
    fn what_a_flow_says() {
        let word = Word::open(7, Word::UDP, 3);
        let flow = read([entry(word, TUPLE); 4]).unwrap();
        assert_eq!((flow.slot, flow.word), (SLOT, word));
        assert_eq!(flow.source, "10.0.0.100:50000".parse().unwrap());
        assert_eq!(flow.destination, "10.0.0.29:80".parse().unwrap());
        assert_eq!(flow.protocol, 6);
    }

    #[test]
    fn what_a_flow_of_ipv6_says() {
        let word = Word::open(7, Word::UDP, 3);
        let address = u64::from_le_bytes([0x20, 1, 0xd, 0xb8, 0, 0, 0, 0]);
        let (source, destination) = (0x6400 << 48, 0x2900 << 48);
        let entry = [
            word.0,
            address,
            source,
            address,
            destination,
            TUPLE[1],
            0,
            0,
        ];
        let flow = settled::<Tuple6>(SLOT, |_| true, |n| entry.get(n).copied()).unwrap();
        assert_eq!(flow.source, "[2001:db8::64]:50000".parse().unwrap());
        assert_eq!(flow.destination, "[2001:db8::29]:80".parse().unwrap());
    }

    #[test]
    fn a_flow_that_only_moved_on_is_itself() {
        let word = |number, now| Word::open(7, number, now);
        let old = word(Word::UDP, 3);
        for new in [word(Word::UDP, 4), old.advanced(Word::of_tcp(1), 3)] {
            let [old, new] = [old, new].map(|word| entry(word, TUPLE));
            let flow = read([old, old, old, new]).unwrap();
            assert_eq!(flow.word.0, new[0]);
        }
    }

    #[test]
    fn an_entry_that_changes_hands_is_left_out() {
        let flow = Word::open(7, Word::UDP, 3);
        let next = entry(flow.of_generation(1), [1, 2]);
        let old = entry(flow, TUPLE);
        let retired = entry(flow.retired(), TUPLE);
        let claimed = entry(flow.claimed(), TUPLE);
        let written = entry(flow.claimed(), [1, 2]);
        for entries in [
            [old, next, next, next],
            [old, old, next, next],
            [old, old, old, next],
            [old, old, old, retired],
            [old, old, old, claimed],
            [old, written, written, written],
            [claimed, next, next, next],
            [retired; 4],
            [entry(Word::FREE, TUPLE); 4],
        ] {
            assert_eq!(read(entries), None, "{entries:x?}");
        }
    }

    #[test]
    fn of_a_flow_that_is_not_wanted_only_the_word_is_read() {
        let flow = entry(Word::open(7, Word::UDP, 3), TUPLE);
        let read_words = |backend| {
            let mut reads = 0;
            let found = settled::<Tuple4>(
                SLOT,
                |word| word.backend() == backend,
                |n| {
                    reads += 1;
                    flow.get(n).copied()
                },
            );
            (found.is_some(), reads)
        };
        assert_eq!(read_words(7), (true, 4));
        assert_eq!(read_words(8), (false, 1));
    }

    #[test]
    fn a_flow_that_is_no_longer_wanted_is_left_out() {
        let old = Word::open(7, Word::UDP, 3);
        let is_udp = |word: Word| word.state() == Word::UDP;
        let [old, new] = [old, old.advanced(Word::of_tcp(1), 3)].map(|word| entry(word, TUPLE));
        assert!(read_wanted(is_udp, [old; 4]).is_some());
        assert_eq!(read_wanted(is_udp, [old, old, old, new]), None);
    }
}

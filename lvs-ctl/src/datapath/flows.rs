//! Reading the flow table.

use std::net::SocketAddr;

use anyhow::{Context as _, Result};
use aya::maps::Map;
use lvs_common::{
    flow::{Tuple, Tuple4, Tuple6, WAYS, Word},
    map::name,
};
use zerocopy::{FromBytes, Immutable, IntoBytes};

use super::{load::Datapath, mapped::Mapped};

type Half4 = [u64; WAYS * <Tuple4 as Tuple>::ENTRY_WORDS];
type Half6 = [u64; WAYS * <Tuple6 as Tuple>::ENTRY_WORDS];

/// A flow as it stands in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flow {
    /// Backend, state, and when it was last seen. It may have expired, and not been swept yet.
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

    /// How many half buckets the tables of IPv4 and IPv6 have.
    pub fn halves(&self) -> (u32, u32) {
        (self.halves4.len() as u32, self.halves6.len() as u32)
    }

    /// Every live flow, first those of IPv4. One that is opened or ended meanwhile may be missing.
    pub fn flows(&self) -> impl Iterator<Item = Flow> + '_ {
        of_family::<Tuple4, _>(&self.halves4).chain(of_family::<Tuple6, _>(&self.halves6))
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

fn of_family<T, Half>(halves: &Mapped<Half>) -> impl Iterator<Item = Flow> + '_
where
    T: Tuple,
    Half: AsRef<[u64]> + FromBytes + IntoBytes + Immutable + Copy,
{
    (0..halves.len() as u32).flat_map(move |index| {
        (0..WAYS).filter_map(move |way| settled::<T, _>(way, || halves.get(index)))
    })
}

/// The live flow in one entry of a half bucket, if nobody changed it while it was read.
///
/// The three copies are read in turn: the word of the first and of the last tell whether the tuple
/// in the middle is the flow's, as the data plane itself looks at it.
fn settled<T: Tuple, Half: AsRef<[u64]>>(
    way: usize,
    mut copy: impl FnMut() -> Option<Half>,
) -> Option<Flow> {
    let mut words = || -> Option<(Word, Option<T>)> {
        let half = copy()?;
        let entry = &half.as_ref()[way * T::ENTRY_WORDS..][..T::ENTRY_WORDS];
        // A tuple is nothing but its words; the link follows them.
        let tuple = T::from_words(&entry[1..][..size_of::<T>() / size_of::<u64>()]);
        Some((Word(entry[0]), tuple))
    };
    let (before, _) = words()?;
    if !before.is_live() {
        return None;
    }
    let (_, tuple) = words()?;
    let (after, _) = words()?;
    let tuple = tuple.filter(|_| after.same_but_deadline(before))?;
    Some(Flow {
        word: after,
        source: tuple.source().into(),
        destination: tuple.destination().into(),
        protocol: tuple.protocol(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TUPLE: [u64; 2] = [0x1d00_000a_6400_000a, 0x0006_5000_50c3];

    fn half(word: Word, tuple: [u64; 2]) -> Half4 {
        let mut half = [0; 16];
        half[4..7].copy_from_slice(&[word.0, tuple[0], tuple[1]]);
        half
    }

    /// The flow that is read in the second entry while it changes from copy to copy.
    fn read(copies: &[Half4; 3]) -> Option<Flow> {
        let mut copies = copies.iter().copied();
        settled::<Tuple4, _>(1, || copies.next())
    }

    #[test]
    fn what_a_flow_says() {
        let word = Word::open(7, Word::UDP, 3);
        let flow = read(&[half(word, TUPLE); 3]).unwrap();
        assert_eq!(flow.word, word);
        assert_eq!(flow.source, "10.0.0.100:50000".parse().unwrap());
        assert_eq!(flow.destination, "10.0.0.29:80".parse().unwrap());
        assert_eq!(flow.protocol, 6);
    }

    #[test]
    fn what_a_flow_of_ipv6_says() {
        let word = Word::open(7, Word::UDP, 3);
        let mut half: Half6 = [0; 32];
        let address = u64::from_le_bytes([0x20, 1, 0xd, 0xb8, 0, 0, 0, 0]);
        let tuple = [address, 0x6400 << 48, address, 0x2900 << 48, TUPLE[1]];
        half[24] = word.0;
        half[25..30].copy_from_slice(&tuple);
        let flow = settled::<Tuple6, _>(3, || Some(half)).unwrap();
        assert_eq!(flow.source, "[2001:db8::64]:50000".parse().unwrap());
        assert_eq!(flow.destination, "[2001:db8::29]:80".parse().unwrap());
    }

    #[test]
    fn a_flow_that_was_only_seen_again_is_itself() {
        let (old, new) = (Word::open(7, Word::UDP, 3), Word::open(7, Word::UDP, 4));
        let flow = read(&[half(old, TUPLE), half(old, TUPLE), half(new, TUPLE)]);
        assert_eq!(flow.unwrap().word, new);
    }

    #[test]
    fn an_entry_that_changes_hands_is_left_out() {
        let old = Word::open(7, Word::UDP, 3);
        let new = Word::open(7, Word::UDP, 3).of_generation(1);
        let other = [1, 2];
        for copies in [
            [half(old, TUPLE), half(new, other), half(new, other)],
            [
                half(old, TUPLE),
                half(old, TUPLE),
                half(old.retired(), TUPLE),
            ],
            [
                half(old.claimed(), TUPLE),
                half(new, other),
                half(new, other),
            ],
            [half(Word::FREE, TUPLE); 3],
        ] {
            assert_eq!(read(&copies), None);
        }
    }
}

//! What names a flow: protocol, client and service, as the words of its entry.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::Family;

/// The addresses, ports and protocol of a packet, in the form an entry of the flow table holds them.
///
/// An entry is [`Tuple::ENTRY_WORDS`] words of 64 bits: the flow word, then the tuple's, then the
/// [`Link`](super::Link) to the other entry of a pair.
pub trait Tuple: Copy + PartialEq + core::fmt::Debug {
    /// The family of its addresses.
    const FAMILY: Family;
    /// Words of an entry; an entry fills half a cache line (IPv4) or one (IPv6).
    const ENTRY_WORDS: usize;
    /// Which word of an entry is its link: the one after the tuple's.
    const LINK: usize = 1 + size_of::<Self>() / size_of::<u64>();

    /// The words, as they lie in an entry from its second word on.
    fn words(&self) -> &[u64];
    /// The tuple that these words say; `None` unless there are as many as it has.
    fn from_words(words: &[u64]) -> Option<Self>;

    /// With source and destination exchanged: the tuple of an answer.
    #[must_use]
    fn reversed(&self) -> Self;

    /// Address and port of the client's side.
    fn source(&self) -> (IpAddr, u16);
    /// Address and port of the service's side.
    fn destination(&self) -> (IpAddr, u16);

    /// IANA number of the transport protocol.
    #[inline(always)]
    fn protocol(&self) -> u8 {
        let words = self.words();
        (words[words.len() - 1] >> 32) as u8
    }
}

const fn last_word(ports: u32, protocol: u8) -> u64 {
    ports as u64 | (protocol as u64) << 32
}

/// A last word with its ports exchanged.
const fn with_ports_exchanged(word: u64) -> u64 {
    let ports = (word as u32).rotate_left(16);
    word & !0xffff_ffff | ports as u64
}

/// Source and destination port of a word that holds both as they are on the wire.
const fn ports_of(word: u64) -> (u16, u16) {
    (u16::from_be(word as u16), u16::from_be((word >> 16) as u16))
}

/// A tuple of IPv4.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(transparent)]
pub struct Tuple4([u64; 2]);

impl Tuple4 {
    /// From the fields as they are on the wire: addresses in network byte order, `ports` the first
    /// four bytes of the transport header.
    #[inline(always)]
    pub const fn new(source: u32, destination: u32, ports: u32, protocol: u8) -> Self {
        Self([
            source as u64 | (destination as u64) << 32,
            last_word(ports, protocol),
        ])
    }
}

impl Tuple for Tuple4 {
    const FAMILY: Family = Family::Ipv4;
    const ENTRY_WORDS: usize = 4;

    #[inline(always)]
    fn words(&self) -> &[u64] {
        &self.0
    }

    fn from_words(words: &[u64]) -> Option<Self> {
        Some(Self(words.try_into().ok()?))
    }

    #[inline(always)]
    fn reversed(&self) -> Self {
        let [addresses, last] = self.0;
        Self([addresses.rotate_left(32), with_ports_exchanged(last)])
    }

    fn source(&self) -> (IpAddr, u16) {
        (
            Ipv4Addr::from((self.0[0] as u32).to_le_bytes()).into(),
            ports_of(self.0[1]).0,
        )
    }

    fn destination(&self) -> (IpAddr, u16) {
        (
            Ipv4Addr::from(((self.0[0] >> 32) as u32).to_le_bytes()).into(),
            ports_of(self.0[1]).1,
        )
    }
}

/// A tuple of IPv6.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(transparent)]
pub struct Tuple6([u64; 5]);

impl Tuple6 {
    /// From the fields as they are on the wire: addresses as four words each in network byte order,
    /// `ports` the first four bytes of the transport header.
    #[inline(always)]
    pub const fn new(source: [u32; 4], destination: [u32; 4], ports: u32, protocol: u8) -> Self {
        const fn pair(low: u32, high: u32) -> u64 {
            low as u64 | (high as u64) << 32
        }
        Self([
            pair(source[0], source[1]),
            pair(source[2], source[3]),
            pair(destination[0], destination[1]),
            pair(destination[2], destination[3]),
            last_word(ports, protocol),
        ])
    }

    fn address(low: u64, high: u64) -> IpAddr {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&low.to_le_bytes());
        bytes[8..].copy_from_slice(&high.to_le_bytes());
        Ipv6Addr::from(bytes).into()
    }
}

impl Tuple for Tuple6 {
    const FAMILY: Family = Family::Ipv6;
    const ENTRY_WORDS: usize = 8;

    #[inline(always)]
    fn words(&self) -> &[u64] {
        &self.0
    }

    fn from_words(words: &[u64]) -> Option<Self> {
        Some(Self(words.try_into().ok()?))
    }

    #[inline(always)]
    fn reversed(&self) -> Self {
        let [a, b, c, d, last] = self.0;
        Self([c, d, a, b, with_ports_exchanged(last)])
    }

    fn source(&self) -> (IpAddr, u16) {
        (Self::address(self.0[0], self.0[1]), ports_of(self.0[4]).0)
    }

    fn destination(&self) -> (IpAddr, u16) {
        (Self::address(self.0[2], self.0[3]), ports_of(self.0[4]).1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_back_what_was_on_the_wire() {
        let ports = u32::from_le_bytes([0xc3, 0x50, 0x00, 0x50]);
        let tuple = Tuple4::new(
            u32::from_le_bytes([10, 0, 0, 100]),
            u32::from_le_bytes([10, 0, 0, 29]),
            ports,
            6,
        );
        assert_eq!(tuple.source(), ("10.0.0.100".parse().unwrap(), 50000));
        assert_eq!(tuple.destination(), ("10.0.0.29".parse().unwrap(), 80));
        assert_eq!(tuple.protocol(), 6);
        assert_eq!(Tuple4::from_words(tuple.words()), Some(tuple));
        let answer = tuple.reversed();
        assert_eq!(
            (answer.source(), answer.destination()),
            (tuple.destination(), tuple.source())
        );
        assert_eq!((answer.protocol(), answer.reversed()), (6, tuple));

        let words = |text: &str| {
            let octets = text.parse::<Ipv6Addr>().unwrap().octets();
            core::array::from_fn(|i| u32::from_le_bytes(octets[4 * i..][..4].try_into().unwrap()))
        };
        let tuple = Tuple6::new(
            words("2001:db8::64"),
            words("2001:db8:1:2:3:4:5:29"),
            ports,
            17,
        );
        assert_eq!(tuple.source(), ("2001:db8::64".parse().unwrap(), 50000));
        assert_eq!(
            tuple.destination(),
            ("2001:db8:1:2:3:4:5:29".parse().unwrap(), 80)
        );
        assert_eq!(tuple.protocol(), 17);
        assert_eq!(Tuple6::from_words(tuple.words()), Some(tuple));
        let answer = tuple.reversed();
        assert_eq!(
            (answer.source(), answer.destination()),
            (tuple.destination(), tuple.source())
        );
        assert_eq!((answer.protocol(), answer.reversed()), (17, tuple));
        assert_eq!(Tuple6::from_words(&[0; 4]), None);
    }
}

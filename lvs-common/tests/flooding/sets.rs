//! Sets of tuples that somebody would try who knows the code: they break weaker hashes.

use lvs_common::flow::{Tuple, Tuple4, Tuple6};

/// The 32-bit words that a tuple is made of, as they lie in a packet.
#[derive(Clone, Copy)]
pub(crate) struct Fields {
    /// Ports; the lowest words of source and destination, which are all that IPv4 has; the others.
    words: [u32; 9],
    protocol: u8,
}

/// A tuple that is made of such words.
pub(crate) trait Flow: Tuple {
    /// How many of the words it has.
    const WORDS: usize;

    fn new(fields: &Fields) -> Self;
}

impl Flow for Tuple4 {
    const WORDS: usize = 3;

    fn new(fields: &Fields) -> Self {
        let [ports, source, destination, ..] = fields.words;
        Self::new(source, destination, ports, fields.protocol)
    }
}

impl Flow for Tuple6 {
    const WORDS: usize = 9;

    fn new(fields: &Fields) -> Self {
        let [ports, s3, d3, s0, s1, s2, d0, d1, d2] = fields.words;
        Self::new([s0, s1, s2, s3], [d0, d1, d2, d3], ports, fields.protocol)
    }
}

/// A client of a web server.
const BASE: Fields = Fields {
    words: [
        0x5000_50c3,
        0x6400_000a,
        0x1d00_000a,
        0xb80d_0120,
        0,
        0x6400_0000,
        0xb80d_0120,
        0,
        0x1d00_0000,
    ],
    protocol: 6,
};

/// An odd number without a pattern.
const ODD: u32 = 0x9e37_79b9;
const TOP: u32 = 1 << 31;

/// The words of tuples.
pub(crate) const PORTS: usize = 0;
pub(crate) const SOURCE: usize = 1;

impl Fields {
    fn with(mut self, word: usize, value: u32) -> Self {
        self.words[word] = value;
        self
    }

    fn added(self, word: usize, value: u32) -> Self {
        self.with(word, self.words[word].wrapping_add(value))
    }

    fn flipped(mut self, word: usize, bits: u32) -> Self {
        self.words[word] ^= bits;
        self
    }

    /// With a bit flipped of the protocol (the first eight) or of one of the words.
    fn with_bit_flipped(mut self, bit: usize) -> Self {
        match bit.checked_sub(8) {
            None => self.protocol ^= 1 << bit,
            Some(bit) => self.words[bit / 32] ^= 1 << (bit % 32),
        }
        self
    }
}

/// A set with its name.
pub(crate) struct Set<T> {
    pub(crate) name: String,
    pub(crate) tuples: Vec<T>,
}

fn set<T: Flow>(name: String, fields: impl Iterator<Item = Fields>) -> Set<T> {
    Set {
        name,
        tuples: fields.map(|fields| T::new(&fields)).collect(),
    }
}

/// Sets that differ in one word only.
pub(crate) fn of_one_word<T: Flow>(size: u32) -> Vec<Set<T>> {
    let mut sets = Vec::new();
    for word in 0..T::WORDS {
        let mut add = |name: &str, value: fn(u32) -> u32| {
            let fields = (0..size).map(|i| BASE.with(word, value(i)));
            sets.push(set(format!("{name} in word {word}"), fields));
        };
        add("one after the other", |i| i);
        // As ports and addresses are counted, in the order of the network.
        add("one after the other, big-endian", u32::swap_bytes);
        add("multiples of a power of two", |i| i << 16);
        add("multiples of a number", |i| i.wrapping_mul(ODD));
    }
    let ports = (0..size).map(|i| BASE.with(PORTS, 0x5000_0000 | u32::from((i as u16).to_be())));
    sets.push(set("client ports".to_owned(), ports));
    sets
}

/// Sets that differ in two words, such that the difference is lost if words are only added or xored.
pub(crate) fn of_two_words<T: Flow>(size: u32) -> Vec<Set<T>> {
    let mut sets = Vec::new();
    for a in 0..T::WORDS {
        for b in a + 1..T::WORDS {
            let mut add = |name: &str, fields: &dyn Fn(u32) -> Fields| {
                let name = format!("{name} of words {a} and {b}");
                sets.push(set(name, (0..size).map(fields)));
            };
            add("the same sum", &|i| {
                BASE.added(a, i).added(b, i.wrapping_neg())
            });
            add("the same xor", &|i| {
                let bits = i.wrapping_mul(ODD);
                BASE.flipped(a, bits).flipped(b, bits)
            });
            // Pairs whose sum and xor are the same.
            add("the top bits", &|i| {
                let top = (i & 1) * TOP;
                let fields = BASE.with(a, i >> 1).with(b, (i >> 1).wrapping_mul(3));
                fields.flipped(a, top).flipped(b, top)
            });
            // Pairs that collide where words are multiplied with each other.
            add("exchange", &|i| {
                let (one, other) = (i >> 1, (i >> 1) + (1 << 20));
                if i & 1 == 0 {
                    BASE.with(a, one).with(b, other)
                } else {
                    BASE.with(a, other).with(b, one)
                }
            });
        }
    }
    sets
}

/// All tuples that differ from one in a bit, and all that differ in two.
pub(crate) fn of_bits<T: Flow>() -> Vec<Set<T>> {
    let bits = 8 + 32 * T::WORDS;
    let one = (0..bits).map(|bit| BASE.with_bit_flipped(bit));
    let two = (0..bits).flat_map(|first| {
        let fields = BASE.with_bit_flipped(first);
        (first + 1..bits).map(move |second| fields.with_bit_flipped(second))
    });
    vec![
        set("one bit".to_owned(), one),
        set("two bits".to_owned(), two),
    ]
}

/// Clients one after the other, a few ports each, without an end.
pub(crate) fn clients<T: Flow>() -> impl Iterator<Item = T> {
    (0..).map(|i| {
        T::new(
            &BASE
                .with(PORTS, 0x5000_0000 | i & 0xf)
                .added(SOURCE, i >> 4),
        )
    })
}

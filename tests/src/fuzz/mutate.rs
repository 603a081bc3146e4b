//! Making bad packets of good ones.

use rand::{Rng as _, RngCore as _, rngs::SmallRng};

/// Bytes before the `EtherType`.
const MACS: usize = 12;
/// Bytes of a VLAN tag.
const TAG: usize = 4;
/// Where headers start behind none, one and two tags.
const NETWORKS: [usize; 3] = [14, 14 + TAG, 14 + 2 * TAG];

/// Fields by their place in an IP packet of either family: versions and header lengths, lengths,
/// fragments, hop limits, protocols, addresses, ports, flags.
const FIELDS: [usize; 16] = [0, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 16, 20, 33, 40, 53];

const BYTES: [u8; 14] = [
    0, 1, 2, 4, 6, 17, 44, 0x3f, 0x40, 0x45, 0x60, 0x7f, 0x80, 0xff,
];

const ETHER_TYPES: [u16; 7] = [0x0800, 0x86dd, 0x8100, 0x88a8, 0x0806, 0x0000, 0xffff];

/// Noise of up to a few hundred bytes.
pub(super) fn noise(random: &mut SmallRng) -> Vec<u8> {
    let mut frame = vec![0; random.random_range(0..300)];
    random.fill_bytes(&mut frame);
    frame
}

/// Changes a packet in one to four ways; `other` is a packet to take parts of.
pub(super) fn mutate(random: &mut SmallRng, frame: &mut Vec<u8>, other: &[u8]) {
    for _ in 0..random.random_range(1..=4) {
        once(random, frame, other);
    }
}

fn once(random: &mut SmallRng, frame: &mut Vec<u8>, other: &[u8]) {
    match random.random_range(0..10) {
        0 | 1 => flip(random, frame),
        2 => frame.truncate(random.random_range(0..=frame.len())),
        3 => {
            let more = random.random_range(1..64);
            frame.extend((0..more).map(|_| random.random::<u8>()));
        }
        4 | 5 => field(random, frame),
        6 => length(random, frame),
        7 => splice(random, frame, other),
        8 => tag(random, frame),
        _ => ether_type(random, frame),
    }
}

fn flip(random: &mut SmallRng, frame: &mut [u8]) {
    if !frame.is_empty() {
        let at = random.random_range(0..frame.len());
        frame[at] ^= 1 << random.random_range(0..8);
    }
}

fn network(random: &mut SmallRng) -> usize {
    NETWORKS[random.random_range(0..NETWORKS.len())]
}

fn field(random: &mut SmallRng, frame: &mut [u8]) {
    let at = network(random) + FIELDS[random.random_range(0..FIELDS.len())];
    if let Some(byte) = frame.get_mut(at) {
        *byte = BYTES[random.random_range(0..BYTES.len())];
    }
}

/// Makes one of the length fields almost right.
fn length(random: &mut SmallRng, frame: &mut [u8]) {
    let network = network(random);
    let (at, headers) = if random.random() { (2, 0) } else { (4, 40) };
    let right = frame.len().saturating_sub(network + headers) as u16;
    let wrong = right
        .wrapping_add(random.random_range(0..64))
        .wrapping_sub(32);
    if let Some(field) = frame.get_mut(network + at..network + at + 2) {
        field.copy_from_slice(&wrong.to_be_bytes());
    }
}

/// The front of one packet with the rest of another.
fn splice(random: &mut SmallRng, frame: &mut Vec<u8>, other: &[u8]) {
    frame.truncate(random.random_range(0..=frame.len()));
    frame.extend(&other[random.random_range(0..=other.len())..]);
}

/// Adds a tag, or takes four bytes from where one would be.
fn tag(random: &mut SmallRng, frame: &mut Vec<u8>) {
    if frame.len() < MACS + TAG {
        return;
    }
    if random.random_ratio(1, 3) {
        frame.drain(MACS..MACS + TAG);
        return;
    }
    let id: u16 = [100, 200, 0, 4095, random.random()][random.random_range(0..5)];
    let kind: u16 = if random.random() { 0x8100 } else { 0x88a8 };
    let bytes = [kind.to_be_bytes(), id.to_be_bytes()];
    frame.splice(MACS..MACS, bytes.as_flattened().iter().copied());
}

fn ether_type(random: &mut SmallRng, frame: &mut [u8]) {
    let kind = ETHER_TYPES[random.random_range(0..ETHER_TYPES.len())];
    let at = network(random) - 2;
    if let Some(field) = frame.get_mut(at..at + 2) {
        field.copy_from_slice(&kind.to_be_bytes());
    }
}

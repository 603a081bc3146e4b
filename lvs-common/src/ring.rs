//! The order in which rr and wrr go round, laid out as a ring of backends.
//!
//! A cursor that every new flow advances by one walks the ring; so any number of CPUs together give
//! the sequence of the kernel's schedulers without a lock.

/// A backend's place among those of its service, and its weight.
pub type Weight = u16;

/// Greatest common divisor; 0 is neutral.
const fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// Greatest common divisor of the weights, at least 1.
fn divisor(weights: &[Weight]) -> u32 {
    weights
        .iter()
        .fold(0, |all, weight| gcd(all, u32::from(*weight)))
        .max(1)
}

/// Slots of the ring that [`weighted`] yields: the sum of the weights over their divisor.
pub fn weighted_slots(weights: &[Weight]) -> u64 {
    let sum: u64 = weights.iter().map(|weight| u64::from(*weight)).sum();
    sum / u64::from(divisor(weights))
}

/// Indices of the backends with a weight, in turn (kernel: `ip_vs_rr.c`).
///
/// `weights` are in the order of the kernel's list: the newest backend first.
pub fn plain(weights: &[Weight]) -> impl Iterator<Item = usize> + '_ {
    (0..weights.len()).filter(|i| weights[*i] > 0)
}

/// Indices of the backends in weighted turns (kernel: `ip_vs_wrr.c`).
///
/// The kernel goes round with a falling threshold from the largest weight, in steps of the common
/// divisor, and takes who reaches it. Its threshold starts at 0, so the very first round takes
/// everybody; here that is the round of the smallest threshold, which comes first, and a backend of
/// weight 0 is not part of it.
///
/// `weights` are in the order of the kernel's list: the newest backend first.
pub fn weighted(weights: &[Weight]) -> impl Iterator<Item = usize> + '_ {
    let step = divisor(weights);
    let rounds = u32::from(weights.iter().copied().max().unwrap_or(0)) / step;
    (0..rounds).flat_map(move |round| {
        let threshold = if round == 0 { 1 } else { rounds + 1 - round };
        (0..weights.len()).filter(move |i| u32::from(weights[*i]) >= threshold * step)
    })
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::string::String;

    fn letters(ring: impl Iterator<Item = usize>) -> String {
        ring.map(|i| char::from(b'A' + i as u8)).collect()
    }

    #[test]
    fn rr_ignores_all_of_a_weight_but_zero() {
        assert_eq!(letters(plain(&[3, 0, 1])), "AC");
        assert_eq!(letters(plain(&[])), "");
    }

    /// What a real kernel gave to connections opened one after the other.
    #[test]
    fn wrr_as_recorded_from_ipvs() {
        // List A3 B2 C1.
        assert_eq!(letters(weighted(&[3, 2, 1])), "ABCAAB");
        // Weights 3, 5, 7 added in this order: the list is A7 B5 C3.
        assert_eq!(letters(weighted(&[7, 5, 3])), "ABCAAABABABCABC");
    }

    #[test]
    fn wrr_divides_by_the_common_divisor() {
        assert_eq!(letters(weighted(&[30, 20, 10])), "ABCAAB");
        assert_eq!(weighted_slots(&[30, 20, 10]), 6);
        assert_eq!(letters(weighted(&[5])), "A");
        assert_eq!(letters(weighted(&[0, 4, 0, 2])), "BDB");
        assert_eq!(letters(weighted(&[0, 0])), "");
        assert_eq!(weighted_slots(&[0, 0]), 0);
    }

    #[test]
    fn every_backend_gets_its_share() {
        let weights = [7, 0, 3, 65535, 12];
        let mut counts = [0_u32; 5];
        weighted(&weights).for_each(|i| counts[i] += 1);
        assert_eq!(counts, [7, 0, 3, 65535, 12]);
        assert_eq!(weighted_slots(&weights), 7 + 3 + 65535 + 12);
    }
}

//! Internet checksums, updated without reading the data again (RFC 1624).

/// The checksum of a header in which one 16-bit word changed.
///
/// `checksum`, `old` and `new` are in the same byte order, whichever it is (RFC 1071 section 2 (B)).
/// Implements RFC 1624 equation 3, which never yields the wrong zero of RFC 1141.
#[inline(always)]
pub const fn update(checksum: u16, old: u16, new: u16) -> u16 {
    let sum = !checksum as u32 + !old as u32 + new as u32;
    !fold(sum)
}

/// One's complement sum of 32 bits folded to 16.
#[inline(always)]
const fn fold(sum: u32) -> u16 {
    let sum = (sum & 0xffff) + (sum >> 16);
    (sum + (sum >> 16)) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full(words: &[u16]) -> u16 {
        let mut sum = 0_u32;
        for word in words {
            sum += u32::from(*word);
        }
        !fold(sum)
    }

    #[test]
    fn rfc_1624_section_4_example() {
        assert_eq!(update(0xdd2f, 0x5555, 0x3285), 0x0000);
    }

    #[test]
    fn equals_a_full_computation_for_every_ttl() {
        for ttl in 1..=255_u16 {
            let before = [
                0x4500,
                0x003c,
                0x1c46,
                0x4000,
                ttl << 8 | 6,
                0xac10,
                0x0a63,
                0xac10,
                0x0a0c,
            ];
            let mut after = before;
            after[4] -= 0x0100;
            assert_eq!(
                update(full(&before), before[4], after[4]),
                full(&after),
                "ttl {ttl}"
            );
        }
    }
}

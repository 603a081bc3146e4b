//! Explicit congestion notification on tunnels, as the kernel does it (`include/net/inet_ecn.h`): in by RFC 3168
//! section 9.1.1 (full functionality), out by RFC 6040 but for ECT(1). In the TOS byte or traffic class of inner
//! and outer header.

/// The two bits of it; the other six are the DSCP.
const MASK: u8 = 0b11;
const NOT_ECT: u8 = 0b00;
const ECT_0: u8 = 0b10;
/// Congestion was experienced.
const CE: u8 = 0b11;

/// The outer byte for an inner one: the same, but congestion that was experienced before the tunnel is
/// not told as the tunnel's (kernel: `INET_ECN_encapsulate`).
#[inline(always)]
pub const fn encapsulated(inner: u8) -> u8 {
    if inner & MASK == CE {
        inner & !MASK | ECT_0
    } else {
        inner
    }
}

/// The inner byte at the tunnel's end, where congestion within it is told; `None` if the inner packet
/// is not one that can be told so, which is then dropped (kernel: `INET_ECN_decapsulate`).
#[inline(always)]
pub const fn decapsulated(outer: u8, inner: u8) -> Option<u8> {
    if outer & MASK != CE {
        Some(inner)
    } else if inner & MASK == NOT_ECT {
        None
    } else {
        Some(inner | CE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// For DSCP 46.
    #[test]
    fn as_the_kernel_has_it() {
        const EF: u8 = 46 << 2;
        let outer = [0b00, 0b01, 0b10, 0b11].map(|ecn| encapsulated(EF | ecn));
        assert_eq!(outer, [EF, EF | 1, EF | 2, EF | 2]);
        for inner in [EF, EF | 1, EF | 2, EF | 3] {
            for outer in [0, 1, 2] {
                assert_eq!(decapsulated(outer, inner), Some(inner));
            }
        }
        let congested = [0b00, 0b01, 0b10, 0b11].map(|ecn| decapsulated(CE, EF | ecn));
        assert_eq!(congested, [None, Some(EF | 3), Some(EF | 3), Some(EF | 3)]);
    }
}

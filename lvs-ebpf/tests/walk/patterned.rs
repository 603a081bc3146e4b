//! Tuples made from numbers.

use lvs_common::flow::{Tuple4, Tuple6};
use lvs_ebpf::family::{Family, V4, V6};

/// A family whose tuples are made from one number, so that a mix of two is seen to be one.
pub(crate) trait Patterned: Family {
    /// The tuple with this number.
    fn tuple(number: u32) -> Self::Tuple;
}

const fn mixed(number: u32, salt: u32) -> u32 {
    number
        .wrapping_add(1)
        .wrapping_mul(0x9e37_79b1)
        .rotate_left(salt)
}

impl Patterned for V4 {
    fn tuple(number: u32) -> Tuple4 {
        Tuple4::new(mixed(number, 0), mixed(number, 7), mixed(number, 13), 6)
    }
}

impl Patterned for V6 {
    fn tuple(number: u32) -> Tuple6 {
        let words = |salt| core::array::from_fn(|i| mixed(number, salt + i as u32));
        Tuple6::new(words(1), words(11), mixed(number, 23), 6)
    }
}

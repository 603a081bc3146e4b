//! Map entries for aya.

use aya::Pod;
use zerocopy::{FromBytes, Immutable, IntoBytes};

/// A map entry whose layout was proven: every byte of it is one of its fields, and any bytes are one.
#[derive(Clone, Copy, Debug)]
#[repr(transparent)]
pub(super) struct Entry<T>(pub(super) T);

// SAFETY: no padding and no invalid values, by zerocopy's derives.
unsafe impl<T: FromBytes + IntoBytes + Immutable + Copy + 'static> Pod for Entry<T> {}

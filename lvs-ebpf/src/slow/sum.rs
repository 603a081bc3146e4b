//! Sums for checksums that are computed from nothing.

use lvs_common::checksum::Delta;

use crate::{atomic::bounded, kernel::Frame, parse::read};

/// Most bytes that are summed up: a message of `ICMPv6` is no longer.
const MOST: usize = 1280;

/// The sum of so many bytes of a frame, a multiple of four, from this offset on, as far as they are there.
#[inline(always)]
pub fn sum<X: Frame>(frame: X, offset: u32, bytes: u32) -> Delta {
    let first = frame
        .start()
        .wrapping_add(bounded::<0xff>(u64::from(offset)) as usize);
    let mut sum = Delta::NONE;
    for at in (0..MOST).step_by(4) {
        let word = first.wrapping_add(at);
        if at >= bytes as usize || word.wrapping_add(4) > frame.end() {
            break;
        }
        // SAFETY: checked just above.
        sum = sum.with(u64::from(unsafe { read::<u32>(word, 0) }));
    }
    sum
}

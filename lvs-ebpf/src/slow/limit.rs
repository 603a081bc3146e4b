//! How many notices may be sent: to all, and to one address, on each CPU.

use lvs_common::{
    bucket::{Bucket, Rate},
    map::{Address, NOTICE_BUCKETS, Notice},
};

use crate::kernel::Tables;

/// Whether one may be sent to this address, which is then counted as such.
///
/// Addresses that share a bucket share its rate: a flood from many gets no more for that.
#[inline(always)]
pub(super) fn may_notify<K: Tables>(tables: &K, to: &Address) -> bool {
    let Some(settings) = tables.settings() else {
        return false;
    };
    let words = to.words.iter();
    let hash = words.fold(0_u32, |hash, word| {
        (hash ^ word).wrapping_mul(0x9e37_79b1).rotate_left(15)
    });
    let own = 1 + (hash.wrapping_mul(0x85eb_ca77) >> 16) % NOTICE_BUCKETS;
    let may = take(tables, own, settings.notices_to_one) && take(tables, 0, settings.notices);
    if !may {
        tables.count_notice(Notice::Withheld as u32);
    }
    may
}

#[inline(always)]
fn take<K: Tables>(tables: &K, number: u32, rate: Rate) -> bool {
    let Some(word) = tables.bucket(number) else {
        return false;
    };
    // SAFETY: this CPU's.
    let bucket = Bucket(unsafe { *word });
    let Some(next) = bucket.take(tables.now(), rate) else {
        return false;
    };
    // SAFETY: as above.
    unsafe { *word = next.0 };
    true
}

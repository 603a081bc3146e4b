//! The few memory operations the flow table is built on.
//!
//! The BPF target of this toolchain is at instruction set v1, for which LLVM has no atomic loads,
//! stores and no fetch-and-add; so they are single instructions in assembly there, and
//! `core::sync::atomic` on the host.
//!
//! Order: exchange and compare-and-swap are full barriers. On x86-64, for which this is built and
//! tested, every load acquires and every store releases, which is all that the readers and writers
//! of the table ask of the plain ones.

#![expect(
    clippy::missing_safety_doc,
    reason = "one contract for all: `word` is aligned and valid, and changed only by this module"
)]

#[cfg(target_arch = "bpf")]
mod imp {
    use core::arch::asm;

    #[inline(always)]
    pub(super) unsafe fn load(word: *const u64) -> u64 {
        // SAFETY: by the contract of this module.
        unsafe { word.read_volatile() }
    }

    #[inline(always)]
    pub(super) unsafe fn store(word: *mut u64, value: u64) {
        // SAFETY: by the contract of this module.
        unsafe { word.write_volatile(value) }
    }

    #[inline(always)]
    pub(super) unsafe fn store_low(word: *mut u64, value: u32) {
        // SAFETY: by the contract of this module; the low half comes first on little-endian machines.
        unsafe { word.cast::<u32>().write_volatile(value) }
    }

    #[inline(always)]
    pub(super) unsafe fn exchange(word: *mut u64, value: u64) -> u64 {
        let mut value = value;
        // SAFETY: BPF_XCHG on a valid aligned word.
        unsafe { asm!("{0} = xchg_64({1} + 0, {0})", inout(reg) value, in(reg) word) };
        value
    }

    #[inline(always)]
    pub(super) unsafe fn compare_exchange(word: *mut u64, current: u64, new: u64) -> u64 {
        let previous;
        // SAFETY: BPF_CMPXCHG on a valid aligned word; it compares with and returns in r0.
        unsafe {
            asm!(
                "r0 = cmpxchg_64({0} + 0, r0, {1})",
                in(reg) word, in(reg) new, inout("r0") current => previous,
            );
        }
        previous
    }

    #[inline(always)]
    pub(super) unsafe fn add(word: *mut u64, value: u64) {
        // SAFETY: an atomic BPF_ADD on a valid aligned word.
        unsafe { asm!("lock *(u64 *)({0} + 0) += {1}", in(reg) word, in(reg) value) };
    }

    #[inline(always)]
    pub(super) unsafe fn fetch_add(word: *mut u64, value: u64) -> u64 {
        let mut value = value;
        // SAFETY: BPF_ADD with BPF_FETCH on a valid aligned word.
        unsafe {
            asm!("{0} = atomic_fetch_add((u64 *)({1} + 0), {0})", inout(reg) value, in(reg) word);
        }
        value
    }

    #[inline(always)]
    pub(super) fn sign(value: i64) -> u64 {
        let mut value = value;
        // SAFETY: an arithmetic shift of a register.
        unsafe { asm!("{0} s>>= 63", inout(reg) value) };
        value.cast_unsigned()
    }

    #[inline(always)]
    pub(super) fn bounded<const MASK: u64>(value: u64) -> u64 {
        let mut value = value;
        // SAFETY: a bitwise and of a register.
        unsafe { asm!("{0} &= {1}", inout(reg) value, const MASK) };
        value
    }

    #[inline(always)]
    pub(super) fn in_order(value: u64) -> u64 {
        let mut value = value;
        // SAFETY: a move of a register to itself.
        unsafe { asm!("{0} = {0}", inout(reg) value) };
        value
    }

    #[inline(always)]
    pub(super) fn opaque<T>(reference: &T) -> &T {
        let mut pointer: *const T = reference;
        // SAFETY: a move of a register to itself: what it points to stays what it was.
        unsafe {
            asm!("{0} = {0}", inout(reg) pointer);
            &*pointer
        }
    }
}

#[cfg(not(target_arch = "bpf"))]
mod imp {
    use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

    fn atomic<'a>(word: *const u64) -> &'a AtomicU64 {
        // SAFETY: by the contract of this module.
        unsafe { AtomicU64::from_ptr(word.cast_mut()) }
    }

    pub(super) unsafe fn load(word: *const u64) -> u64 {
        atomic(word).load(Ordering::Acquire)
    }

    pub(super) unsafe fn store(word: *mut u64, value: u64) {
        atomic(word).store(value, Ordering::Release);
    }

    pub(super) unsafe fn store_low(word: *mut u64, value: u32) {
        // SAFETY: by the contract of this module; the low half comes first on little-endian machines.
        unsafe { AtomicU32::from_ptr(word.cast()) }.store(value, Ordering::Release);
    }

    pub(super) unsafe fn exchange(word: *mut u64, value: u64) -> u64 {
        atomic(word).swap(value, Ordering::SeqCst)
    }

    pub(super) unsafe fn compare_exchange(word: *mut u64, current: u64, new: u64) -> u64 {
        match atomic(word).compare_exchange(current, new, Ordering::SeqCst, Ordering::SeqCst) {
            Ok(previous) | Err(previous) => previous,
        }
    }

    pub(super) unsafe fn add(word: *mut u64, value: u64) {
        atomic(word).fetch_add(value, Ordering::SeqCst);
    }

    pub(super) unsafe fn fetch_add(word: *mut u64, value: u64) -> u64 {
        atomic(word).fetch_add(value, Ordering::SeqCst)
    }

    pub(super) fn sign(value: i64) -> u64 {
        (value >> 63).cast_unsigned()
    }

    pub(super) fn bounded<const MASK: u64>(value: u64) -> u64 {
        value & MASK
    }

    pub(super) fn in_order(value: u64) -> u64 {
        value
    }

    pub(super) fn opaque<T>(reference: &T) -> &T {
        reference
    }
}

/// The word's value.
#[inline(always)]
pub unsafe fn load(word: *const u64) -> u64 {
    // SAFETY: the caller's.
    unsafe { imp::load(word) }
}

/// Sets the word.
#[inline(always)]
pub unsafe fn store(word: *mut u64, value: u64) {
    // SAFETY: the caller's.
    unsafe { imp::store(word, value) }
}

/// Sets the low half of the word.
#[inline(always)]
pub unsafe fn store_low(word: *mut u64, value: u32) {
    // SAFETY: the caller's.
    unsafe { imp::store_low(word, value) }
}

/// Sets the word and returns what it was; a full barrier.
#[inline(always)]
pub unsafe fn exchange(word: *mut u64, value: u64) -> u64 {
    // SAFETY: the caller's.
    unsafe { imp::exchange(word, value) }
}

/// Sets the word to `new` if it is `current`; whether it did. A full barrier if so.
#[inline(always)]
pub unsafe fn replace(word: *mut u64, current: u64, new: u64) -> bool {
    // SAFETY: the caller's.
    unsafe { imp::compare_exchange(word, current, new) == current }
}

/// Adds to the word, modulo 2^64.
#[inline(always)]
pub unsafe fn add(word: *mut u64, value: u64) {
    // SAFETY: the caller's.
    unsafe { imp::add(word, value) }
}

/// Adds to the word, modulo 2^64, and returns what it was.
#[inline(always)]
pub unsafe fn fetch_add(word: *mut u64, value: u64) -> u64 {
    // SAFETY: the caller's.
    unsafe { imp::fetch_add(word, value) }
}

/// All ones if the value is negative, else 0, in a way that no compiler turns into a branch:
/// choices written so cost the verifier one path instead of two.
#[inline(always)]
pub fn sign(value: i64) -> u64 {
    imp::sign(value)
}

/// All ones if the value is 0, else 0, in the same way.
#[inline(always)]
pub fn is_zero(value: u64) -> u64 {
    sign((!(value | value.wrapping_neg())).cast_signed())
}

/// `value & MASK`, in a way that the verifier sees: it must know the bounds of an index.
#[inline(always)]
pub fn bounded<const MASK: u64>(value: u64) -> u64 {
    imp::bounded::<MASK>(value)
}

/// The element at `index` modulo 16, with the bound where the verifier sees it and no panic.
#[inline(always)]
pub fn nth16<T: Copy>(elements: &[T; 16], index: u8) -> T {
    // SAFETY: the index is below 16.
    unsafe { *elements.get_unchecked(bounded::<15>(u64::from(index)) as usize) }
}

/// The element at `index` modulo 32, in the same way.
#[inline(always)]
pub fn nth32<T: Copy>(elements: &[T; 32], index: u32) -> T {
    // SAFETY: the index is below 32.
    unsafe { *elements.get_unchecked(bounded::<31>(u64::from(index)) as usize) }
}

/// The same value, computed before what follows is read: LLVM would read everything first, and
/// spill it.
#[inline(always)]
pub fn in_order(value: u64) -> u64 {
    imp::in_order(value)
}

/// The same reference, of which the compiler knows nothing, so that what is behind it stays there:
/// LLVM would hand it to a subprogram in registers, of which BPF has five, and keep copies of it on
/// the stack, of which there are 512 bytes.
#[inline(always)]
pub fn opaque<T>(reference: &T) -> &T {
    imp::opaque(reference)
}

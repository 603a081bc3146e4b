//! From a frame to a [`Packet`](crate::packet::Packet): every read is bounds-checked, in one place.

mod ethernet;
mod ipv4;
mod ipv6;
mod transport;

pub use ethernet::{LONGEST_LINK, ethernet};
pub use ipv4::{TTL, ipv4, quoted_ipv4};
pub use ipv6::{HOP_LIMIT, ipv6, quoted_ipv6};
pub use transport::{Transport, transport};

use lvs_common::Reason;

use crate::{atomic::bounded, kernel::Frame, packet::Link};

/// Reads a frame from front to end.
#[derive(Clone, Copy, Debug)]
pub struct Cursor {
    at: *mut u8,
    end: *mut u8,
}

impl Cursor {
    /// At the start of the frame between two addresses.
    #[inline(always)]
    pub fn new(start: *mut u8, end: *mut u8) -> Self {
        Self { at: start, end }
    }

    /// The next `LEN` bytes, which are then behind the cursor.
    ///
    /// # Errors
    /// [`Reason::Truncated`] if the frame has fewer left.
    #[inline(always)]
    pub fn take<const LEN: usize>(&mut self) -> Result<*mut u8, Reason> {
        let header = self.peek::<LEN>()?;
        self.at = header.wrapping_add(LEN);
        Ok(header)
    }

    /// The next `LEN` bytes; the cursor stays.
    ///
    /// # Errors
    /// [`Reason::Truncated`] if the frame has fewer left.
    #[inline(always)]
    pub fn peek<const LEN: usize>(&self) -> Result<*mut u8, Reason> {
        if self.at.wrapping_add(LEN) > self.end {
            Err(Reason::Truncated)
        } else {
            Ok(self.at)
        }
    }

    /// Leaves out `len` bytes, which need not be there.
    #[inline(always)]
    pub fn skip(&mut self, len: usize) {
        self.at = self.at.wrapping_add(len);
    }

    /// Whether the frame has at least `len` bytes, those of an IP packet, from `header` on.
    #[inline(always)]
    pub fn reaches(&self, header: *mut u8, len: u32) -> bool {
        // Linux 6.1 and 6.12 see no bound in what a swap of bytes yields. No IP packet is longer.
        let len = bounded::<0x1_ffff>(u64::from(len)) as usize;
        header.wrapping_add(len) <= self.end
    }
}

/// A cursor behind the Ethernet header of a frame, and that header, from its [`Link::to_bits`].
///
/// # Errors
/// [`Reason::Truncated`].
#[inline(always)]
pub fn behind_link<X: Frame>(frame: X, link: u64) -> Result<(Cursor, Link), Reason> {
    let mut cursor = Cursor::new(frame.start(), frame.end());
    let link = Link::from_bits(link, cursor.peek::<LONGEST_LINK>()?);
    cursor.skip(bounded::<31>(u64::from(link.len)) as usize);
    Ok((cursor, link))
}

/// Where a frame starts, if it has room for the longest Ethernet header: Linux 6.1 wants to see that before it is
/// written, whatever else of the frame was checked.
///
/// # Errors
/// [`Reason::Inconsistent`].
#[inline(always)]
pub fn start<X: Frame>(frame: X) -> Result<*mut u8, Reason> {
    Cursor::new(frame.start(), frame.end())
        .peek::<LONGEST_LINK>()
        .or(Err(Reason::Inconsistent))
}

/// Reads a field, in the byte order in which it is on the wire.
///
/// # Safety
/// `header` must have at least `offset + size_of::<T>()` bytes that [`Cursor`] has checked.
#[inline(always)]
pub unsafe fn read<T: Copy>(header: *const u8, offset: usize) -> T {
    let field = header.wrapping_add(offset).cast::<T>();
    // SAFETY: in bounds by the caller's word. BPF programs are verified and compiled for machines
    // that read unaligned words, but LLVM would split the read into bytes there.
    #[cfg(target_arch = "bpf")]
    unsafe {
        *field
    }
    // SAFETY: in bounds by the caller's word.
    #[cfg(not(target_arch = "bpf"))]
    unsafe {
        field.read_unaligned()
    }
}

/// Writes a field, in the byte order in which it is on the wire.
///
/// # Safety
/// As for [`read`].
#[inline(always)]
pub unsafe fn write<T: Copy>(header: *mut u8, offset: usize, value: T) {
    let field = header.wrapping_add(offset).cast::<T>();
    // SAFETY: as in `read`.
    #[cfg(target_arch = "bpf")]
    unsafe {
        *field = value;
    }
    // SAFETY: in bounds by the caller's word.
    #[cfg(not(target_arch = "bpf"))]
    unsafe {
        field.write_unaligned(value);
    }
}

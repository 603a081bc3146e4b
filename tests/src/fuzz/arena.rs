//! Memory for a frame that lies flush against a page nobody may touch, in front of it or behind it.

use std::{cell::Cell, io, marker::PhantomData, ptr};

use lvs_common::map::{Address, GatewayKey, MAX_TAGS};
use lvs_ebpf::{family::Family, kernel::Frame};

const PAGE: usize = 4096;
/// Pages for the frame, between two that nobody may touch.
const PAGES: usize = 4;
/// Bytes at the frame's other side that are watched for writes.
const WATCHED: usize = 256;
const FILLING: u8 = 0xa5;

/// The longest frame that fits.
pub(super) const MAX_FRAME: usize = PAGES * PAGE - WATCHED;

/// Where the forbidden page is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wall {
    /// Before the frame's first byte.
    Front,
    /// Behind its last.
    Back,
}

/// The mapping.
#[derive(Debug)]
pub(super) struct Arena {
    base: *mut u8,
}

impl Arena {
    pub(super) fn new() -> io::Result<Self> {
        // SAFETY: a new mapping of its own.
        let base = unsafe {
            libc::mmap(
                ptr::null_mut(),
                (PAGES + 2) * PAGE,
                libc::PROT_NONE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                -1,
                0,
            )
        };
        if base == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let arena = Self { base: base.cast() };
        let inner = arena.base.wrapping_add(PAGE).cast();
        // SAFETY: the inner pages of the mapping just made.
        let result =
            unsafe { libc::mprotect(inner, PAGES * PAGE, libc::PROT_READ | libc::PROT_WRITE) };
        if result == 0 {
            Ok(arena)
        } else {
            Err(io::Error::last_os_error())
        }
    }

    /// Puts a frame at a wall; it must be no longer than [`MAX_FRAME`].
    pub(super) fn place(&mut self, frame: &[u8], wall: Wall, ingress: u32) -> Placed<'_> {
        assert!(frame.len() <= MAX_FRAME, "the frame is too long");
        let first = self.base.wrapping_add(PAGE);
        let (start, watched) = match wall {
            Wall::Front => (first, first.wrapping_add(frame.len())),
            Wall::Back => {
                let start = first.wrapping_add(PAGES * PAGE - frame.len());
                (start, start.wrapping_sub(WATCHED))
            }
        };
        // SAFETY: both ranges are in the inner pages, by the length that was checked.
        unsafe {
            ptr::copy_nonoverlapping(frame.as_ptr(), start, frame.len());
            ptr::write_bytes(watched, FILLING, WATCHED);
        }
        Placed {
            start: Cell::new(start),
            end: Cell::new(start.wrapping_add(frame.len())),
            watched: Cell::new((watched, WATCHED)),
            wall,
            ingress,
            arena: PhantomData,
        }
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        // SAFETY: the mapping is this arena's, and no frame in it is borrowed any more.
        unsafe { libc::munmap(self.base.cast(), (PAGES + 2) * PAGE) };
    }
}

/// A frame in an arena.
#[derive(Debug)]
pub(super) struct Placed<'a> {
    start: Cell<*mut u8>,
    end: Cell<*mut u8>,
    /// Where nobody may write, and how many bytes that are.
    watched: Cell<(*const u8, usize)>,
    wall: Wall,
    ingress: u32,
    arena: PhantomData<&'a mut Arena>,
}

impl Placed<'_> {
    /// The frame as it is now.
    pub(super) fn bytes(&self) -> &[u8] {
        let start = self.start.get();
        let len = self.end.get() as usize - start as usize;
        // SAFETY: in the arena, which is borrowed; nobody writes while the slice lives.
        unsafe { std::slice::from_raw_parts(start, len) }
    }

    /// Whether nothing was written on the side where the wall is not.
    pub(super) fn is_intact(&self) -> bool {
        let (watched, len) = self.watched.get();
        // SAFETY: in the arena, which is borrowed; nobody writes while the slice lives.
        let watched = unsafe { std::slice::from_raw_parts(watched, len) };
        watched.iter().all(|byte| *byte == FILLING)
    }
}

impl Frame for &Placed<'_> {
    fn start(self) -> *mut u8 {
        self.start.get()
    }

    fn end(self) -> *mut u8 {
        self.end.get()
    }

    fn ingress(self) -> u32 {
        self.ingress
    }

    fn route<F: Family>(self, _client: &Address, _service: &Address) -> Option<GatewayKey> {
        let knows = (self.end.get() as usize).is_multiple_of(4);
        knows.then_some(GatewayKey {
            interface: self.ingress,
            mac_head: 0,
            mac_tail: 0,
            tags: [0; MAX_TAGS],
            reserved: 0,
        })
    }

    /// There is room at the side where the wall is not, as far as it is watched.
    fn grow(self, bytes: i32) -> bool {
        let start = self.start.get().wrapping_offset(-bytes as isize);
        let more = usize::try_from(bytes).unwrap_or_default();
        let (watched, len) = self.watched.get();
        let room = match self.wall {
            Wall::Front => 0,
            Wall::Back => len,
        };
        if more > room || start >= self.end.get() {
            return false;
        }
        if self.wall == Wall::Back {
            self.watched.set((watched, len - more));
        }
        self.start.set(start);
        true
    }

    fn trim(self, bytes: u32) -> bool {
        let end = self.end.get().wrapping_sub(bytes as usize);
        if end <= self.start.get() {
            return false;
        }
        self.end.set(end);
        true
    }
}

#[cfg(test)]
mod tests {
    use nix::{
        sys::{
            signal::Signal,
            wait::{WaitStatus, waitpid},
        },
        unistd::{ForkResult, fork},
    };

    use super::*;

    /// What becomes of a process that reads one byte.
    fn reading(byte: *const u8) -> WaitStatus {
        // SAFETY: the child does nothing but read a byte and end.
        match unsafe { fork() }.unwrap() {
            ForkResult::Child => {
                // SAFETY: this may well be none of the process's memory: that is the test.
                unsafe {
                    byte.read_volatile();
                    libc::_exit(0)
                }
            }
            ForkResult::Parent { child } => waitpid(child, None).unwrap(),
        }
    }

    #[test]
    fn a_byte_outside_the_frame_cannot_even_be_read() {
        let mut arena = Arena::new().unwrap();
        for len in [0, 1, 60, MAX_FRAME] {
            let frame = vec![7; len];
            let placed = arena.place(&frame, Wall::Back, 1);
            let status = reading(placed.end());
            assert!(
                matches!(status, WaitStatus::Signaled(_, Signal::SIGSEGV, _)),
                "{status:?}"
            );
            let placed = arena.place(&frame, Wall::Front, 1);
            let status = reading(placed.start().wrapping_sub(1));
            assert!(
                matches!(status, WaitStatus::Signaled(_, Signal::SIGSEGV, _)),
                "{status:?}"
            );
            if len > 0 {
                let status = reading(placed.start());
                assert!(matches!(status, WaitStatus::Exited(_, 0)), "{status:?}");
            }
        }
    }

    #[test]
    fn a_byte_written_at_the_other_side_is_noticed() {
        let mut arena = Arena::new().unwrap();
        for wall in [Wall::Front, Wall::Back] {
            let placed = arena.place(&[7; 60], wall, 1);
            assert_eq!((placed.bytes(), placed.is_intact()), (&[7; 60][..], true));
            let outside = match wall {
                Wall::Front => placed.end(),
                Wall::Back => placed.start().wrapping_sub(1),
            };
            // SAFETY: beside the frame, in the pages of the arena.
            unsafe { outside.write(0) };
            assert!(!placed.is_intact(), "{wall:?}");
        }
    }
}

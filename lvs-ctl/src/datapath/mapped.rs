//! Array maps as memory: what the data plane changes can be read, and single words replaced, without
//! a system call.

use std::{
    marker::PhantomData,
    mem::{align_of, size_of},
    num::NonZeroUsize,
    ptr::NonNull,
    sync::atomic::{AtomicU32, AtomicU64, Ordering},
};

use anyhow::{Context as _, Result, ensure};
use aya::maps::{Map, MapData};
use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};
use zerocopy::{FromBytes, Immutable, IntoBytes};

/// An array map with `BPF_F_MMAPABLE`, whose entries are `T`s.
#[derive(Debug)]
pub(super) struct Mapped<T> {
    start: NonNull<u8>,
    bytes: usize,
    entries: usize,
    entry: PhantomData<T>,
}

// SAFETY: the memory is the kernel's and shared anyhow; it is accessed by volatile or atomic
// operations alone, and stays mapped for as long as the value lives.
unsafe impl<T> Send for Mapped<T> {}
// SAFETY: as above.
unsafe impl<T> Sync for Mapped<T> {}

impl<T: FromBytes + IntoBytes + Immutable + Copy> Mapped<T> {
    /// Maps `map` for reading, and for writing single words if `writable`.
    ///
    /// # Errors
    /// If it is no array of entries of this size, or the kernel refuses to map it.
    pub(super) fn new(map: &Map, writable: bool) -> Result<Self> {
        let Map::Array(data) = map else {
            anyhow::bail!("not an array map");
        };
        Self::of_data(data, writable)
    }

    fn of_data(data: &MapData, writable: bool) -> Result<Self> {
        let info = data.info().context("cannot read what the map is")?;
        ensure!(
            info.value_size() as usize == size_of::<T>() && size_of::<T>().is_multiple_of(8),
            "entries of {} bytes where {} were expected",
            info.value_size(),
            size_of::<T>()
        );
        let entries = info.max_entries() as usize;
        let page = nix::unistd::sysconf(nix::unistd::SysconfVar::PAGE_SIZE)?.unwrap_or(4096);
        let bytes = (entries * size_of::<T>()).next_multiple_of(usize::try_from(page)?);
        let mut protection = ProtFlags::PROT_READ;
        if writable {
            protection |= ProtFlags::PROT_WRITE;
        }
        let length = NonZeroUsize::new(bytes).context("an empty map")?;
        // SAFETY: a new mapping at an address of the kernel's choice.
        let start = unsafe { mmap(None, length, protection, MapFlags::MAP_SHARED, data.fd(), 0) }
            .context("cannot map it into memory")?
            .cast();
        Ok(Self {
            start,
            bytes,
            entries,
            entry: PhantomData,
        })
    }

    /// How many entries there are.
    pub(super) fn len(&self) -> usize {
        self.entries
    }

    #[inline]
    fn at(&self, index: u32) -> Option<NonNull<T>> {
        const { assert!(align_of::<T>() <= 8) };
        let offset = (index as usize) * size_of::<T>();
        // SAFETY: below the length of the mapping by the check.
        (self.len() > index as usize).then(|| unsafe { self.start.add(offset) }.cast())
    }

    /// A copy of an entry. Words that the data plane is just changing may be of different moments.
    pub(super) fn get(&self, index: u32) -> Option<T> {
        // SAFETY: within the mapping, aligned, and any bytes are a `T`.
        self.at(index).map(|entry| unsafe { entry.read_volatile() })
    }

    /// The `n`-th 64-bit word of an entry, as it is at this moment.
    ///
    /// Relaxed: no other atomic load may be done on memory that is mapped for reading alone.
    #[inline]
    pub(super) fn word(&self, index: u32, n: usize) -> Option<u64> {
        let entry = self.at(index).filter(|_| n < size_of::<T>() / 8)?;
        // SAFETY: one of the words of the entry, which is aligned to eight bytes.
        let word = unsafe { AtomicU64::from_ptr(entry.cast().add(n).as_ptr()) };
        Some(word.load(Ordering::Relaxed))
    }

    /// Replaces the 64-bit word at the start of an entry.
    pub(super) fn set_first_u64(&self, index: u32, value: u64) -> Result<()> {
        let entry = self.at(index).context("no such entry")?;
        // SAFETY: within the mapping, and entries are aligned to and at least eight bytes.
        unsafe { AtomicU64::from_ptr(entry.as_ptr().cast()) }.store(value, Ordering::Release);
        Ok(())
    }

    /// Replaces the 32-bit word at the start of an entry.
    pub(super) fn set_first_u32(&self, index: u32, value: u32) -> Result<()> {
        let entry = self.at(index).context("no such entry")?;
        // SAFETY: as above.
        unsafe { AtomicU32::from_ptr(entry.as_ptr().cast()) }.store(value, Ordering::Release);
        Ok(())
    }
}

impl<T> Drop for Mapped<T> {
    fn drop(&mut self) {
        // SAFETY: the mapping that `new` made; nothing points into it any more.
        let unmapped = unsafe { munmap(self.start.cast(), self.bytes) };
        if let Err(error) = unmapped {
            log::warn!("cannot unmap a map: {error}");
        }
    }
}

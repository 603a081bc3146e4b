//! A frame in ordinary memory.

use core::cell::Cell;

use lvs_common::map::{Address, GatewayKey};

use crate::{family::Family, kernel::Frame};

/// Bytes before the frame, as many as drivers leave (kernel: `XDP_PACKET_HEADROOM`).
const HEAD_ROOM: usize = 256;
/// Bytes behind the frame.
const TAIL_ROOM: usize = 64;
/// What fills the room around the frame.
const FILLING: u8 = 0xa5;

/// A frame that came by some interface, with room before and behind it.
#[derive(Debug)]
pub struct Buffer {
    room: Box<[Cell<u8>]>,
    /// Where the frame begins.
    start: Cell<usize>,
    /// Where it has begun at the earliest.
    earliest: Cell<usize>,
    /// Where it ends.
    end: Cell<usize>,
    ingress: u32,
    route: Option<GatewayKey>,
}

impl Buffer {
    /// A copy of `frame`, which came by the interface with the index `ingress`.
    pub fn new(ingress: u32, frame: &[u8]) -> Self {
        let mut room = vec![Cell::new(FILLING); HEAD_ROOM];
        room.extend(frame.iter().copied().map(Cell::new));
        room.resize(room.len() + TAIL_ROOM, Cell::new(FILLING));
        Self {
            room: room.into(),
            start: Cell::new(HEAD_ROOM),
            earliest: Cell::new(HEAD_ROOM),
            end: Cell::new(HEAD_ROOM + frame.len()),
            ingress,
            route: None,
        }
    }

    /// Has the host know the way back to where it came from.
    #[must_use]
    pub fn with_route(mut self, route: GatewayKey) -> Self {
        self.route = Some(route);
        self
    }

    /// The frame as it is now.
    pub fn bytes(&self) -> Vec<u8> {
        let frame = self.start.get()..self.end.get();
        self.room[frame].iter().map(Cell::get).collect()
    }

    /// Whether nothing was written outside the frame.
    pub fn is_intact(&self) -> bool {
        let head = &self.room[..self.earliest.get()];
        let tail = &self.room[self.room.len() - TAIL_ROOM..];
        head.iter().chain(tail).all(|byte| byte.get() == FILLING)
    }
}

impl Frame for &Buffer {
    fn start(self) -> *mut u8 {
        let room: *const Cell<u8> = self.room.as_ptr();
        room.cast::<u8>().cast_mut().wrapping_add(self.start.get())
    }

    fn end(self) -> *mut u8 {
        let room: *const Cell<u8> = self.room.as_ptr();
        room.cast::<u8>().cast_mut().wrapping_add(self.end.get())
    }

    fn ingress(self) -> u32 {
        self.ingress
    }

    fn route<F: Family>(self, _client: &Address, _service: &Address) -> Option<GatewayKey> {
        self.route
    }

    fn grow(self, bytes: i32) -> bool {
        let start = self.start.get().checked_add_signed(-bytes as isize);
        let Some(start) = start.filter(|start| *start < self.end.get()) else {
            return false;
        };
        self.start.set(start);
        self.earliest.set(self.earliest.get().min(start));
        true
    }

    fn trim(self, bytes: u32) -> bool {
        let end = self.end.get().checked_sub(bytes as usize);
        let Some(end) = end.filter(|end| *end > self.start.get()) else {
            return false;
        };
        self.end.set(end);
        true
    }
}

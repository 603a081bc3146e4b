//! What the first chunks of a packet say.

/// What a packet means to the state machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Event {
    /// DATA, SACK, HEARTBEAT and all that has no event of its own.
    Data = 0,
    /// INIT.
    Init = 1,
    /// INIT ACK.
    InitAck = 2,
    /// COOKIE ECHO.
    CookieEcho = 3,
    /// COOKIE ACK.
    CookieAck = 4,
    /// SHUTDOWN.
    Shutdown = 5,
    /// SHUTDOWN ACK.
    ShutdownAck = 6,
    /// SHUTDOWN COMPLETE.
    ShutdownComplete = 7,
    /// ERROR.
    Error = 8,
    /// ABORT.
    Abort = 9,
}

/// Chunk type of ABORT (RFC 9260 section 3.2).
const ABORT: u8 = 6;
/// Chunk type of COOKIE ECHO.
const COOKIE_ECHO: u8 = 10;
/// Chunk type of COOKIE ACK.
const COOKIE_ACK: u8 = 11;

/// Length of a chunk's header: type, flags, length.
const CHUNK_HEADER: u16 = 4;

/// The event of every chunk type below 15, four bits each; the last four bits stand for all others.
const EVENTS: u64 = {
    let events = [
        (1, Event::Init),
        (2, Event::InitAck),
        (ABORT, Event::Abort),
        (7, Event::Shutdown),
        (8, Event::ShutdownAck),
        (9, Event::Error),
        (COOKIE_ECHO, Event::CookieEcho),
        (COOKIE_ACK, Event::CookieAck),
        (14, Event::ShutdownComplete),
    ];
    // What is not listed is `Data`, number 0.
    let mut packed = 0;
    let mut i = 0;
    while i < events.len() {
        packed |= (events[i].1 as u64) << (4 * events[i].0);
        i += 1;
    }
    packed
};

impl Event {
    /// How many events there are.
    pub const COUNT: usize = 10;

    /// Number of the event of a packet with these types of its first chunk and of the second, if
    /// that was looked at (kernel: `sctp_events`).
    #[inline(always)]
    pub const fn number(first: u8, second: Option<u8>) -> u8 {
        let aborts = matches!(second, Some(ABORT)) && may_hide_abort(first);
        let chunk = if aborts { ABORT } else { first };
        let index = if chunk < 15 { chunk } else { 15 };
        (EVENTS >> (4 * index)) as u8 & 0xf
    }
}

/// Whether an ABORT may come in one packet after a chunk of this type and be what counts: after
/// COOKIE ECHO and COOKIE ACK.
#[inline(always)]
const fn may_hide_abort(chunk: u8) -> bool {
    matches!(chunk, COOKIE_ECHO | COOKIE_ACK)
}

/// Bytes from the first chunk of this type and length (of its header, in the machine's byte order)
/// to the second one, where that one must be looked at; chunks are padded to four bytes. `None` also
/// for a length that is less than the header's.
#[inline(always)]
pub const fn second_chunk(first: u8, length: u16) -> Option<u32> {
    if may_hide_abort(first) && length >= CHUNK_HEADER {
        Some((length as u32 + 3) & !3)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_of_chunks() {
        let expected = [
            Event::Data,
            Event::Init,
            Event::InitAck,
            Event::Data,
            Event::Data,
            Event::Data,
            Event::Abort,
            Event::Shutdown,
            Event::ShutdownAck,
            Event::Error,
            Event::CookieEcho,
            Event::CookieAck,
            Event::Data,
            Event::Data,
            Event::ShutdownComplete,
        ];
        for chunk in 0..=255_u8 {
            let event = expected.get(usize::from(chunk)).unwrap_or(&Event::Data);
            assert_eq!(Event::number(chunk, None), *event as u8, "chunk {chunk}");
            assert_eq!(Event::number(chunk, Some(0)), *event as u8, "chunk {chunk}");
            let aborts = matches!(event, Event::CookieEcho | Event::CookieAck);
            let event = if aborts { Event::Abort } else { *event };
            assert_eq!(Event::number(chunk, Some(6)), event as u8, "chunk {chunk}");
        }
    }

    #[test]
    fn where_an_abort_may_hide() {
        for cookie in [10, 11] {
            assert_eq!(second_chunk(cookie, 3), None, "shorter than its header");
            assert_eq!(second_chunk(cookie, 4), Some(4));
            assert_eq!(second_chunk(cookie, 5), Some(8));
            assert_eq!(second_chunk(cookie, 64), Some(64));
            assert_eq!(second_chunk(cookie, u16::MAX), Some(1 << 16));
        }
        for other in (0..=255).filter(|chunk| !matches!(chunk, 10 | 11)) {
            assert_eq!(second_chunk(other, 64), None, "chunk {other}");
        }
    }
}

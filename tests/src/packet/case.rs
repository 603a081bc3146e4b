//! A row of a packet table.

use std::fmt;

use lvs_common::{Reason, Verdict, map::Notice};

use super::{Changes, Frame, Hop};

/// What an XDP program returns (`enum xdp_action` of the kernel).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Xdp {
    /// A mistake of the program.
    Aborted = 0,
    /// Gone.
    Drop = 1,
    /// On to the host.
    Pass = 2,
    /// Out by the interface it came from.
    Tx = 3,
    /// Out by another one.
    Redirect = 4,
}

impl Xdp {
    /// Every verdict, in the order of their numbers.
    pub const ALL: [Self; 5] = [
        Self::Aborted,
        Self::Drop,
        Self::Pass,
        Self::Tx,
        Self::Redirect,
    ];
}

/// A frame and all that has to come of it.
#[derive(Clone, Debug)]
pub struct Case {
    pub(super) description: String,
    pub(super) frame: Vec<u8>,
    pub(super) verdict: Xdp,
    pub(super) after: Vec<u8>,
    pub(super) changes: Changes,
    pub(super) reason: Reason,
}

impl Case {
    fn new(description: impl fmt::Display, frame: Vec<u8>, verdict: Xdp, reason: Reason) -> Self {
        let case = Self {
            description: description.to_string(),
            after: frame.clone(),
            frame,
            verdict,
            changes: Changes::new(),
            reason,
        };
        let bytes = signed(case.frame.len());
        case.and(&format!("reason.{}.packets", reason.as_str()), 1)
            .and(&format!("reason.{}.bytes", reason.as_str()), bytes)
    }

    /// The frame comes out as it went in, for this reason, which says whether it passes or is dropped.
    pub fn untouched(description: impl fmt::Display, frame: Vec<u8>, reason: Reason) -> Self {
        let verdict = match reason.verdict() {
            Verdict::Pass => Xdp::Pass,
            Verdict::Drop => Xdp::Drop,
            Verdict::Forward => unreachable!("{reason:?} touches frames"),
        };
        Self::new(description, frame, verdict, reason)
    }

    /// The frame goes to `backend` behind `hop`, and counts for it and its service.
    pub fn sent(description: impl fmt::Display, frame: &Frame, backend: &str, hop: &Hop) -> Self {
        Self::forwarded(description, frame, backend, hop, Xdp::Tx, Reason::Sent)
    }

    /// As [`Case::sent`], by another interface than the one it came from.
    pub fn redirected(
        description: impl fmt::Display,
        frame: &Frame,
        backend: &str,
        hop: &Hop,
    ) -> Self {
        let (verdict, reason) = (Xdp::Redirect, Reason::Redirected);
        Self::forwarded(description, frame, backend, hop, verdict, reason)
    }

    /// The frame is left to the host as another one, for this reason.
    pub fn passed(
        description: impl fmt::Display,
        frame: &Frame,
        after: &Frame,
        reason: Reason,
    ) -> Self {
        Self::new(description, frame.bytes(), Xdp::Pass, reason).becoming(after)
    }

    fn forwarded(
        description: impl fmt::Display,
        frame: &Frame,
        backend: &str,
        hop: &Hop,
        verdict: Xdp,
        reason: Reason,
    ) -> Self {
        Self::new(description, frame.bytes(), verdict, reason)
            .becoming(&frame.clone().forwarded(hop))
            .counted(frame, backend)
    }

    /// The packet ends here for this reason, and its sender gets a message instead.
    pub fn told(
        description: impl fmt::Display,
        frame: &Frame,
        message: &Frame,
        reason: Reason,
        notice: Notice,
    ) -> Self {
        Self::new(description, frame.bytes(), Xdp::Tx, reason)
            .becoming(message)
            .and(&format!("notice.{}", notice.as_str()), 1)
    }

    /// It is another frame that comes out.
    #[must_use]
    pub fn becoming(mut self, after: &Frame) -> Self {
        self.after = after.bytes();
        self
    }

    /// It is another frame that comes in: the packet in a tunnel.
    #[must_use]
    pub fn arriving(mut self, frame: &Frame) -> Self {
        let before = signed(self.frame.len());
        self.frame = frame.bytes();
        let more = signed(self.frame.len()) - before;
        let counter = format!("reason.{}.bytes", self.reason.as_str());
        self.and(&counter, more)
    }

    /// The packet counts for this backend and its service.
    #[must_use]
    pub fn counted(mut self, packet: &Frame, backend: &str) -> Self {
        for who in counters_of(backend) {
            self = self
                .and(&format!("{who}.packets"), 1)
                .and(&format!("{who}.bytes"), signed(packet.ip_len()));
        }
        self
    }

    /// It opens an active connection of `backend`.
    #[must_use]
    pub fn opens_active(self, backend: &str) -> Self {
        self.opens(backend)
            .and(&format!("load.{backend}.active"), 1)
    }

    /// It opens an inactive connection of `backend`, as all of UDP are.
    #[must_use]
    pub fn opens_inactive(self, backend: &str) -> Self {
        self.opens(backend)
            .and(&format!("load.{backend}.inactive"), 1)
    }

    fn opens(mut self, backend: &str) -> Self {
        for who in counters_of(backend) {
            self = self.and(&format!("{who}.connections"), 1);
        }
        self
    }

    /// So many bytes follow the packet: they are carried along, and counted as part of the frame alone.
    #[must_use]
    pub fn padded(mut self, bytes: u8) -> Self {
        for frame in [&mut self.frame, &mut self.after] {
            frame.resize(frame.len() + usize::from(bytes), 0xee);
        }
        let counter = format!("reason.{}.bytes", self.reason.as_str());
        self.and(&counter, bytes.into())
    }

    /// The counter of this name changes by so much, too.
    #[must_use]
    pub fn and(mut self, counter: &str, change: i64) -> Self {
        let sum = self.changes.entry(counter.to_owned()).or_default();
        *sum += change;
        if *sum == 0 {
            self.changes.remove(counter);
        }
        self
    }

    /// The reason that it has to leave for.
    pub const fn reason(&self) -> Reason {
        self.reason
    }
}

const fn signed(len: usize) -> i64 {
    (len as u64).cast_signed()
}

/// Names of the counters of a backend and of its service: that of "web-1" is "web".
fn counters_of(backend: &str) -> [String; 2] {
    let service = backend
        .rsplit_once('-')
        .map_or(backend, |(service, _)| service);
    [format!("service.{service}"), format!("backend.{backend}")]
}

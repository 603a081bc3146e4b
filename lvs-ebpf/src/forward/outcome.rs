//! What became of a packet, in one word: a BPF subprogram returns no more.

use lvs_common::{Reason, map::NextHop};

use crate::nat::{Flow, Opening};

/// By which interface a packet leaves, or why it does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub struct Outcome(u64);

const SENT: u64 = 1 << 62;
const OPEN: u64 = 1 << 63;
const OPENED: u64 = 1 << 59;

impl Outcome {
    /// It belongs to no flow that is known, and nothing was done.
    pub const UNKNOWN: Self = Self(1 << 61);

    /// It is an answer, and nothing was done.
    pub const ANSWER: Self = Self(1 << 60);

    /// Its flow was opened, and nothing else was done.
    #[inline(always)]
    pub const fn opened(flow: Flow) -> Self {
        Self(flow.to_bits() | OPENED)
    }

    /// The flow that was opened.
    #[inline(always)]
    pub const fn flow(self) -> Option<Flow> {
        if self.0 & OPENED != 0 {
            Some(Flow::from_bits(self.0 & !OPENED))
        } else {
            None
        }
    }

    /// A flow is to be opened for it, and nothing else was done.
    #[inline(always)]
    pub const fn open(opening: Opening) -> Self {
        Self(opening.to_bits() | OPEN)
    }

    /// What is to be opened.
    #[inline(always)]
    pub const fn opening(self) -> Option<Opening> {
        if self.0 & OPEN != 0 {
            Some(Opening::from_bits(self.0 & !OPEN))
        } else {
            None
        }
    }

    /// It leaves for this next hop.
    #[inline(always)]
    pub(crate) const fn sent(next_hop: &NextHop) -> Self {
        Self(next_hop.interface as u64 | SENT)
    }

    /// It does not leave.
    #[inline(always)]
    pub const fn refused(reason: Reason) -> Self {
        Self(reason as u64)
    }

    /// As a word.
    #[inline(always)]
    pub const fn to_bits(self) -> u64 {
        self.0
    }

    /// From such a word.
    #[inline(always)]
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// Either of both.
    #[inline(always)]
    pub fn of(result: Result<Self, Reason>) -> Self {
        result.unwrap_or_else(Self::refused)
    }

    /// Whether it is [`Self::UNKNOWN`].
    #[inline(always)]
    pub fn is_unknown(self) -> bool {
        self == Self::UNKNOWN
    }

    /// Whether it is [`Self::ANSWER`].
    #[inline(always)]
    pub fn is_answer(self) -> bool {
        self == Self::ANSWER
    }

    /// This, or a refusal if the packet's flow, which was there, has been evicted in this very moment.
    #[inline(always)]
    #[must_use]
    pub fn or_lost(self) -> Self {
        if self.is_unknown() {
            Self::refused(Reason::NoPlace)
        } else {
            self
        }
    }

    /// Whether its backend gets it.
    #[inline(always)]
    pub const fn is_taken(self) -> bool {
        self.0 & SENT != 0 || self.0 == Reason::Local as u64
    }

    /// Index of the interface that it leaves by.
    ///
    /// # Errors
    /// Why it does not; the frame is untouched then.
    #[inline(always)]
    pub fn interface(self) -> Result<u32, Reason> {
        if self.0 & SENT != 0 {
            Ok(self.0 as u32)
        } else {
            Err(Reason::from_number(self.0 as u32).unwrap_or(Reason::Inconsistent))
        }
    }
}

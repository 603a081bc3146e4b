//! Sending a packet on: a file a mode, and what they share.

mod across;
mod dr;
mod frame;
mod local;
mod outcome;
mod translate;
mod transport;
mod tun;

pub use across::across;
pub use dr::dr;
pub(crate) use frame::{put_link, write_header as write_link};
pub use local::local;
pub use outcome::Outcome;
pub use translate::translate;
pub use tun::tun;

use lvs_common::{Reason, map::NextHop};

use crate::kernel::{Frame, Tables};

/// What the driver is to do with a frame that was rewritten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Out by the interface it came from.
    Send,
    /// Out by the interface with this index.
    Redirect(u32),
}

impl Action {
    /// Out by the interface with this index.
    #[inline(always)]
    pub fn by<X: Frame>(frame: X, interface: u32) -> Self {
        if interface == frame.ingress() {
            Self::Send
        } else {
            Self::Redirect(interface)
        }
    }

    /// What it counts as.
    #[inline(always)]
    pub const fn reason(self) -> Reason {
        match self {
            Self::Send => Reason::Sent,
            Self::Redirect(_) => Reason::Redirected,
        }
    }
}

/// Whether a packet of `len` bytes with this TTL or hop limit may go to a next hop, where a tunnel or another
/// header adds `more` bytes to it. If not, what its sender is told of it is in the scratch.
///
/// # Errors
/// [`Reason::TtlExceeded`], [`Reason::TooBig`].
#[inline(always)]
pub fn may_pass<K: Tables>(
    tables: &K,
    hops: u8,
    len: u32,
    more: i32,
    next_hop: &NextHop,
) -> Result<(), Reason> {
    let room = next_hop.mtu.saturating_sub_signed(more);
    let reason = if hops <= 1 && !next_hop.is_local() {
        Reason::TtlExceeded
    } else if len > room {
        Reason::TooBig
    } else {
        return Ok(());
    };
    let scratch = tables.scratch().ok_or(Reason::Inconsistent)?;
    // SAFETY: this CPU's.
    unsafe {
        (*scratch).mtu = room;
        (*scratch).answerer = 0;
    }
    Err(reason)
}

//! Sending a packet to its backend: a file a mode.

mod dr;

pub use dr::dr;

/// What the driver is to do with a frame that was rewritten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Out by the interface it came from.
    Send,
    /// Out by the interface with this index.
    Redirect(u32),
}

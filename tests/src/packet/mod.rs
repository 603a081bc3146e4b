//! Packet tables: single frames through the loaded program, and everything that may have changed.
//!
//! A [`Rig`] is the program with services of a test's choice; a [`Frame`] goes through it; a table of
//! [`Case`]s says what has to come of each, and [`Rig::run`] compares not only that but every counter
//! there is, so that a test fails as well for what changed and should not have.

#![expect(
    clippy::missing_panics_doc,
    reason = "what is wrong with the program under test is told by a panic, as in the tests themselves"
)]

mod case;
mod dump;
mod frame;
mod ip_header;
mod message;
mod notices;
mod quote;
mod rig;
mod spec;
mod state;

pub use case::{Case, Xdp};
pub use dump::compare;
pub use frame::{BALANCER_MAC, Frame, source};
pub use ip_header::IpHeader;
pub use quote::Quote;
pub use rig::{HZ, INGRESS, Rig};
pub use spec::{BackendSpec, Hop, ServiceSpec};
pub use state::{Changes, State};

use nix::unistd::Uid;

/// Ends the test with a message if it is not run by root: the kernel would refuse the program anyhow,
/// in words that do not help.
pub fn require_root() {
    assert!(
        Uid::effective().is_root(),
        "these tests load the data plane into the kernel: run them as root, with: cargo xtask test"
    );
}

//! The loaded data plane: programs, maps, pins. The only room that knows aya.
//!
//! [`Datapath`] is the director's handle: it loads the object, writes the maps and attaches the
//! program. [`Decap`] is the handle of the program that takes packets out of tunnels, and does nothing
//! else. [`Pinned`] is everybody else's: it reads the maps where the director has pinned them.

mod attach;
mod bpffs;
mod counters;
mod decap;
mod entry;
mod flows;
mod flusher;
mod load;
mod mapped;
mod object;
mod packet_log;
mod pinned;
mod pins;
mod sweeper;
mod tunnels;

pub use attach::{AttachError, AttachMode, Attacher};
pub use counters::{FlowCounts, StatsReader};
pub use decap::Decap;
pub use flows::{Flow, FlowReader};
pub use load::{Datapath, Sizes};
pub use packet_log::PacketLog;
pub use pinned::{Flows, Pinned};
pub use pins::{DEFAULT_PIN_DIR, Pins};
pub use sweeper::{Clock, Swept};

//! The SCTP state machine of IPVS (`net/netfilter/ipvs/ip_vs_proto_sctp.c`). The states are those of
//! the backend, as far as the director can tell them from the packets of both sides, or of one.

mod event;
mod state;
mod table;

pub use event::{Event, second_chunk};
pub use state::State;
pub use table::{INPUT, INPUT_ONLY, OUTPUT, Table};

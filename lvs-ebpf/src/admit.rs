//! The first packet of a flow: its service, and a backend.

use lvs_common::{MidStream, Protocol, Reason, flow::Tuple, tcp};

use crate::{atomic::opaque, family::Family, kernel::Tables, schedule::schedule, service::service};

/// What became of a packet without a flow, in one word: a BPF subprogram returns no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub struct Admission(u32);

const ADMITTED: u32 = 1 << 16;

impl Admission {
    /// Id of the backend that the packet goes to.
    ///
    /// # Errors
    /// Why it opens no flow.
    #[inline(always)]
    pub fn backend(self) -> Result<u16, Reason> {
        if self.0 & ADMITTED != 0 {
            Ok(self.0 as u16)
        } else {
            Err(Reason::from_number(self.0).unwrap_or(Reason::Inconsistent))
        }
    }
}

/// Whether a packet that belongs to no flow opens one, and with which backend.
///
/// A subprogram of its own, for the stack's sake: 512 bytes serve the whole chain of calls.
#[inline(never)]
pub fn admit<F: Family, K: Tables>(tables: &K, tuple: &F::Tuple, tcp_flags: u8) -> Admission {
    match try_admit::<F, K>(tables, opaque(tuple), tcp_flags) {
        Ok(backend) => Admission(u32::from(backend) | ADMITTED),
        Err(reason) => Admission(reason as u32),
    }
}

#[inline(always)]
fn try_admit<F: Family, K: Tables>(
    tables: &K,
    tuple: &F::Tuple,
    tcp_flags: u8,
) -> Result<u16, Reason> {
    let found = service(tables, &F::service_key(tuple))?;
    let is_tcp = tuple.protocol() == Protocol::Tcp as u8;
    if is_tcp && !tcp::opens(tcp_flags) {
        refuse(found.mid_stream, tcp_flags)?;
    }
    schedule(tables, &found)
}

/// Whether a segment that opens nothing may do so all the same; never one with RST (kernel:
/// `tcp_conn_schedule`).
///
/// # Errors
/// Why it may not.
#[inline(always)]
fn refuse(mid_stream: u8, tcp_flags: u8) -> Result<(), Reason> {
    const DROP: u8 = MidStream::Drop as u8;
    const SCHEDULE: u8 = MidStream::Schedule as u8;
    match mid_stream {
        SCHEDULE if tcp_flags & tcp::RST == 0 => Ok(()),
        DROP => Err(Reason::MidStream),
        _ => Err(Reason::NoFlow),
    }
}

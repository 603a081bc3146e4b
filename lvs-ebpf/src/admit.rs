//! The first packet of a flow: its service, a backend, an entry in the flow table.

use lvs_common::{
    Protocol, Reason,
    flow::{Tuple, Word},
    tcp,
};

use crate::{
    atomic::opaque,
    family::Family,
    kernel::Tables,
    schedule::schedule,
    service::service,
    table::{Segment, open},
};

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

/// Opens the flow of a packet that belongs to none.
///
/// A subprogram of its own, for the stack's sake: 512 bytes serve the whole chain of calls.
#[inline(never)]
pub fn admit<F: Family, K: Tables>(
    tables: &K,
    tuple: &F::Tuple,
    tcp_flags: u8,
    now: u32,
) -> Admission {
    match try_admit::<F, K>(tables, opaque(tuple), tcp_flags, now) {
        Ok(backend) => Admission(u32::from(backend) | ADMITTED),
        Err(reason) => Admission(reason as u32),
    }
}

#[inline(always)]
fn try_admit<F: Family, K: Tables>(
    tables: &K,
    tuple: &F::Tuple,
    tcp_flags: u8,
    now: u32,
) -> Result<u16, Reason> {
    let found = service(tables, &F::service_key(tuple))?;
    let is_tcp = tuple.protocol() == Protocol::Tcp as u8;
    if is_tcp && !tcp::opens(tcp_flags) {
        return Err(Reason::NoFlow);
    }
    let backend = schedule(tables, &found)?;
    let state = Segment::new(tuple.protocol(), tcp_flags).first_state();
    let opened = open::<F, K>(tables, tuple, Word::open(backend, state, now));
    if opened.is_new() {
        tables.count_connection(found.id, u32::from(backend));
    }
    Ok(opened.backend())
}

//! Opening a flow.

use lvs_common::{
    ForwardingMode, Reason,
    flow::{Tuple as _, Word},
};

use super::{Flow, Origin, reply_tuple, translates};
use crate::{
    admit::admit,
    atomic::fetch_add,
    backend::{Target, backend},
    family::Family,
    forward::Outcome,
    kernel::Tables,
    table::{
        Segment, deadline, open,
        pair::{Paired, open_pair},
    },
};

/// The first packet of a flow.
///
/// ```text
/// bits 0..16  backend        16..24  flags byte of TCP        24  its backend is of the other family
///     32..56  gateway of the client
/// ```
#[derive(Clone, Copy, Debug)]
#[repr(transparent)]
pub struct Opening(u64);

const CROSSES: u64 = 1 << 24;

impl Opening {
    /// With the backend that its turn has come to.
    #[inline(always)]
    pub const fn new(backend: u16, tcp_flags: u8, gateway: u32) -> Self {
        Self(backend as u64 | (tcp_flags as u64) << 16 | (gateway as u64) << 32)
    }

    /// With another backend, which is of the other family than the packet or not.
    #[inline(always)]
    #[must_use]
    pub const fn with_backend(self, backend: u16, crosses: bool) -> Self {
        Self(self.0 & !0x0100_ffff | backend as u64 | if crosses { CROSSES } else { 0 })
    }

    /// Whether its backend is of the other family.
    #[inline(always)]
    pub const fn crosses(self) -> bool {
        self.0 & CROSSES != 0
    }

    /// As a word; the highest bits are clear.
    #[inline(always)]
    pub const fn to_bits(self) -> u64 {
        self.0
    }

    /// From such a word.
    #[inline(always)]
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    #[inline(always)]
    const fn backend(self) -> u16 {
        self.0 as u16
    }

    #[inline(always)]
    const fn tcp_flags(self) -> u8 {
        (self.0 >> 16) as u8
    }

    #[inline(always)]
    const fn gateway(self) -> u32 {
        (self.0 >> 32) as u32
    }
}

/// Opens the flow of the tuple in the scratch, with a mode that translates the entry of its answers too,
/// which are of family `R`.
///
/// [`Outcome::UNKNOWN`]: another CPU has opened it at the same time, look it up. [`Outcome::open`]: the answers
/// could not be told from those of another flow; those of another backend may be.
#[inline(always)]
pub fn keep<F: Family, R: Family, K: Tables>(tables: &K, opening: Opening, now: u32) -> Outcome {
    let Some(scratch) = tables.scratch() else {
        return Outcome::refused(Reason::Inconsistent);
    };
    // SAFETY: this CPU's, and a tuple of this family was written to it.
    let tuple = unsafe { &*(&raw const (*scratch).packet).cast::<F::Tuple>() };
    match try_keep::<F, R, K>(tables, tuple, opening, now) {
        Err(Reason::ReplyTaken) => {}
        outcome => return Outcome::of(outcome),
    }
    let next = || {
        let id = admit::<F, K>(tables, tuple, opening.tcp_flags()).backend()?;
        let crosses = backend(tables, id)?.crosses::<F>();
        Ok(Outcome::open(opening.with_backend(id, crosses)))
    };
    Outcome::of(next())
}

#[inline(always)]
fn try_keep<F: Family, R: Family, K: Tables>(
    tables: &K,
    tuple: &F::Tuple,
    opening: Opening,
    now: u32,
) -> Result<Outcome, Reason> {
    let id = opening.backend();
    let target = backend(tables, id)?;
    let timeouts = tables
        .timeouts(target.timeouts)
        .ok_or(Reason::Inconsistent)?;
    let state = Segment::of_client(tuple.protocol(), opening.tcp_flags()).first_state();
    let first = Word::open(id, state, deadline(timeouts, state, now));
    if !translates(target.mode) {
        let opened = open::<F, K>(tables, tuple, first, now);
        if opened.is_new() {
            // Looked up once more, here and below, and not kept meanwhile: the stack is short.
            let target = backend(tables, id)?;
            tables.count_connection(target.service, target.id);
        }
        return Ok(Outcome::opened(Flow::new(opened.backend(), Origin::CLIENT)));
    }
    let mut origin = Origin::CLIENT;
    let paired = open_pair::<F, R, K>(tables, tuple, first, opening.gateway(), now, |n| {
        origin = next_origin(tables, &target, n)?;
        let reply = reply_tuple::<F, R, K>(tables, &target, tuple, origin)?;
        Some((reply, origin.0))
    });
    match paired {
        Paired::New => {
            let target = backend(tables, id)?;
            tables.count_connection(target.service, target.id);
            Ok(Outcome::opened(Flow::new(id, origin)))
        }
        Paired::Twin => Ok(Outcome::UNKNOWN),
        Paired::Taken if target.mode == ForwardingMode::FullNat as u8 => Err(Reason::NoPort),
        Paired::Taken => Err(Reason::ReplyTaken),
        Paired::NotKept => Err(Reason::NoPlace),
    }
}

/// The n-th origin to try. With FULLNAT the next of all local addresses and ports in turn, so that one
/// that is free again is used last; one cursor serves all CPUs.
#[inline(always)]
fn next_origin<K: Tables>(tables: &K, target: &Target, n: u32) -> Option<Origin> {
    if target.mode != ForwardingMode::FullNat as u8 {
        return (n == 0).then_some(Origin::CLIENT);
    }
    let (_, locals) = target.locals();
    let (first, last) = target.ports();
    let ports = u64::from(last.checked_sub(first)?) + 1;
    if locals == 0 {
        return None;
    }
    let cursor = tables.backend_cursor(target.id)?;
    // SAFETY: `Tables` hands out valid words.
    let turn = unsafe { fetch_add(cursor, 1) };
    let local = turn % u64::from(locals);
    let port = u64::from(first) + turn / u64::from(locals) % ports;
    Some(Origin::new(local as u32, (port as u16).to_be()))
}

//! A backend's packet, on its way to the client.

use lvs_common::{
    Reason,
    flow::{Link, Tuple, Word},
};

use crate::{
    atomic::load,
    backend::backend,
    family::Family,
    forward::{Outcome, across, may_pass, translate},
    kernel::{Frame, Tables},
    table::{Hit, Segment, advance, entry_of, pair::owner, way},
};

/// Rewrites the frame of an answer for the client, accounts for it and moves its flow on. Where its
/// entry was found, its word then and the frame's shape are in the scratch.
#[inline(never)]
pub fn answer<F: Family, K: Tables, X: Frame>(tables: &K, frame: X) -> Outcome {
    Outcome::of(try_answer::<F, K, X>(tables, frame))
}

#[inline(always)]
fn try_answer<F: Family, K: Tables, X: Frame>(tables: &K, frame: X) -> Result<Outcome, Reason> {
    let scratch = tables.scratch().ok_or(Reason::Inconsistent)?;
    // SAFETY: this CPU's, and just written.
    let (slot, word, shape) = unsafe { (*scratch).answer };
    let now = tables.now();
    let (entry, link) = entry_of(tables, slot).ok_or(Reason::Inconsistent)?;
    // SAFETY: a word of an entry of the table.
    let link = Link(unsafe { load(link) });
    let reply = Hit {
        entry,
        slot,
        word,
        link,
    };
    // Without it the packet is nobody's: the host's, for what we know.
    let flow = owner(tables, &reply, now).ok_or(Reason::NoService)?;
    let next_hop = tables.gateway(link.note()).ok_or(Reason::Inconsistent)?;
    let crosses = flow.slot.family() as u8 != F::Tuple::FAMILY as u8;
    let more = if crosses { shape.more_across::<F>() } else { 0 };
    let may = may_pass(tables, shape.hops(), shape.packet_len(), more, next_hop);
    if let Err(reason) = may {
        // SAFETY: this CPU's.
        unsafe { (*scratch).answerer = flow.word.backend().into() };
        return Err(reason);
    }
    let target = backend(tables, flow.word.backend())?;
    let timeouts = tables
        .timeouts(target.timeouts)
        .ok_or(Reason::Inconsistent)?;
    let segment = Segment::of_backend(shape.protocol(), shape.tcp_flags());
    advance(tables, &flow, segment, timeouts, now);
    let outcome = if crosses {
        let client = client::<F::Other, K>(tables, &flow)?;
        across::<F, X>(frame, shape, &client.reversed(), next_hop)
    } else {
        let client = client::<F, K>(tables, &flow)?;
        translate::<F, X>(frame, shape, Some(&client.reversed()), next_hop)
    };
    outcome.interface()?;
    tables.count_answer(target.service, target.id, u64::from(shape.packet_len()));
    Ok(outcome)
}

/// The client's tuple of a flow, which is of its family.
///
/// # Errors
/// [`Reason::NoService`] if the flow has ended meanwhile.
#[inline(always)]
pub(crate) fn client<F: Family, K: Tables>(tables: &K, flow: &Hit) -> Result<F::Tuple, Reason> {
    let entry =
        way::<F, K>(tables, flow.slot.half(), flow.slot.way()).ok_or(Reason::Inconsistent)?;
    // SAFETY: the tuple's words follow the word of an entry of the table of this family.
    let tuple = unsafe { *entry.add(1).cast::<F::Tuple>() };
    // SAFETY: as above.
    let after = Word(unsafe { load(entry) });
    if after.is_live() && after.generation() == flow.word.generation() {
        Ok(tuple)
    } else {
        Err(Reason::NoService)
    }
}

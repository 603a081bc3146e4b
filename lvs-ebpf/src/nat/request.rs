//! A client's packet, on its way to the backend.

use lvs_common::{Reason, flow::Tuple as _, map::NextHop};

use super::{Flow, reply_tuple};
use crate::{
    atomic::opaque,
    backend::backend,
    family::Family,
    forward::{Outcome, across, local, translate},
    kernel::{Frame, Tables},
    packet::Shape,
};

/// Rewrites the frame of a client's packet for the backend of its flow, which is of the client's family.
#[inline(never)]
pub fn request<F: Family, K: Tables, X: Frame>(
    tables: &K,
    frame: X,
    tuple: &F::Tuple,
    shape: Shape,
    flow: Flow,
    next_hop: &NextHop,
) -> Outcome {
    match reply::<F, F, K>(tables, opaque(tuple), flow) {
        Some(reply) if next_hop.is_local() => local::<F, X>(frame, shape, &reply.reversed()),
        Some(reply) => translate::<F, X>(frame, shape, Some(&reply.reversed()), next_hop),
        None => Outcome::refused(Reason::Inconsistent),
    }
}

/// The same where it is of the other one.
#[inline(never)]
pub fn request_across<F: Family, K: Tables, X: Frame>(
    tables: &K,
    frame: X,
    tuple: &F::Tuple,
    shape: Shape,
    flow: Flow,
    next_hop: &NextHop,
) -> Outcome {
    match reply::<F, F::Other, K>(tables, opaque(tuple), flow) {
        Some(reply) => across::<F, X>(frame, shape, &reply.reversed(), next_hop),
        None => Outcome::refused(Reason::Inconsistent),
    }
}

/// The tuple of the flow's answers.
#[inline(always)]
fn reply<F: Family, R: Family, K: Tables>(
    tables: &K,
    tuple: &F::Tuple,
    flow: Flow,
) -> Option<R::Tuple> {
    let target = backend(tables, flow.backend()).ok()?;
    reply_tuple::<F, R, K>(tables, &target, tuple, flow.origin())
}

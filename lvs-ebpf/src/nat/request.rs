//! A client's packet, on its way to the backend.

use lvs_common::{Reason, flow::Tuple as _, map::NextHop};

use super::{Flow, reply_tuple};
use crate::{
    atomic::opaque,
    backend::backend,
    family::Family,
    forward::{Outcome, translate},
    kernel::{Frame, Tables},
    packet::Shape,
};

/// Rewrites the frame of a client's packet for the backend of its flow.
#[inline(never)]
pub fn request<F: Family, K: Tables, X: Frame>(
    tables: &K,
    frame: X,
    tuple: &F::Tuple,
    shape: Shape,
    flow: Flow,
    next_hop: &NextHop,
) -> Outcome {
    let tuple = opaque(tuple);
    let Ok(target) = backend(tables, flow.backend()) else {
        return Outcome::refused(Reason::Inconsistent);
    };
    match reply_tuple::<F, K>(tables, &target, tuple, flow.origin()) {
        Some(reply) => translate::<F, X>(frame, shape, Some(&reply.reversed()), next_hop),
        None => Outcome::refused(Reason::Inconsistent),
    }
}

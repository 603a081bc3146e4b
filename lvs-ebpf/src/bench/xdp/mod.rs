//! What exists for the BPF target alone.
//!
//! The maps are those of the data plane, of the same source; the loader has both objects share them,
//! so that services, backends, next hops and counters are the very same memory.

mod balancer;
#[path = "../../xdp/cold.rs"]
mod cold;
#[path = "../../xdp/frame.rs"]
mod frame;
mod harness;
mod lru;
#[path = "../../xdp/maps.rs"]
mod maps;
#[path = "../../xdp/object.rs"]
mod object;

use aya_ebpf::{bindings::xdp_action::XDP_TX, macros::xdp, programs::XdpContext};
use lvs_ebpf::family::{V4, V6};

use self::lru::{Common, PerCpu};

/// Writes an IPv4 frame and hands it to the program under test.
#[xdp]
#[expect(
    clippy::needless_pass_by_value,
    reason = "the signature of an XDP program"
)]
pub(crate) fn harness4(ctx: XdpContext) -> u32 {
    harness::run::<V4>(&ctx)
}

/// Writes an IPv6 frame and hands it to the program under test.
#[xdp]
#[expect(
    clippy::needless_pass_by_value,
    reason = "the signature of an XDP program"
)]
pub(crate) fn harness6(ctx: XdpContext) -> u32 {
    harness::run::<V6>(&ctx)
}

/// Sends every frame back: the floor that every figure is compared with.
#[xdp]
pub(crate) fn null_tx(_ctx: XdpContext) -> u32 {
    XDP_TX
}

/// The data plane with its flows in an LRU map.
#[xdp]
#[expect(
    clippy::needless_pass_by_value,
    reason = "the signature of an XDP program"
)]
pub(crate) fn lru(ctx: XdpContext) -> u32 {
    balancer::run::<Common>(&ctx)
}

/// The data plane with its flows in an LRU map whose lists are each CPU's own.
#[xdp]
#[expect(
    clippy::needless_pass_by_value,
    reason = "the signature of an XDP program"
)]
pub(crate) fn lru_percpu(ctx: XdpContext) -> u32 {
    balancer::run::<PerCpu>(&ctx)
}

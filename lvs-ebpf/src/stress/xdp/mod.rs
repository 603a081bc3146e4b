//! What exists for the BPF target alone.
//!
//! The maps are those of the data plane, of the same source; the loader has both objects share them.

#[path = "../../xdp/cold.rs"]
mod cold;
#[path = "../../xdp/maps.rs"]
#[expect(dead_code, reason = "reasons are counted where packets are")]
mod maps;
#[path = "../../xdp/object.rs"]
mod object;
mod operations;
mod run;

use aya_ebpf::{macros::xdp, programs::XdpContext};
use lvs_ebpf::family::{V4, V6};

/// Flows within IPv4.
#[xdp]
#[expect(
    clippy::needless_pass_by_value,
    reason = "the signature of an XDP program"
)]
pub(crate) fn stress44(ctx: XdpContext) -> u32 {
    run::run::<V4, V4>(&ctx)
}

/// Flows within IPv6.
#[xdp]
#[expect(
    clippy::needless_pass_by_value,
    reason = "the signature of an XDP program"
)]
pub(crate) fn stress66(ctx: XdpContext) -> u32 {
    run::run::<V6, V6>(&ctx)
}

/// Flows of IPv6 clients and IPv4 backends.
#[xdp]
#[expect(
    clippy::needless_pass_by_value,
    reason = "the signature of an XDP program"
)]
pub(crate) fn stress64(ctx: XdpContext) -> u32 {
    run::run::<V6, V4>(&ctx)
}

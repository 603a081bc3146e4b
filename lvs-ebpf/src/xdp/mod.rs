//! What exists for the BPF target alone.

mod cold;
mod frame;
mod maps;
mod object;
mod program;

use aya_ebpf::{macros::xdp, programs::XdpContext};

/// The data plane.
#[xdp]
#[expect(
    clippy::needless_pass_by_value,
    reason = "the signature of an XDP program"
)]
pub(crate) fn lvs(ctx: XdpContext) -> u32 {
    program::run(&ctx)
}

/// Goes on where the data plane has no way for a packet.
#[xdp]
#[expect(
    clippy::needless_pass_by_value,
    reason = "the signature of an XDP program"
)]
pub(crate) fn slow(ctx: XdpContext) -> u32 {
    program::slow(&ctx)
}

/// Takes packets out of tunnels, and nothing else: for backends.
#[xdp]
#[expect(
    clippy::needless_pass_by_value,
    reason = "the signature of an XDP program"
)]
pub(crate) fn decap(ctx: XdpContext) -> u32 {
    program::decap(&ctx)
}

/// A pass over part of the flow table; its "packet" is a [`Sweep`](lvs_common::map::Sweep).
#[xdp]
#[expect(
    clippy::needless_pass_by_value,
    reason = "the signature of an XDP program"
)]
pub(crate) fn sweep(ctx: XdpContext) -> u32 {
    program::sweep(&ctx)
}

/// Ends given flows; its "packet" is a [`Flush`](lvs_common::map::Flush).
#[xdp]
#[expect(
    clippy::needless_pass_by_value,
    reason = "the signature of an XDP program"
)]
pub(crate) fn flush(ctx: XdpContext) -> u32 {
    program::flush(&ctx)
}

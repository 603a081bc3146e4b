//! What exists for the BPF target alone.

mod cold;
mod frame;
mod maps;
mod program;

use aya_ebpf::{macros::xdp, programs::XdpContext};

/// Licences of the object, as the kernel wants them named for its helpers.
#[unsafe(no_mangle)]
#[unsafe(link_section = "license")]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

/// The data plane.
#[xdp]
#[expect(
    clippy::needless_pass_by_value,
    reason = "the signature of an XDP program"
)]
pub(crate) fn lvs(ctx: XdpContext) -> u32 {
    program::run(&ctx)
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

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

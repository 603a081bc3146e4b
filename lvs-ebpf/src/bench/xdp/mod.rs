//! What exists for the BPF target alone.

use aya_ebpf::{bindings::xdp_action::XDP_TX, macros::xdp, programs::XdpContext};

/// Licences of the object, as the kernel wants them named for its helpers.
#[unsafe(no_mangle)]
#[unsafe(link_section = "license")]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

/// Sends every frame back: the floor that every figure is compared with.
#[xdp]
pub(crate) fn null_tx(_ctx: XdpContext) -> u32 {
    XDP_TX
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

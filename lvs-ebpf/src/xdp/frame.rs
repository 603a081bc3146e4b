//! The frame, as the walk sees it.

use aya_ebpf::{bindings::xdp_md, helpers::generated::bpf_xdp_adjust_head, programs::XdpContext};
use lvs_ebpf::kernel::Frame;

/// The frame under an XDP program.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub(crate) struct Xdp(*mut xdp_md);

impl Xdp {
    /// What the kernel hands to the program.
    #[inline(always)]
    pub(crate) fn new(ctx: &XdpContext) -> Self {
        Self(ctx.ctx)
    }
}

impl Frame for Xdp {
    #[inline(always)]
    fn start(self) -> *mut u8 {
        // SAFETY: the kernel's context, for as long as the program runs, here and below.
        unsafe { (*self.0).data as usize as *mut u8 }
    }

    #[inline(always)]
    fn end(self) -> *mut u8 {
        // SAFETY: as above.
        unsafe { (*self.0).data_end as usize as *mut u8 }
    }

    #[inline(always)]
    fn ingress(self) -> u32 {
        // SAFETY: as above.
        unsafe { (*self.0).ingress_ifindex }
    }

    #[inline(always)]
    fn grow(self, bytes: i32) -> bool {
        // SAFETY: as above.
        unsafe { bpf_xdp_adjust_head(self.0, -bytes) == 0 }
    }
}

//! The frame, as the walk sees it.

use aya_ebpf::programs::XdpContext;
use lvs_ebpf::kernel::Frame;

/// The frame under an XDP program.
pub(crate) struct Xdp {
    /// What the kernel hands to the program.
    pub(crate) ctx: XdpContext,
}

impl Frame for Xdp {
    #[inline(always)]
    fn start(&self) -> *mut u8 {
        self.ctx.data() as *mut u8
    }

    #[inline(always)]
    fn end(&self) -> *mut u8 {
        self.ctx.data_end() as *mut u8
    }

    #[inline(always)]
    fn ingress(&self) -> u32 {
        self.ctx.ingress_ifindex() as u32
    }
}

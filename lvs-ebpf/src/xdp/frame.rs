//! The frame, as the walk sees it.

use aya_ebpf::{
    bindings::{BPF_FIB_LKUP_RET_SUCCESS, bpf_fib_lookup, xdp_md},
    helpers::generated::{bpf_fib_lookup as lookup, bpf_xdp_adjust_head, bpf_xdp_adjust_tail},
    programs::XdpContext,
};
use lvs_common::{
    Family as Number,
    checksum::Delta,
    flow::Tuple as _,
    map::{Address, GatewayKey, MAX_TAGS},
};
use lvs_ebpf::{atomic::opaque, family::Family, kernel::Frame, slow};

/// Numbers of the address families in the kernel (`include/linux/socket.h`).
const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;

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

/// [`slow::sum()`], which the verifier follows once.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn sum(ctx: *mut xdp_md, offset: u32, bytes: u32) -> u64 {
    slow::sum(Xdp(ctx), offset, bytes).0
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

    /// A subprogram of its own, since it takes stack.
    #[inline(never)]
    fn route<F: Family>(self, client: &Address, service: &Address) -> Option<GatewayKey> {
        let (client, service) = (opaque(client), opaque(service));
        // SAFETY: all of its fields are numbers.
        let mut fib: bpf_fib_lookup = unsafe { core::mem::zeroed() };
        fib.family = match F::Tuple::FAMILY {
            Number::Ipv4 => AF_INET,
            Number::Ipv6 => AF_INET6,
        };
        fib.ifindex = self.ingress();
        fib.__bindgen_anon_3.ipv6_src = service.words;
        fib.__bindgen_anon_4.ipv6_dst = client.words;
        // SAFETY: the kernel's context and a request of that size.
        let found = unsafe {
            lookup(
                self.0.cast(),
                &raw mut fib,
                (size_of::<bpf_fib_lookup>() as u32).cast_signed(),
                0,
            )
        };
        if found != i64::from(BPF_FIB_LKUP_RET_SUCCESS) {
            return None;
        }
        let mac = fib.dmac;
        Some(GatewayKey {
            interface: fib.ifindex,
            mac_head: u32::from_le_bytes([mac[0], mac[1], mac[2], mac[3]]),
            mac_tail: u16::from_le_bytes([mac[4], mac[5]]),
            tags: [0; MAX_TAGS],
            reserved: 0,
        })
    }

    #[inline(always)]
    fn grow(self, bytes: i32) -> bool {
        // SAFETY: as above.
        bytes == 0 || unsafe { bpf_xdp_adjust_head(self.0, -bytes) == 0 }
    }

    #[inline(always)]
    fn sum(self, offset: u32, bytes: u32) -> Delta {
        Delta(sum(self.0, offset, bytes))
    }

    #[inline(always)]
    fn trim(self, bytes: u32) -> bool {
        // SAFETY: as above.
        unsafe { bpf_xdp_adjust_tail(self.0, -bytes.cast_signed()) == 0 }
    }
}

//! The bodies of the programs.

use core::{ffi::c_void, mem::size_of};

use aya_ebpf::{
    Global,
    bindings::xdp_action::{XDP_ABORTED, XDP_DROP, XDP_PASS, XDP_TX},
    helpers::generated::{bpf_jiffies64, bpf_ktime_get_ns, bpf_loop, bpf_redirect},
    macros::map,
    maps::ProgramArray,
    programs::XdpContext,
};
use aya_log_ebpf::debug;
use lvs_common::{
    Reason, Verdict,
    map::{FLUSH_CHUNK, Flush, SLOW, SWEEP_CHUNK, Sweep},
};
use lvs_ebpf::{
    Action,
    decap::decap_only,
    kernel::Tables as _,
    slow::{self, is_slow},
    table, walk,
};

use super::{
    frame::Xdp,
    maps::{Maps, count_reason},
};

/// Walks a packet, counts its reason, and gives the verdict.
#[inline(always)]
pub(crate) fn run(ctx: &XdpContext) -> u32 {
    let frame_len = length(ctx);
    match walk(&Maps, Xdp::new(ctx)) {
        Ok(action) => conclude(ctx, frame_len, action.reason(), Some(action)),
        Err(reason) => {
            if is_slow(reason) {
                go_on(ctx, frame_len, reason);
            }
            conclude(ctx, frame_len, reason, None)
        }
    }
}

/// Programs that go on for this one.
#[map]
static PROGRAMS: ProgramArray = ProgramArray::with_max_entries(1, 0);

/// Has [`slow`] go on, which does not return; where it is not there, this does.
#[inline(always)]
fn go_on(ctx: &XdpContext, frame_len: u64, reason: Reason) {
    let Some(scratch) = Maps.scratch() else {
        return;
    };
    // SAFETY: this CPU's.
    unsafe {
        (*scratch).frame_len = frame_len as u32;
        (*scratch).reason = reason as u32;
    }
    // SAFETY: the map is one of programs.
    unsafe { PROGRAMS.tail_call(ctx, SLOW) };
}

/// Does what there is to do for a packet that [`run`] has no way for, counts its reason, and gives the
/// verdict.
#[inline(always)]
pub(crate) fn slow(ctx: &XdpContext) -> u32 {
    let Some(scratch) = Maps.scratch() else {
        return XDP_ABORTED;
    };
    // SAFETY: this CPU's, and just written.
    let (frame_len, reason) = unsafe { ((*scratch).frame_len, (*scratch).reason) };
    let reason = Reason::from_number(reason).unwrap_or(Reason::Inconsistent);
    let (reason, action) = slow::slow(&Maps, Xdp::new(ctx), reason);
    conclude(ctx, frame_len.into(), reason, action)
}

#[inline(always)]
fn length(ctx: &XdpContext) -> u64 {
    ctx.data_end() as u64 - ctx.data() as u64
}

/// Counts a packet's reason, and gives the verdict.
#[inline(always)]
fn conclude(ctx: &XdpContext, frame_len: u64, reason: Reason, action: Option<Action>) -> u32 {
    count_reason(reason, frame_len);
    if TRACE.load() != 0 {
        log(ctx, frame_len, reason);
    }
    match action {
        Some(Action::Send) => XDP_TX,
        Some(Action::Redirect(interface)) => {
            // SAFETY: the helper has no conditions.
            let verdict = unsafe { bpf_redirect(interface, 0) };
            verdict.cast_unsigned() as u32
        }
        None => verdict_of(reason),
    }
}

/// Takes the packet out of a tunnel that ends here, counts the reason, and gives the verdict.
#[inline(always)]
pub(crate) fn decap(ctx: &XdpContext) -> u32 {
    let frame_len = length(ctx);
    let reason = decap_only(&Maps, Xdp::new(ctx));
    count_reason(reason, frame_len);
    verdict_of(reason)
}

/// Whether every packet is logged, as the loader says: where it is not, the verifier takes the call out.
#[unsafe(no_mangle)]
static TRACE: Global<u8> = Global::new(0);

/// A subprogram of its own, since it takes stack.
#[inline(never)]
fn log(ctx: &XdpContext, frame_len: u64, reason: Reason) {
    debug!(
        ctx,
        "interface {}: {} bytes, {}",
        ctx.ingress_ifindex(),
        frame_len,
        reason.as_str()
    );
}

#[inline(always)]
fn verdict_of(reason: Reason) -> u32 {
    match reason.verdict() {
        Verdict::Pass => XDP_PASS,
        Verdict::Drop => XDP_DROP,
        // A reason for not sending never says to send.
        Verdict::Forward => XDP_ABORTED,
    }
}

/// Sweeps the part of the flow table that the "packet" asks for, and answers in it.
#[inline(always)]
pub(crate) fn sweep(ctx: &XdpContext) -> u32 {
    let request = ctx.data() as *mut Sweep;
    if ctx.data() + size_of::<Sweep>() > ctx.data_end() {
        return XDP_ABORTED;
    }
    // SAFETY: in bounds by the check above. A loop's context must be on the stack.
    let mut sweep = unsafe { *request };
    let count = if sweep.family == 0 {
        0
    } else {
        sweep.count.min(SWEEP_CHUNK)
    };
    // SAFETY: `sweep_one` has the signature of a callback of bpf_loop, and `sweep` outlives the call.
    unsafe {
        bpf_loop(count, sweep_one as *mut c_void, (&raw mut sweep).cast(), 0);
    }
    // SAFETY: the helpers have no conditions.
    unsafe {
        sweep.jiffies = bpf_jiffies64();
        sweep.nanoseconds = bpf_ktime_get_ns();
    }
    // SAFETY: in bounds by the check above.
    unsafe { *request = sweep };
    XDP_PASS
}

extern "C" fn sweep_one(index: u64, context: *mut c_void) -> i64 {
    // SAFETY: the context that `sweep` gave to bpf_loop.
    let sweep = unsafe { &mut *context.cast::<Sweep>() };
    table::sweep(&Maps, sweep, index as u32);
    0
}

/// Ends the flows that the "packet" names, and answers in it.
#[inline(always)]
pub(crate) fn flush(ctx: &XdpContext) -> u32 {
    let request = ctx.data() as *mut Flush;
    if ctx.data() + size_of::<Flush>() > ctx.data_end() {
        return XDP_ABORTED;
    }
    // SAFETY: in bounds by the check above. A loop's context must be on the stack.
    let mut flush = unsafe { *request };
    let count = flush.count.min(FLUSH_CHUNK as u32);
    // SAFETY: `flush_one` has the signature of a callback of bpf_loop, and `flush` outlives the call.
    unsafe {
        bpf_loop(count, flush_one as *mut c_void, (&raw mut flush).cast(), 0);
    }
    // SAFETY: in bounds by the check above.
    unsafe { (*request).ended = flush.ended };
    XDP_PASS
}

extern "C" fn flush_one(index: u64, context: *mut c_void) -> i64 {
    // SAFETY: the context that `flush` gave to bpf_loop.
    let flush = unsafe { &mut *context.cast::<Flush>() };
    table::flush(&Maps, flush, index as u32);
    0
}

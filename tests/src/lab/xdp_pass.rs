//! The smallest XDP program, `return XDP_PASS`, for the far end of the balancer's cable.
//!
//! veth hands a frame sent by `XDP_TX` to its peer only if the peer has an XDP program too. Written against
//! bpf(2) itself: two instructions need no loader.

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};

use anyhow::{Context as _, Result};
use nix::net::if_::if_nametoindex;

use super::namespace::Namespace;

const BPF_PROG_LOAD: libc::c_int = 5;
const BPF_LINK_CREATE: libc::c_int = 28;
const BPF_PROG_TYPE_XDP: u32 = 6;
const BPF_XDP: u32 = 37;
const XDP_PASS: i32 = 2;
const XDP_FLAGS_DRV_MODE: u32 = 1 << 2;
const LICENSE: &CStr = c"Dual MIT/GPL";

/// One instruction, `struct bpf_insn` without its two register fields, which are 0 here.
#[repr(C)]
struct Instruction {
    code: u8,
    registers: u8,
    offset: i16,
    immediate: i32,
}

/// `r0 = XDP_PASS; exit`
const PROGRAM: [Instruction; 2] = [
    Instruction {
        code: 0xb7,
        registers: 0,
        offset: 0,
        immediate: XDP_PASS,
    },
    Instruction {
        code: 0x95,
        registers: 0,
        offset: 0,
        immediate: 0,
    },
];

/// The first members of `union bpf_attr` for `BPF_PROG_LOAD`; the kernel takes the rest as zero.
#[repr(C)]
struct ProgLoad {
    prog_type: u32,
    insn_cnt: u32,
    insns: u64,
    license: u64,
}

/// The first members of `union bpf_attr` for `BPF_LINK_CREATE`.
#[repr(C)]
struct LinkCreate {
    prog_fd: u32,
    target_ifindex: u32,
    attach_type: u32,
    flags: u32,
}

/// Keeps the program attached.
#[derive(Debug)]
pub(super) struct XdpPass {
    _link: OwnedFd,
}

impl XdpPass {
    /// Attaches the program to an interface, in the driver (not generic) mode that `XDP_TX` needs.
    pub(super) fn attach(namespace: &Namespace, device: &str) -> Result<Self> {
        let load = ProgLoad {
            prog_type: BPF_PROG_TYPE_XDP,
            insn_cnt: PROGRAM.len() as u32,
            insns: PROGRAM.as_ptr() as u64,
            license: LICENSE.as_ptr() as u64,
        };
        // SAFETY: the attribute is BPF_PROG_LOAD's, and both its pointers are to constants.
        let program = unsafe { bpf(BPF_PROG_LOAD, &load) }.context(
            "the kernel refused a two-instruction XDP program; is BPF locked down here?",
        )?;
        let link = namespace.run(|| {
            let create = LinkCreate {
                prog_fd: program.as_raw_fd().cast_unsigned(),
                target_ifindex: if_nametoindex(device)
                    .with_context(|| format!("no interface {device} in the lab"))?,
                attach_type: BPF_XDP,
                flags: XDP_FLAGS_DRV_MODE,
            };
            // SAFETY: the attribute is BPF_LINK_CREATE's and holds no pointer.
            unsafe { bpf(BPF_LINK_CREATE, &create) }
                .with_context(|| format!("could not attach XDP_PASS to {device}"))
        })?;
        Ok(Self { _link: link })
    }
}

/// bpf(2), for the commands that return a file descriptor.
///
/// # Safety
/// `attributes` has to be laid out as the beginning of what `command` reads, and its pointers have to be good.
unsafe fn bpf<T>(command: libc::c_int, attributes: &T) -> io::Result<OwnedFd> {
    // SAFETY: pointer and size describe `attributes`, which the caller vouches for; these commands only read it.
    let fd = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            command,
            std::ptr::from_ref(attributes),
            size_of::<T>(),
        )
    };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just made this descriptor for us alone.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as libc::c_int) })
}

//! Telling which packet made the walk touch memory outside the frame, before the process ends by it.

use std::{
    io,
    ptr::{self, null_mut},
    sync::atomic::{AtomicPtr, AtomicU64, AtomicUsize, Ordering::Relaxed},
};

static SEED: AtomicU64 = AtomicU64::new(0);
static PACKET: AtomicPtr<u8> = AtomicPtr::new(null_mut());
static LEN: AtomicUsize = AtomicUsize::new(0);

/// Notes what is being walked from now on. `packet` must stay where it is until the next call.
pub(super) fn note(seed: u64, packet: &[u8]) {
    SEED.store(seed, Relaxed);
    LEN.store(packet.len(), Relaxed);
    PACKET.store(packet.as_ptr().cast_mut(), Relaxed);
}

/// Makes a fault of memory print the seed and the packet, and end the process with exit code 1.
pub fn report_faults() -> io::Result<()> {
    for signal in [libc::SIGSEGV, libc::SIGBUS] {
        let handler: extern "C" fn(libc::c_int) = on_fault;
        // SAFETY: an action of zeros is one without flags and mask; the handler does nothing but
        // read atomics, write to standard error and end the process.
        let result = unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = handler as libc::sighandler_t;
            libc::sigaction(signal, &raw const action, null_mut())
        };
        if result != 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

fn print(text: &[u8]) {
    // SAFETY: `write` may be called in a handler, and the text is there.
    unsafe { libc::write(libc::STDERR_FILENO, text.as_ptr().cast(), text.len()) };
}

extern "C" fn on_fault(_signal: libc::c_int) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    print(b"\nfailure: memory outside the frame was touched\nseed:    ");
    let mut digits = [0; 20];
    let mut seed = SEED.load(Relaxed);
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = DIGITS[(seed % 10) as usize];
        seed /= 10;
        if seed == 0 {
            break;
        }
    }
    print(&digits[at..]);
    print(b"\npacket:  ");
    let packet = PACKET.load(Relaxed);
    if !packet.is_null() {
        // SAFETY: who noted it keeps it there while it is walked.
        let packet = unsafe { &*ptr::slice_from_raw_parts(packet, LEN.load(Relaxed)) };
        for byte in packet {
            print(&[
                DIGITS[usize::from(byte >> 4)],
                DIGITS[usize::from(byte & 0xf)],
            ]);
        }
    }
    print(b"\n");
    // SAFETY: may be called in a handler.
    unsafe { libc::_exit(1) };
}

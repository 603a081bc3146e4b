//! Giving an ICMP error about a translated packet back the addresses and ports that its sender knows.

use lvs_common::{Reason, checksum::Delta, flow::Tuple as _, map::NextHop};

use super::icmp::{self, Icmp};
use crate::{
    atomic::bounded,
    forward::{Outcome, write_link},
    kernel::Frame,
    packet::Shape,
    parse::{read, start, write},
};

/// What is quoted, in one word: a BPF subprogram takes five.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub(super) struct Quoted(u32);

const BY_SERVICE: u32 = 1 << 8;

impl Quoted {
    /// With an IP header of so many bytes.
    #[inline(always)]
    pub(super) const fn new(header: u32) -> Self {
        Self(header & 0xff)
    }

    /// And the error shall come from where the quoted packet goes: the client knows nothing behind the
    /// service (kernel: `ip_vs_nat_icmp`).
    #[inline(always)]
    pub(super) const fn by_service(self) -> Self {
        Self(self.0 | BY_SERVICE)
    }

    #[inline(always)]
    const fn header(self) -> u64 {
        (self.0 & 0xff) as u64
    }

    #[inline(always)]
    const fn is_by_service(self) -> bool {
        self.0 & BY_SERVICE != 0
    }
}

/// Makes the quoted packet one of the tuple `to`, and sends the error to who sent it: inner and outer
/// header, the checksums of both and of the message follow. The checksum in what is quoted of the
/// transport header stays (kernel: `ip_vs_nat_icmp`). One for this machine itself is left to the host.
#[inline(never)]
pub(super) fn requote<F: Icmp, X: Frame>(
    frame: X,
    shape: Shape,
    quoted: Quoted,
    to: &F::Tuple,
    next_hop: &NextHop,
) -> Outcome {
    let is_local = next_hop.is_local();
    let link = if is_local {
        shape.link()
    } else {
        next_hop.link_len()
    };
    let grow = link.cast_signed() - shape.link().cast_signed();
    if !frame.grow(grow) {
        return Outcome::refused(Reason::NoRoom);
    }
    let Ok(start) = start(frame) else {
        return Outcome::refused(Reason::Inconsistent);
    };
    let network = start.wrapping_add(bounded::<31>(u64::from(link)) as usize);
    let message = network.wrapping_add(bounded::<63>(u64::from(shape.network())) as usize);
    let inner = message.wrapping_add(icmp::HEADER);
    let ports = inner.wrapping_add(bounded::<63>(quoted.header()) as usize);
    let reaches = |field: *mut u8, len: usize| field.wrapping_add(len) <= frame.end();
    // The verifier wants to see once more that all this is there.
    if !reaches(network, F::HEADER) || !reaches(inner, F::HEADER) || !reaches(ports, 4) {
        return Outcome::refused(Reason::Inconsistent);
    }
    let words = to.words();
    let (last, addresses) = (words[words.len() - 1], &words[..words.len() - 1]);
    let mut readdressed = Delta::NONE;
    for (i, new) in addresses.iter().enumerate() {
        let at = F::ADDRESSES + 8 * i;
        // SAFETY: checked just above, here and below.
        unsafe {
            readdressed = readdressed.replace(read(inner, at), *new);
            write(inner, at, *new);
        }
    }
    let new_ports = last as u32;
    // SAFETY: as above.
    let old_ports: u32 = unsafe {
        F::follow(inner, readdressed);
        let old = read(ports, 0);
        write(ports, 0, new_ports);
        old
    };
    let (client, service) = F::addresses(to);
    // SAFETY: as above.
    let outer = unsafe {
        let mut outer = F::set_destination(network, &client);
        if quoted.is_by_service() {
            outer = outer.and(F::set_source(network, &service));
        }
        if is_local {
            F::follow(network, outer);
        } else {
            F::take_hop(network, outer);
            write_link(start, next_hop, F::ETHER_TYPE);
        }
        outer
    };
    let covered = F::covered(readdressed, outer).replace(old_ports.into(), new_ports.into());
    // SAFETY: as above.
    unsafe {
        let sum: u16 = read(message, icmp::CHECKSUM);
        write(message, icmp::CHECKSUM, covered.apply(sum));
    }
    if is_local {
        Outcome::refused(Reason::Local)
    } else {
        Outcome::sent(next_hop)
    }
}

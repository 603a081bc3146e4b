//! Taking packets out of tunnels that end here: balancers nest, and a backend may have no tunnel device.

use lvs_common::{
    Reason, ecn,
    flow::Tuple as _,
    map::{Endpoint, TunnelSource},
};

use crate::{
    family::{Family, V4, V6},
    forward::put_link,
    guard::guard,
    kernel::{Frame, Tables},
    packet::Link,
    parse::{Cursor, behind_link, ethernet, read, start},
};

/// The Ethernet header of a frame after a tunnel's packet was taken out of it, in one word: a BPF
/// subprogram returns no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
struct Stripped(u64);

/// Of the word of [`Link::to_bits`], if there is a reason in its high half instead.
const REFUSED: u64 = 1 << 8;

impl Stripped {
    /// What is in the frame now: a [`Link::to_bits`], which is another than before if it was a tunnel.
    ///
    /// # Errors
    /// [`Reason::TunnelSource`], [`Reason::TunnelCongested`], [`Reason::Truncated`], [`Reason::BadHeader`]; the frame
    /// is untouched then.
    #[inline(always)]
    fn link(self) -> Result<u64, Reason> {
        if self.0 & REFUSED == 0 {
            Ok(self.0)
        } else {
            Err(Reason::from_number((self.0 >> 32) as u32).unwrap_or(Reason::Inconsistent))
        }
    }
}

/// The step alone, for the host to take the packet: what became of the frame.
#[inline(always)]
pub fn decap_only<K: Tables, X: Frame>(tables: &K, frame: X) -> Reason {
    let stripped = || {
        let link = ethernet(&mut Cursor::new(frame.start(), frame.end()))?;
        guard(tables, frame, &link)?;
        // What was taken out is shorter.
        let before = frame.start();
        decap(tables, frame, &link)?;
        Ok(frame.start() != before)
    };
    match stripped() {
        Ok(true) => Reason::Decapsulated,
        Ok(false) => Reason::NoTunnel,
        Err(reason) => reason,
    }
}

/// Takes the packet out of a tunnel, if the frame is one that ends here; yields the [`Link::to_bits`]
/// of what is in the frame then.
#[inline(always)]
pub(crate) fn decap<K: Tables, X: Frame>(tables: &K, frame: X, link: &Link) -> Result<u64, Reason> {
    let bits = link.to_bits();
    match link.ether_type {
        V4::ETHER_TYPE => strip::<V4, K, X>(tables, frame, bits).link(),
        V6::ETHER_TYPE => strip::<V6, K, X>(tables, frame, bits).link(),
        _ => Ok(bits),
    }
}

/// A subprogram of its own, beside those of the walk: the verifier follows what comes after once.
#[inline(never)]
fn strip<O: Family, K: Tables, X: Frame>(tables: &K, frame: X, link: u64) -> Stripped {
    match try_strip::<O, K, X>(tables, frame, link) {
        Ok(link) => Stripped(link),
        Err(reason) => Stripped(REFUSED | (reason as u64) << 32),
    }
}

#[inline(always)]
fn try_strip<O: Family, K: Tables, X: Frame>(
    tables: &K,
    frame: X,
    link: u64,
) -> Result<u64, Reason> {
    let (mut cursor, outer) = behind_link(frame, link)?;
    // What is wrong with it, the walk says.
    let Ok((network, source, destination)) = O::network(&mut cursor) else {
        return Ok(link);
    };
    let family = O::Tuple::FAMILY as u32;
    let is_tunnel = network.protocol == V4::PROTOCOL || network.protocol == V6::PROTOCOL;
    let endpoint = Endpoint {
        address: destination,
        family,
    };
    if !is_tunnel || !tables.is_endpoint(&endpoint) {
        return Ok(link);
    }
    if !tables.may_tunnel(&TunnelSource {
        family,
        address: source,
    }) {
        return Err(Reason::TunnelSource);
    }
    // SAFETY: the header was checked when it was read.
    let class = unsafe { O::class(network.header) };
    let header = network.header_len();
    if network.protocol == V4::PROTOCOL {
        take_out::<V4, X>(frame, &cursor, outer, class, header, network.payload)
    } else {
        take_out::<V6, X>(frame, &cursor, outer, class, header, network.payload)
    }
}

/// Moves the Ethernet header to the packet of family `I` behind an outer header of so many bytes.
#[inline(always)]
fn take_out<I: Family, X: Frame>(
    frame: X,
    cursor: &Cursor,
    outer: Link,
    class: u8,
    header: u32,
    payload: u32,
) -> Result<u64, Reason> {
    let inner = if I::PROTOCOL == V4::PROTOCOL {
        cursor.peek::<{ V4::HEADER }>()?
    } else {
        cursor.peek::<{ V6::HEADER }>()?
    };
    if (payload as usize) < I::HEADER {
        return Err(Reason::Truncated);
    }
    // SAFETY: checked just above, here and below.
    let (version, inner_class) = unsafe { (read::<u8>(inner, 0), I::class(inner)) };
    if version >> 4 != I::Tuple::FAMILY as u8 {
        return Err(Reason::BadHeader);
    }
    let told = ecn::decapsulated(class, inner_class).ok_or(Reason::TunnelCongested)?;
    let copy = outer.read_header();
    if told != inner_class {
        // SAFETY: as above.
        unsafe { I::set_class(inner, told) };
    }
    if !frame.grow(-header.cast_signed()) {
        return Err(Reason::NoRoom);
    }
    let start = start(frame)?;
    // SAFETY: there are as many bytes by the check above.
    unsafe { put_link(start, &copy, outer.len, I::ETHER_TYPE) };
    Ok(Link {
        header: start,
        ether_type: I::ETHER_TYPE,
        ..outer
    }
    .to_bits())
}

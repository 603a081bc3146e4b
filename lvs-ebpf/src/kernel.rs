//! What the walk needs from the kernel, as two small traits: the XDP program implements them with
//! maps and its context, host tests with memory of their own.

use lvs_common::{
    checksum::Delta,
    flow::{Link, Places, Slot, Tuple6, Word},
    map::{
        Address, Backend, Endpoint, FlowEvent, GatewayKey, Interface, NextHop, RingChunk, Service,
        ServiceKey, Settings, Timeouts, TunnelSource,
    },
};

use crate::{
    family::Family,
    forward::Outcome,
    nat::{self, Opening},
    packet::Shape,
    slow::{self, Message},
    table::{self, Claim, pair::Joined},
};

/// What one step of the walk leaves for a later one.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Scratch {
    /// The tuple of the packet, of its family.
    pub packet: Tuple6,
    /// The tuple of the answers to it, of theirs.
    pub reply: Tuple6,
    /// Where the entry of an answer was found, its word then, and the shape of the frame.
    pub answer: (Slot, Word, Shape),
    /// Bytes of the frame as it came.
    pub frame_len: u32,
    /// Why the walk ended, as [`Reason`](lvs_common::Reason) number.
    pub reason: u32,
    /// The longest packet that could have been sent, of one that was too big.
    pub mtu: u32,
    /// What the sender of a packet is told, and the [`Link::to_bits`](crate::packet::Link::to_bits) before it.
    pub notice: (Message, u64),
    /// Id of the backend whose answer is refused, 0: it is a client's packet that is.
    pub answerer: u32,
}

/// The maps and the clock.
///
/// Pointers are to entries that stay where they are for as long as the program runs; words behind
/// them are read and changed only through [`crate::atomic`].
pub trait Tables {
    /// The settings; `None` only before the director has loaded the maps.
    fn settings(&self) -> Option<&Settings>;
    /// An entry of TIMEOUTS.
    fn timeouts(&self, number: u32) -> Option<&Timeouts>;
    /// Room of this CPU's own, since the stack is short.
    fn scratch(&self) -> Option<*mut Scratch>;
    /// Now, in ticks.
    fn now(&self) -> u32;
    /// The entry of INTERFACES for this interface index.
    fn interface(&self, index: u32) -> Option<&Interface>;
    /// First word of a half bucket of IPv4 flows.
    fn half4(&self, half: u32) -> Option<*mut u64>;
    /// First word of a half bucket of IPv6 flows.
    fn half6(&self, half: u32) -> Option<*mut u64>;
    /// Id of the service with exactly this key.
    fn service_id(&self, key: &ServiceKey) -> Option<u32>;
    /// A service by its id.
    fn service(&self, id: u32) -> Option<*const Service>;
    /// An entry of RINGS.
    fn ring(&self, chunk: u32) -> Option<&RingChunk>;
    /// The word that counts a service's turns.
    fn cursor(&self, service: u32) -> Option<*mut u64>;
    /// A backend by its id.
    fn backend(&self, id: u32) -> Option<*const Backend>;
    /// The word that counts a backend's flows.
    fn load(&self, backend: u32) -> Option<*mut u64>;
    /// A next hop by its id.
    fn next_hop(&self, id: u32) -> Option<&NextHop>;
    /// The next hop back to a gateway, by the gateway's id.
    fn gateway(&self, id: u32) -> Option<&NextHop>;
    /// The id of a gateway behind this interface, which is given one if it has none; `None` if there are no
    /// more.
    fn gateway_id(&self, key: &GatewayKey, by: &Interface) -> Option<u32>;
    /// A local address of FULLNAT.
    fn local(&self, number: u32) -> Option<&Address>;
    /// The cursor on a backend's local addresses and ports, or on the identifications of its tunnels.
    fn backend_cursor(&self, backend: u32) -> Option<*mut u64>;
    /// Whether tunnels end at this address.
    fn is_endpoint(&self, endpoint: &Endpoint) -> bool;
    /// Whether tunnels may come from this address.
    fn may_tunnel(&self, source: &TunnelSource) -> bool;
    /// Counts a client's packet of that many bytes for a service and its backend.
    fn count_packet(&self, service: u32, backend: u32, bytes: u64);
    /// Counts a backend's packet of that many bytes.
    fn count_answer(&self, service: u32, backend: u32, bytes: u64);
    /// Counts a new flow for a service and its backend.
    fn count_connection(&self, service: u32, backend: u32);
    /// Counts an event of the flow table.
    fn count_event(&self, event: FlowEvent);
    /// The word of one of this CPU's token buckets of notices.
    fn bucket(&self, number: u32) -> Option<*mut u64>;
    /// Counts a notice, by its [`Notice`](lvs_common::map::Notice) number.
    fn count_notice(&self, number: u32);

    /// [`table::try_claim()`]. The XDP program has this and all that follow as global functions, which the
    /// verifier follows once, and not along every path that leads to them.
    #[inline(always)]
    fn try_claim<F: Family>(&self, places: &Places, now: u32) -> Claim
    where
        Self: Sized,
    {
        table::try_claim::<F, Self>(self, places, now)
    }

    /// [`table::settle()`].
    #[inline(always)]
    fn settle<F: Family>(&self, places: &Places, claim: Claim, own: Word, now: u32) -> Word
    where
        Self: Sized,
    {
        table::settle::<F, Self>(self, places, claim, own, now)
    }

    /// [`nat::keep()`].
    #[inline(always)]
    fn keep<F: Family, R: Family>(&self, opening: Opening, now: u32) -> Outcome
    where
        Self: Sized,
    {
        nat::keep::<F, R, Self>(self, opening, now)
    }

    /// [`table::pair::join()`].
    #[inline(always)]
    fn join<F: Family>(&self, owner: Link, word: Word, now: u32) -> Joined
    where
        Self: Sized,
    {
        table::pair::join::<F, Self>(self, owner, word, now)
    }

    /// [`table::pair::rival()`].
    #[inline(always)]
    fn rival<F: Family>(&self, places: &Places, but: u32) -> u32
    where
        Self: Sized,
    {
        table::pair::rival::<F, Self>(self, places, but)
    }

    /// [`table::retire()`].
    #[inline(always)]
    fn retire(&self, slot: Slot, flow: Word) -> bool
    where
        Self: Sized,
    {
        table::retire(self, slot, flow)
    }

    /// [`table::end()`].
    #[inline(always)]
    fn end(&self, link: Link, back: Link)
    where
        Self: Sized,
    {
        table::end(self, link, back);
    }

    /// [`table::pair::mirror()`].
    #[inline(always)]
    fn mirror(&self, slot: Slot, flow: Word)
    where
        Self: Sized,
    {
        table::pair::mirror(self, slot, flow);
    }
}

/// The frame under the program: a handle, as small as a pointer.
pub trait Frame: Copy {
    /// Its first byte.
    fn start(self) -> *mut u8;
    /// The byte after its last.
    fn end(self) -> *mut u8;
    /// Index of the interface it came by.
    fn ingress(self) -> u32;
    /// The way that the host would send a packet of `service` to `client`; `None` if it would not, or does not
    /// know the MAC address on the way.
    fn route<F: Family>(self, client: &Address, service: &Address) -> Option<GatewayKey>;
    /// Its bytes.
    #[inline(always)]
    fn size(self) -> u32 {
        (self.end() as usize).wrapping_sub(self.start() as usize) as u32
    }
    /// Has it begin so many bytes earlier, or later if they are less than none; whether there is room.
    /// Addresses of its bytes are no longer valid then.
    #[must_use]
    fn grow(self, bytes: i32) -> bool;
    /// Has it end so many bytes earlier; whether it has as many. Addresses of its bytes are no longer valid then.
    #[must_use]
    fn trim(self, bytes: u32) -> bool;
    /// Has it be so many bytes long; whether it had as many. As for [`Frame::trim`].
    #[inline(always)]
    #[must_use]
    fn cut(self, len: u32) -> bool {
        let rest = self.size().wrapping_sub(len);
        rest == 0 || self.trim(rest)
    }
    /// [`slow::sum()`]. The XDP program has this as a global function, see [`Tables::try_claim`].
    #[inline(always)]
    fn sum(self, offset: u32, bytes: u32) -> Delta {
        slow::sum(self, offset, bytes)
    }
}

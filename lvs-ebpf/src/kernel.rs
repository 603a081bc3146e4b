//! What the walk needs from the kernel, as two small traits: the XDP program implements them with
//! maps and its context, host tests with memory of their own.

use lvs_common::{
    flow::{Link, Places, Slot, Word},
    map::{
        Backend, FlowEvent, Interface, NextHop, RingChunk, Service, ServiceKey, Settings, Timeouts,
    },
};

use crate::{
    family::Family,
    table::{self, Claim, Score},
};

/// The maps and the clock.
///
/// Pointers are to entries that stay where they are for as long as the program runs; words behind
/// them are read and changed only through [`crate::atomic`].
pub trait Tables {
    /// The settings; `None` only before the director has loaded the maps.
    fn settings(&self) -> Option<&Settings>;
    /// An entry of TIMEOUTS.
    fn timeouts(&self, number: u32) -> Option<&Timeouts>;
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
    /// Counts a packet of that many bytes for a service and its backend.
    fn count_packet(&self, service: u32, backend: u32, bytes: u64);
    /// Counts a new flow for a service and its backend.
    fn count_connection(&self, service: u32, backend: u32);
    /// Counts an event of the flow table.
    fn count_event(&self, event: FlowEvent);

    /// [`table::choose()`]. The XDP program has this and all that follow as global functions, which the
    /// verifier follows once, and not along every path that leads to them.
    #[inline(always)]
    fn choose<F: Family>(&self, places: &Places, now: u32) -> Score
    where
        Self: Sized,
    {
        table::choose::<F, Self>(self, places, now)
    }

    /// [`table::claim()`].
    #[inline(always)]
    fn claim<F: Family>(&self, places: &Places, now: u32) -> Claim
    where
        Self: Sized,
    {
        table::claim::<F, Self>(self, places, now)
    }

    /// [`table::settle()`].
    #[inline(always)]
    fn settle<F: Family>(&self, places: &Places, claim: Claim, own: Word, now: u32) -> Word
    where
        Self: Sized,
    {
        table::settle::<F, Self>(self, places, claim, own, now)
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

/// The frame under the program.
pub trait Frame {
    /// Its first byte.
    fn start(&self) -> *mut u8;
    /// The byte after its last.
    fn end(&self) -> *mut u8;
    /// Index of the interface it came by.
    fn ingress(&self) -> u32;
}

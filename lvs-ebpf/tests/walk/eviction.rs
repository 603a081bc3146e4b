//! Who goes when the places of a new flow are full. In a table of four halves every tuple may be in
//! all sixteen entries.

use lvs_common::{
    flow::{Class, Word},
    map::FlowEvent,
    tcp::{SYN, State},
};
use lvs_ebpf::{
    atomic,
    family::{V4, V6},
    host::{AnyTuple, Memory},
    kernel::Tables as _,
    table::{Hit, find},
};

use crate::farm::{Site, assert_sound, enter, flow, interfaces, only, send, with_sites};

/// Entries of the table.
const ENTRIES: u16 = 16;
/// A new client, beside those that fill the table.
const NEW: u16 = 1000;

fn tiny() -> Memory {
    with_sites(interfaces().halves(4), 1).build()
}

const fn tcp(site: Site, state: State, deadline: u32) -> Word {
    Word::open(only(site), Word::of_tcp(state as u8), deadline)
}

/// A flow of this class, or one that will be; the number varies how it came to it.
fn of_class(site: Site, class: Class, number: u16, deadline: u32) -> Word {
    let again = |word: Word| word.advanced(word.state(), deadline);
    let established = tcp(site, State::Established, deadline);
    match class {
        Class::Free => Word::FREE,
        Class::Closing => match number % 3 {
            0 => tcp(site, State::FinWait, deadline),
            1 => tcp(site, State::TimeWait, deadline),
            _ => tcp(site, State::CloseWait, deadline),
        },
        Class::HalfOpen => tcp(site, State::SynRecv, deadline),
        Class::Young => again(established),
        Class::Expired | Class::Proven => again(again(established)),
    }
}

const fn event(class: Class) -> FlowEvent {
    match class {
        Class::Free | Class::Expired => FlowEvent::Expired,
        Class::Closing => FlowEvent::EvictedClosing,
        Class::HalfOpen => FlowEvent::EvictedHalfOpen,
        Class::Young => FlowEvent::EvictedYoung,
        Class::Proven => FlowEvent::EvictedProven,
    }
}

/// Clients whose flows are in the table, expired or not.
fn clients(memory: &Memory, site: Site) -> Vec<u16> {
    let flows = memory.flows();
    (0..ENTRIES)
        .filter(|client| flows.iter().any(|flow| flow.tuple == site.tuple(*client)))
        .collect()
}

/// Fills the table with flows of these classes in turn; yields the class of each client's flow.
///
/// All are entered at one time, so that none takes another's place, and would expire a tick apart.
fn fill(memory: &Memory, site: Site, classes: &[Class]) -> Vec<Class> {
    let all: Vec<Class> = (0..usize::from(ENTRIES))
        .map(|client| classes[client % classes.len()])
        .collect();
    for (client, class) in (0..).zip(&all) {
        let word = of_class(site, *class, client, memory.now());
        enter(memory, site, client, word);
    }
    let entries: Vec<*mut u64> = (0..ENTRIES)
        .map(|client| entry(memory, site, client).entry)
        .collect();
    memory.pass(1);
    for (client, (entry, class)) in (0..).zip(entries.iter().zip(&all)) {
        if *class != Class::Expired {
            // SAFETY: an entry of the table.
            unsafe { atomic::store_low(*entry, memory.now() + client) };
        }
    }
    assert_eq!(
        clients(memory, site).len(),
        usize::from(ENTRIES),
        "it is full"
    );
    all
}

/// The entry of a flow that is in the table.
fn entry(memory: &Memory, site: Site, client: u16) -> Hit {
    let settings = memory.settings().unwrap();
    match site.tuple(client) {
        AnyTuple::V4(tuple) => find::<V4, _>(memory, settings, &tuple, memory.now()),
        AnyTuple::V6(tuple) => find::<V6, _>(memory, settings, &tuple, memory.now()),
    }
    .expect("the flow is in the table")
}

/// A new flow takes the place of one of the class that goes first among those that are there.
fn goes_first(site: Site, classes: &[Class], expected: Class) {
    let memory = tiny();
    let all = fill(&memory, site, classes);
    send(&memory, &site.packet(NEW, SYN));
    flow(&memory, site, NEW);

    let left = clients(&memory, site);
    let gone: Vec<u16> = (0..ENTRIES)
        .filter(|client| !left.contains(client))
        .collect();
    assert_eq!(gone.len(), 1, "{classes:?}");
    assert_eq!(all[usize::from(gone[0])], expected, "{classes:?}");
    if expected != Class::Expired {
        // Of its class the one that would be the first to expire.
        let first = all.iter().position(|class| *class == expected).unwrap();
        assert_eq!(gone[0], first as u16, "{classes:?}");
    }
    for each in FlowEvent::ALL {
        assert_eq!(
            memory.event(each),
            u64::from(each == event(expected)),
            "{each:?}"
        );
    }
    assert_sound(&memory);
}

#[test]
fn classes_go_in_order() {
    for site in [Site::Web, Site::Web6] {
        for first in 0..Class::LIVE.len() {
            let rest = &Class::LIVE[first..];
            goes_first(site, rest, rest[0]);
            goes_first(site, &rest[..1], rest[0]);
            for other in &rest[1..] {
                goes_first(site, &[*other, rest[0]], rest[0]);
                goes_first(
                    site,
                    &[*other, *other, *other, *other, *other, rest[0]],
                    rest[0],
                );
            }
        }
    }
}

#[test]
fn a_datagram_is_half_open_two_are_young_and_three_proven() {
    for (packets, expected) in [
        (1, FlowEvent::EvictedHalfOpen),
        (2, FlowEvent::EvictedYoung),
        (3, FlowEvent::EvictedProven),
    ] {
        let memory = tiny();
        for client in 0..ENTRIES {
            for _ in 0..packets {
                send(&memory, &Site::Dns.packet(client, 0));
            }
        }
        send(&memory, &Site::Dns.packet(NEW, 0));
        assert_eq!(memory.event(expected), 1, "{packets} packets");
        assert_eq!(memory.flows().len(), usize::from(ENTRIES));
        assert_sound(&memory);
    }
}

#[test]
fn a_free_entry_is_taken_before_any_flow() {
    for site in Site::ALL {
        let memory = tiny();
        for client in 0..ENTRIES {
            send(&memory, &site.packet(client, SYN));
            assert_eq!(memory.flows().len(), usize::from(client) + 1);
        }
        for each in FlowEvent::ALL {
            assert_eq!(memory.event(each), 0, "{each:?}");
        }
    }
}

/// What a flood of forged SYNs can do: nothing to connections that have shown to be some.
#[test]
fn a_flood_of_syns_evicts_no_proven_flow() {
    let memory = with_sites(interfaces().halves(64), 1).build();
    for client in 0..64 {
        for flags in [SYN, 0x10, 0x10] {
            send(&memory, &Site::Web.packet(client, flags));
        }
        memory.pass(1);
    }
    for client in 100..4000 {
        send(&memory, &Site::Web.packet(client, SYN));
    }
    for client in 0..64 {
        flow(&memory, Site::Web, client);
    }
    assert_eq!(memory.event(FlowEvent::EvictedProven), 0);
    assert_eq!(memory.event(FlowEvent::EvictedYoung), 0);
    assert!(memory.event(FlowEvent::EvictedHalfOpen) > 3000);
    assert_sound(&memory);
}

/// Of two hundred handshakes, how many are still there after 64 packets of a flood on this service, in a
/// table of 256 entries that the flood has filled; a tick takes so many packets.
fn handshakes_left(flood: Site, tick: usize) -> usize {
    const HANDSHAKES: u16 = 200;
    const GAP: usize = 64;
    let memory = with_sites(interfaces().halves(64), 1).build();
    let mut forged = (1_000..15_000_u16).cycle().enumerate();
    let mut send_forged = |packets| {
        for (number, client) in forged.by_ref().take(packets) {
            send(&memory, &flood.packet(client, SYN));
            memory.pass(u32::from(number % tick == 0));
        }
    };
    send_forged(2_000);
    let left = (0..HANDSHAKES).filter(|client| {
        send(&memory, &Site::Web.packet(*client, SYN));
        send_forged(GAP);
        memory.flow(&Site::Web.tuple(*client)).is_some()
    });
    let left = left.count();
    assert_eq!(memory.event(FlowEvent::EvictedYoung), 0);
    left
}

/// Whatever is forged, its own packets are older.
#[test]
fn a_flood_evicts_itself_before_a_handshake() {
    for flood in [Site::Web, Site::Dns] {
        let left = handshakes_left(flood, 8);
        assert!(left >= 198, "{flood:?}: {left} of 200");
    }
}

/// Nothing is older within a tick. Picking at random leaves e^(-64/256) of them: 156. Were the victim
/// always the one that lies last, the newest would go, and 74 be left.
#[test]
fn a_handshake_has_an_even_chance_within_a_tick() {
    for flood in [Site::Web, Site::Dns] {
        let left = handshakes_left(flood, usize::MAX);
        assert!((130..180).contains(&left), "{flood:?}: {left} of 200");
    }
}

/// Entries that other CPUs are writing are nobody's victims; the packet goes on without one.
#[test]
fn a_flow_that_finds_no_place_is_forwarded_all_the_same() {
    let memory = tiny();
    fill(&memory, Site::Web, &[Class::Proven]);
    for client in 0..ENTRIES {
        // As a CPU does that is about to write it.
        let hit = entry(&memory, Site::Web, client);
        // SAFETY: a hit is an entry of the table.
        assert!(unsafe { atomic::replace(hit.entry, hit.word.0, hit.word.claimed().0) });
    }
    let connections = memory.service_counters(0).connections;
    send(&memory, &Site::Web.packet(NEW, SYN));
    assert_eq!(memory.event(FlowEvent::NotKept), 1);
    assert_eq!(memory.service_counters(0).connections, connections + 1);
    assert_eq!(memory.load_of(only(Site::Web)).active, u32::from(ENTRIES));
    assert!(memory.flows().is_empty());
}

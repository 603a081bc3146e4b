//! The clients whose flows come and go: neighbours with a few ports each, and such from anywhere.

use lvs_common::flow::{Keys, Places, Tuple4, Tuple6};
use rand::{Rng as _, SeedableRng as _, rngs::SmallRng};

/// Flows of clients of one kind, numbered.
pub(super) struct Clients {
    /// Family and kind.
    pub(super) name: &'static str,
    /// Where the flow with this number may be, by the keys and the mask of the table.
    pub(super) places: fn(u64, &Keys, u32) -> Places,
}

/// All kinds.
pub(super) const CLIENTS: [Clients; 4] = [
    Clients {
        name: "ipv4 neighbours",
        places: |number, keys, mask| Places::of(&neighbour4(number), keys, mask),
    },
    Clients {
        name: "ipv4 random",
        places: |number, keys, mask| Places::of(&random4(number), keys, mask),
    },
    Clients {
        name: "ipv6 neighbours",
        places: |number, keys, mask| Places::of(&neighbour6(number), keys, mask),
    },
    Clients {
        name: "ipv6 random",
        places: |number, keys, mask| Places::of(&random6(number), keys, mask),
    },
];

/// Ports that a neighbour uses before the one with the next address comes.
const PORTS: u64 = 16;
/// The first of them.
const FIRST_PORT: u16 = 40_000;

/// The service they go to.
const SERVICE4: u32 = 0x0a00_001d;
const SERVICE6: [u32; 4] = [0x2001_0db8, 0, 0, 0x29];
const SERVICE_PORT: u16 = 80;
const TCP: u8 = 6;

const fn ports(client: u16) -> u32 {
    client.to_be() as u32 | (SERVICE_PORT.to_be() as u32) << 16
}

fn tuple4(client: u32, port: u16) -> Tuple4 {
    Tuple4::new(client.to_be(), SERVICE4.to_be(), ports(port), TCP)
}

fn tuple6(client: [u32; 4], port: u16) -> Tuple6 {
    let (client, service) = (client.map(u32::to_be), SERVICE6.map(u32::to_be));
    Tuple6::new(client, service, ports(port), TCP)
}

/// Number of a neighbour, and the port of its flow.
const fn neighbour(number: u64) -> (u32, u16) {
    let port = FIRST_PORT + (number % PORTS) as u16;
    ((number / PORTS) as u32, port)
}

/// From 10.1.0.0 upwards.
pub(super) fn neighbour4(number: u64) -> Tuple4 {
    let (client, port) = neighbour(number);
    tuple4(0x0a01_0000_u32.wrapping_add(client), port)
}

/// From `2001:db8:1::` upwards.
pub(super) fn neighbour6(number: u64) -> Tuple6 {
    let (client, port) = neighbour(number);
    tuple6([0x2001_0db8, 0x0001_0000, 0, client], port)
}

fn random4(number: u64) -> Tuple4 {
    let mut random = SmallRng::seed_from_u64(number);
    tuple4(random.random(), random.random())
}

fn random6(number: u64) -> Tuple6 {
    let mut random = SmallRng::seed_from_u64(number);
    tuple6(random.random(), random.random())
}

//! Writes the headers of the next frame over whatever the last run has left of them.

use aya_ebpf::{
    bindings::xdp_action::XDP_ABORTED,
    macros::map,
    maps::{Array, ProgramArray},
    programs::XdpContext,
};
use lvs_ebpf::{
    family::{V4, V6},
    parse::{Cursor, write},
};
use network_types::{eth::EtherType, ip::IpProto};

use crate::traffic::{FRAME4, FRAME6, IP4_LEN, OURS, TCP_LEN, Traffic, VIP4, VIP6};

#[map]
static TRAFFIC: Array<Traffic> = Array::with_max_entries(1, 0);
/// The program under test, in the only slot.
#[map]
static TARGET: ProgramArray = ProgramArray::with_max_entries(1, 0);

/// MAC address that frames seem to come from.
const CLIENT: [u8; 6] = [0x02, 0, 0, 0, 0, 0x02];
/// Ports of a neighbour, as a power of two: flows are consecutive ports of consecutive addresses.
const PORT_BITS: u32 = 4;
const FIRST_PORT: u16 = 1024;
/// Ports of clients from anywhere are above: their flows are never a neighbour's.
const SCATTERED_PORTS: u16 = 0x8000;
/// Neighbours are in 16.0.0.0/4.
const FIRST_CLIENT4: u32 = 16 << 24;
/// Clients are in `2001:2:0:1::/96` (RFC 5180).
const CLIENTS6: [u32; 3] = [0x2001_0002_u32.to_be(), 1_u32.to_be(), 0];

const HOPS: u8 = 64;
const ACK: u8 = 0x10;
const UDP: u8 = IpProto::Udp as u8;

/// First word of an IPv4 header: no options, [`IP4_LEN`] bytes.
const IP4_FIRST: u32 = u32::from_ne_bytes([0x45, 0, 0, IP4_LEN as u8]);
/// Second word: no fragment.
const IP4_SECOND: u32 = u32::from_ne_bytes([0, 0, 0x40, 0]);
/// Third word, without the protocol and the checksum.
const IP4_THIRD: u32 = u32::from_ne_bytes([HOPS, 0, 0, 0]);
/// Sum of all of the IPv4 header that is always the same, by 16-bit words.
const IP4_SUM: u32 = {
    const fn halves(word: u32) -> u32 {
        (word & 0xffff) + (word >> 16)
    }
    halves(IP4_FIRST) + halves(IP4_SECOND) + halves(IP4_THIRD) + halves(u32::from_ne_bytes(VIP4))
};

/// A family whose frames can be written.
pub(super) trait Write {
    /// Bytes of a frame.
    const FRAME: usize;

    /// Writes the IP header of a packet of this protocol from this client; yields the offset of what
    /// follows it.
    ///
    /// # Safety
    /// `ip` must have as many bytes as the frame behind the Ethernet header.
    unsafe fn write(ip: *mut u8, client: u32, protocol: u8) -> usize;
    /// What the Ethernet header says to follow it.
    const ETHER_TYPE: u16;
}

impl Write for V4 {
    const FRAME: usize = FRAME4;
    const ETHER_TYPE: u16 = EtherType::Ipv4 as u16;

    #[inline(always)]
    unsafe fn write(ip: *mut u8, client: u32, protocol: u8) -> usize {
        let source = (FIRST_CLIENT4.wrapping_add(client)).to_be();
        let protocol = u32::from_ne_bytes([0, protocol, 0, 0]);
        let sum = IP4_SUM + protocol + (source & 0xffff) + (source >> 16);
        let sum = (sum & 0xffff) + (sum >> 16);
        let checksum = !((sum & 0xffff) + (sum >> 16));
        // SAFETY: the caller's.
        unsafe {
            write(ip, 0, IP4_FIRST);
            write(ip, 4, IP4_SECOND);
            write(ip, 8, IP4_THIRD | protocol | checksum << 16);
            write(ip, 12, source);
            write(ip, 16, u32::from_ne_bytes(VIP4));
        }
        20
    }
}

impl Write for V6 {
    const FRAME: usize = FRAME6;
    const ETHER_TYPE: u16 = EtherType::Ipv6 as u16;

    #[inline(always)]
    unsafe fn write(ip: *mut u8, client: u32, protocol: u8) -> usize {
        // SAFETY: the caller's.
        unsafe {
            write(ip, 0, 0x60_u32);
            write(
                ip,
                4,
                u32::from_ne_bytes([0, TCP_LEN as u8, protocol, HOPS]),
            );
            write(ip, 8, CLIENTS6[0]);
            write(ip, 12, CLIENTS6[1]);
            write(ip, 16, CLIENTS6[2]);
            write(ip, 20, client.to_be());
            let [a, b, c, d] = words(VIP6);
            write(ip, 24, a);
            write(ip, 28, b);
            write(ip, 32, c);
            write(ip, 36, d);
        }
        40
    }
}

/// The words of an IPv6 address, as on the wire.
const fn words(address: [u8; 16]) -> [u32; 4] {
    let a = address;
    [
        u32::from_ne_bytes([a[0], a[1], a[2], a[3]]),
        u32::from_ne_bytes([a[4], a[5], a[6], a[7]]),
        u32::from_ne_bytes([a[8], a[9], a[10], a[11]]),
        u32::from_ne_bytes([a[12], a[13], a[14], a[15]]),
    ]
}

/// What differs from frame to frame.
struct Next {
    /// Number of the client, or as good as random.
    client: u32,
    port: u16,
    tcp_flags: u8,
}

/// The next frame.
#[inline(always)]
fn next(traffic: &mut Traffic) -> Next {
    let frame = traffic.frames;
    traffic.frames = frame + 1;
    let (turn, is_ack) = if traffic.ack_follows == 0 {
        (frame, false)
    } else {
        (frame / 2, frame % 2 == 1)
    };
    let number = if traffic.random == 0 {
        turn as u32
    } else {
        // Of a hash of the turn: reading flows in the order in which they were made would let the
        // processor fetch entries ahead that lie in this order in memory.
        let mixed = turn.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mixed = (mixed ^ mixed >> 32).wrapping_mul(0xd6e8_feb8_6659_fd93);
        (((mixed >> 32) * u64::from(traffic.flows)) >> 32) as u32
    };
    let flow = traffic.first.wrapping_add(number);
    let (client, port) = if traffic.scattered == 0 {
        let port = FIRST_PORT + (flow as u16 & ((1 << PORT_BITS) - 1));
        (flow >> PORT_BITS, port)
    } else {
        // A bijection: every flow is another client.
        let client = mixed(flow);
        (client, SCATTERED_PORTS | mixed(client) as u16)
    };
    Next {
        client,
        port,
        tcp_flags: if is_ack { ACK } else { traffic.tcp_flags },
    }
}

/// A bijection without an order that anybody sees (`MurmurHash3`'s last step).
#[inline(always)]
const fn mixed(mut number: u32) -> u32 {
    number ^= number >> 16;
    number = number.wrapping_mul(0x85eb_ca6b);
    number ^= number >> 13;
    number = number.wrapping_mul(0xc2b2_ae35);
    number ^ number >> 16
}

/// Writes the frame, and calls the program under test.
#[inline(always)]
pub(super) fn run<F: Write>(ctx: &XdpContext) -> u32 {
    let cursor = Cursor::new(ctx.data() as *mut u8, ctx.data_end() as *mut u8);
    let frame = ctx.data() as *mut u8;
    if !cursor.reaches(frame, F::FRAME as u32) {
        return XDP_ABORTED;
    }
    let Some(traffic) = TRAFFIC.get_ptr_mut(0) else {
        return XDP_ABORTED;
    };
    // SAFETY: nothing else runs or writes while the benchmark runs this program.
    let traffic = unsafe { &mut *traffic };
    let next = next(traffic);
    let macs = [
        u32::from_ne_bytes([OURS[0], OURS[1], OURS[2], OURS[3]]),
        u32::from_ne_bytes([OURS[4], OURS[5], CLIENT[0], CLIENT[1]]),
        u32::from_ne_bytes([CLIENT[2], CLIENT[3], CLIENT[4], CLIENT[5]]),
    ];
    // SAFETY: the frame's length was checked above.
    unsafe {
        write(frame, 0, macs[0]);
        write(frame, 4, macs[1]);
        write(frame, 8, macs[2]);
        write(frame, 12, F::ETHER_TYPE);
        let ip = frame.wrapping_add(14);
        let transport = ip.wrapping_add(F::write(ip, next.client, traffic.protocol));
        let ports = u32::from(next.port.to_be()) | u32::from(traffic.port) << 16;
        write(transport, 0, ports);
        if traffic.protocol == UDP {
            // Length, and no checksum.
            write(transport, 4, u32::from_ne_bytes([0, TCP_LEN as u8, 0, 0]));
        } else {
            write(transport, 13, next.tcp_flags);
        }
    }
    // SAFETY: there is nothing here to be dropped.
    unsafe { TARGET.tail_call(ctx, 0) };
    XDP_ABORTED
}

//! Whether an outcome of the walk is one that it may have: judged from the frame's bytes before and
//! after, and from the maps, without the walk's own code.

use lvs_common::{
    Family, MidStream, Protocol, Reason,
    map::{NextHop, ServiceKey},
    tcp,
};

use super::{
    flows::AnyTuple,
    memory::Memory,
    reading::{Reading, read},
};
use crate::{Action, kernel::Tables as _};

/// Checks an outcome against the frame as it came (by the interface `ingress`) and as it is now.
///
/// # Errors
/// What is wrong, for a person to read.
pub fn judge(
    memory: &Memory,
    ingress: u32,
    before: &[u8],
    after: &[u8],
    outcome: Result<Action, Reason>,
) -> Result<(), String> {
    if outcome.is_err() && before != after {
        return Err(format!("{outcome:?}, but the frame has changed"));
    }
    let expected = read(before, mac(memory, ingress)).and_then(|reading| {
        let service = memory.service_id(&service_key(&reading.tuple));
        service
            .map(|service| (reading, service))
            .ok_or(Reason::NoService)
    });
    match (expected, outcome) {
        (Err(expected), Err(reason)) if expected == reason => Ok(()),
        (Err(expected), _) => Err(format!("{outcome:?}, but it must be {expected:?}")),
        (Ok((reading, service)), Err(reason)) => {
            let policy = memory.mid_stream(service).and_then(MidStream::from_number);
            refused(&reading, policy, reason)
        }
        (Ok((reading, _)), Ok(action)) => sent(memory, ingress, &reading, before, after, action),
    }
}

/// The MAC address of an attached interface.
fn mac(memory: &Memory, index: u32) -> Option<[u8; 6]> {
    let entry = memory
        .interfaces
        .iter()
        .find(|entry| entry.index == index)?;
    let mut mac = [0; 6];
    mac[..4].copy_from_slice(&entry.mac_head.to_le_bytes());
    mac[4..].copy_from_slice(&entry.mac_tail.to_le_bytes());
    Some(mac)
}

fn service_key(tuple: &AnyTuple) -> ServiceKey {
    let (address, port) = tuple.destination();
    ServiceKey {
        address: address.into(),
        port: port.to_be(),
        protocol: tuple.protocol(),
        family: Family::from(address) as u8,
    }
}

/// A packet for a service that is not sent.
fn refused(reading: &Reading, policy: Option<MidStream>, reason: Reason) -> Result<(), String> {
    let is_tcp = reading.tuple.protocol() == Protocol::Tcp as u8;
    let has = |flag: u8| is_tcp && reading.tcp_flags & flag != 0;
    let opens = !is_tcp || has(tcp::SYN) && !has(tcp::RST);
    let may_open = opens || policy == Some(MidStream::Schedule) && !has(tcp::RST);
    let may_be = match reason {
        Reason::NoFlow => !may_open && policy != Some(MidStream::Drop),
        Reason::MidStream => !may_open && policy == Some(MidStream::Drop),
        Reason::NoBackend => may_open,
        Reason::TtlExceeded => reading.hops <= 1,
        Reason::NoNextHop | Reason::TooBig | Reason::OtherVlan => true,
        _ => false,
    };
    if may_be {
        Ok(())
    } else {
        Err(format!("{reason:?} for {reading:?}"))
    }
}

/// A packet that was sent: only MAC addresses, TTL or hop limit, and the header's checksum change.
fn sent(
    memory: &Memory,
    ingress: u32,
    reading: &Reading,
    before: &[u8],
    after: &[u8],
    action: Action,
) -> Result<(), String> {
    let egress = match action {
        Action::Send => ingress,
        Action::Redirect(index) => index,
    };
    let fits = |hop: &&NextHop| {
        let macs: Vec<u8> = hop
            .macs
            .iter()
            .flat_map(|word| word.to_le_bytes())
            .collect();
        hop.interface == egress
            && hop.tags == reading.tags
            && reading.len <= hop.mtu as usize
            && after.get(..12) == Some(&macs)
    };
    if memory.next_hops.iter().skip(1).find(fits).is_none() {
        return Err(format!("{action:?} to no next hop that fits {reading:?}"));
    }
    if reading.hops <= 1 {
        return Err("sent with a TTL that is used up".into());
    }
    let mut expected = before.to_vec();
    expected[..12].copy_from_slice(&after[..12]);
    expected[reading.hops_at()] -= 1;
    if let AnyTuple::V4(_) = reading.tuple {
        let checksum = reading.network + 10..reading.network + 12;
        expected[checksum.clone()].copy_from_slice(&after[checksum]);
        // A header's words and its checksum add up to the same as before: right stays right.
        if header_sum(before, reading) != header_sum(after, reading) {
            return Err("the checksum of the IPv4 header does not follow the TTL".into());
        }
    }
    if expected == after {
        Ok(())
    } else {
        Err("more has changed than MAC addresses, TTL and checksum".into())
    }
}

/// One's complement sum of an IPv4 header with its checksum; that of a right one is 0xffff.
fn header_sum(frame: &[u8], reading: &Reading) -> u32 {
    let len = usize::from(frame[reading.network] & 0xf) * 4;
    let header = &frame[reading.network..reading.network + len];
    let sum: u32 = header
        .chunks_exact(2)
        .map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]])))
        .sum();
    // Modulo 0xffff, where 0 is the same as 0xffff; a sum of bytes that are not all 0 is never 0.
    (sum - 1) % 0xffff + 1
}

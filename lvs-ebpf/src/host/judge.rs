//! Whether an outcome of the walk is one that it may have: judged from the frame's bytes before and
//! after, and from the maps, without the walk's own code.

use lvs_common::{
    Family, ForwardingMode, MidStream, Protocol, Reason,
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
    let reading = match (read(before, mac(memory, ingress)), outcome) {
        (Ok(reading), _) => reading,
        (Err(expected), Err(reason)) if expected == reason => return Ok(()),
        (Err(expected), _) => return Err(format!("{outcome:?}, but it must be {expected:?}")),
    };
    let service = memory.service_id(&service_key(&reading.tuple));
    match (service, outcome) {
        (None, Err(Reason::NoService)) => Ok(()),
        (None, Err(reason)) if is_answer(memory, &reading) => refused_answer(&reading, reason),
        (None, Err(reason)) => Err(format!("{reason:?}, but it is for no service")),
        (Some(service), Err(reason)) => {
            let policy = memory.mid_stream(service).and_then(MidStream::from_number);
            refused(&reading, policy, reason)
        }
        (service, Ok(action)) => {
            let after = sent(memory, ingress, &reading, before, after, action)?;
            translated(memory, service, &reading.tuple, &after.tuple)
        }
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
        Reason::NoBackend
        | Reason::ReplyTaken
        | Reason::NoPort
        | Reason::NoPlace
        | Reason::NoGateway => may_open,
        Reason::TtlExceeded => reading.hops <= 1,
        Reason::NoNextHop | Reason::TooBig | Reason::NoRoom => true,
        _ => false,
    };
    if may_be {
        Ok(())
    } else {
        Err(format!("{reason:?} for {reading:?}"))
    }
}

/// Whether a flow waits for this packet of a backend.
fn is_answer(memory: &Memory, reading: &Reading) -> bool {
    let entry = memory.flow(&reading.tuple);
    entry.is_some_and(|entry| entry.word.is_reply())
}

/// An answer that is not sent on.
fn refused_answer(reading: &Reading, reason: Reason) -> Result<(), String> {
    let may_be = match reason {
        Reason::TtlExceeded => reading.hops <= 1,
        Reason::TooBig | Reason::NoRoom => true,
        _ => false,
    };
    if may_be {
        Ok(())
    } else {
        Err(format!("{reason:?} for the answer {reading:?}"))
    }
}

/// A packet that was sent: its frame gets the header of a next hop. Nothing else changes but TTL or hop
/// limit, addresses and ports, and the checksums with them. Yields what was sent.
fn sent(
    memory: &Memory,
    ingress: u32,
    reading: &Reading,
    before: &[u8],
    after: &[u8],
    action: Action,
) -> Result<Reading, String> {
    let egress = match action {
        Action::Send => ingress,
        Action::Redirect(index) => index,
    };
    let sent = read(after, after.first_chunk().copied());
    let sent = sent.map_err(|reason| format!("what was sent is {reason:?}"))?;
    let fits = |hop: &NextHop| {
        let macs: Vec<u8> = hop
            .macs
            .iter()
            .flat_map(|word| word.to_le_bytes())
            .collect();
        hop.interface == egress
            && hop.tags == sent.tags
            && reading.len <= hop.mtu as usize
            && after.get(..12) == Some(&macs)
    };
    let backends = memory.next_hops.iter().skip(1);
    if !backends.chain(memory.gateways()).any(fits) {
        return Err(format!("{action:?} to no next hop that fits {reading:?}"));
    }
    if reading.hops <= 1 {
        return Err("sent with a TTL that is used up".into());
    }
    let mut expected = before[reading.network..].to_vec();
    let got = &after[sent.network..];
    if got.len() != expected.len() {
        return Err(format!("{} bytes became {}", expected.len(), got.len()));
    }
    expected[reading.hops_at() - reading.network] -= 1;
    // Words and their checksum add up to the same as before: right stays right.
    if let AnyTuple::V4(_) = reading.tuple {
        expected[10..12].copy_from_slice(&got[10..12]);
        if header_sum(before, reading) != header_sum(after, &sent) {
            return Err("the checksum of the IPv4 header does not follow".into());
        }
    }
    if reading.tuple != sent.tuple {
        for (from, to) in [reading.addresses_at(), reading.transport_at(4)] {
            expected[from..to].copy_from_slice(&got[from..to]);
        }
        let (from, to) = reading.checksum_at();
        let is_udp = reading.tuple.protocol() == Protocol::Udp as u8;
        let has_none = is_udp && expected[from..to] == [0, 0];
        if !has_none {
            expected[from..to].copy_from_slice(&got[from..to]);
            if transport_sum(&before[reading.network..], reading) != transport_sum(got, &sent) {
                return Err("the checksum of the transport header does not follow".into());
            }
        }
    }
    if expected == got {
        Ok(sent)
    } else {
        Err("more has changed than may".into())
    }
}

/// A client's packet has become one to a backend of the service, or an answer one of a service to a
/// client of it.
fn translated(
    memory: &Memory,
    service: Option<u32>,
    before: &AnyTuple,
    after: &AnyTuple,
) -> Result<(), String> {
    let Some(service) = service else {
        let flow = after.reversed();
        return match memory.flow(&flow) {
            Some(_) => Ok(()),
            None => Err(format!("an answer to no flow: {after:?}")),
        };
    };
    let backend = memory.backend_ids().any(|id| {
        let backend = memory.backend_entry(id);
        let address = backend.address.to_ip(after.destination().0.into());
        let is_it = (address, u16::from_be(backend.port)) == after.destination();
        let mode = ForwardingMode::from_number(backend.mode);
        backend.service == service
            && match mode {
                Some(ForwardingMode::Nat) => is_it && before.source() == after.source(),
                Some(ForwardingMode::FullNat) => is_it && before.source() != after.source(),
                _ => before == after,
            }
    });
    if backend {
        Ok(())
    } else {
        Err(format!(
            "{before:?} became {after:?}, which is no backend's"
        ))
    }
}

/// One's complement sum of transport header, data and what the checksum covers of the IP header.
fn transport_sum(packet: &[u8], reading: &Reading) -> u32 {
    let (start, _) = reading.transport_at(0);
    let (from, to) = reading.addresses_at();
    let data = &packet[start..reading.len];
    let mut sum: u64 = (data.len() as u64) + u64::from(reading.tuple.protocol());
    for bytes in [&packet[from..to], data] {
        for pair in bytes.chunks(2) {
            let low = pair.get(1).copied().unwrap_or_default();
            sum += u64::from(u16::from_be_bytes([pair[0], low]));
        }
    }
    ((sum - 1) % 0xffff + 1) as u32
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

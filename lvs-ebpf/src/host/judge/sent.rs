//! What was sent, against what came.

use lvs_common::{
    Family, ForwardingMode, Protocol,
    map::{Backend, NextHop},
};

use super::{
    super::{
        flows::AnyTuple,
        memory::Memory,
        reading::{self, Reading, read},
    },
    tunnel::{Outer, peel},
};
use crate::Action;

/// A packet that was sent: its frame gets the header of a next hop. Nothing else changes but what its mode
/// says, TTL or hop limit, and the checksums with them.
pub(super) fn sent(
    memory: &Memory,
    ingress: u32,
    service: Option<u32>,
    reading: &Reading,
    before: &[u8],
    after: &[u8],
    action: Action,
) -> Result<(), String> {
    let egress = match action {
        Action::Send => ingress,
        Action::Redirect(index) => index,
    };
    if reading.hops <= 1 {
        return Err("sent with a TTL that is used up".into());
    }
    let hop = next_hop(memory, egress, after)
        .ok_or_else(|| format!("{action:?} to no next hop that fits {reading:?}"))?;
    if let Some((outer, inner)) = peel(after) {
        tunnelled(memory, service, hop, &outer, after, &inner)?;
        if outer.hops != reading.hops - 1 {
            return Err(format!("the outer TTL is {}", outer.hops));
        }
        if reading.len + outer.len > hop.mtu as usize {
            return Err("too long for the next hop".into());
        }
        let sent = follows(reading, before, &inner, 1)?;
        return if sent.tuple == reading.tuple {
            Ok(())
        } else {
            Err(format!("{:?} within the tunnel", sent.tuple))
        };
    }
    let sent = follows(reading, before, after, 1)?;
    if sent.len > hop.mtu as usize {
        return Err("too long for the next hop".into());
    }
    translated(memory, service, &reading.tuple, &sent.tuple)
}

/// A packet that is left to the host, for a backend that is this machine: as it is, or translated.
pub(super) fn here(
    memory: &Memory,
    service: u32,
    reading: &Reading,
    before: &[u8],
    after: &[u8],
) -> Result<(), String> {
    let sent = follows(reading, before, after, 0)?;
    if before[..reading.network] != after[..sent.network] {
        return Err("another Ethernet header".into());
    }
    translated(memory, Some(service), &reading.tuple, &sent.tuple)
}

/// The next hop that a frame has the header of.
fn next_hop<'a>(memory: &'a Memory, egress: u32, frame: &[u8]) -> Option<&'a NextHop> {
    let (tags, _) = reading::link(frame).ok()?;
    let tags = tags.map(Option::unwrap_or_default);
    let fits = |hop: &&NextHop| {
        let macs: Vec<u8> = hop
            .macs
            .iter()
            .flat_map(|word| word.to_le_bytes())
            .collect();
        hop.interface == egress && hop.tags == tags && frame.get(..12) == Some(&macs)
    };
    let backends = memory.next_hops.iter().skip(1);
    backends.chain(memory.gateways()).find(fits)
}

/// An outer header: from the next hop's source to a backend of the service, as IPVS writes it.
fn tunnelled(
    memory: &Memory,
    service: Option<u32>,
    hop: &NextHop,
    outer: &Outer,
    after: &[u8],
    inner: &[u8],
) -> Result<(), String> {
    let backends = backends(memory, service);
    let family = Family::from(outer.destination);
    let backend = backends.into_iter().find(|backend| {
        backend.mode == ForwardingMode::Tun as u8
            && backend.family == family as u8
            && backend.address.to_ip(family) == outer.destination
    });
    let Some(backend) = backend else {
        return Err(format!("{outer:?} is to no backend"));
    };
    let (base, source) = (number(hop.source.to_ip(family)), number(outer.source));
    if base >> backend.entropy != source >> backend.entropy {
        return Err(format!("{outer:?} is from nowhere"));
    }
    let (_, ether_type) = reading::link(inner).map_err(|reason| format!("{reason:?} within"))?;
    let at = network(inner);
    let (class, is_whole) = match ether_type {
        reading::IPV4 => (inner[at + 1], inner[at + 6] & 0x40 != 0),
        _ => (inner[at] << 4 | inner[at + 1] >> 4, false),
    };
    let expected = if class & 3 == 3 { class - 1 } else { class };
    if outer.class != expected {
        return Err(format!("{outer:?} around DSCP and ECN {class:#04x}"));
    }
    if family == Family::Ipv4 {
        if outer.is_whole != is_whole || is_whole && outer.identification != 0 {
            return Err(format!("{outer:?} around one with another DF"));
        }
        let at = network(after);
        if words_sum(&after[at..at + outer.len]) != 0xffff {
            return Err("the checksum of the outer header is wrong".into());
        }
    }
    Ok(())
}

/// Where the IP header of a frame begins.
fn network(frame: &[u8]) -> usize {
    let tags = reading::link(frame).map(|(tags, _)| tags.iter().flatten().count());
    14 + 4 * tags.unwrap_or_default()
}

const fn number(ip: core::net::IpAddr) -> u128 {
    match ip {
        core::net::IpAddr::V4(ip) => ip.to_bits() as u128,
        core::net::IpAddr::V6(ip) => ip.to_bits(),
    }
}

/// The backends of a service.
fn backends(memory: &Memory, service: Option<u32>) -> Vec<Backend> {
    let all = memory.backend_ids().map(|id| memory.backend_entry(id));
    all.filter(|backend| Some(backend.service) == service)
        .collect()
}

/// What came may have become this, with so much less of its TTL: other addresses and ports, perhaps of the
/// other family, and checksums that follow.
fn follows(reading: &Reading, before: &[u8], after: &[u8], hops: u8) -> Result<Reading, String> {
    let sent = read(after, after.first_chunk().copied());
    let sent = sent.map_err(|reason| format!("what was sent is {reason:?}"))?;
    let (old, got) = (&before[reading.network..], &after[sent.network..]);
    if sent.hops != reading.hops - hops {
        return Err(format!("a TTL of {} became {}", reading.hops, sent.hops));
    }
    if (class(old, reading), sent.len - sent.header)
        != (class(got, &sent), reading.len - reading.header)
    {
        return Err("another length, DSCP or ECN".into());
    }
    let crosses = matches!(reading.tuple, AnyTuple::V4(_)) != matches!(sent.tuple, AnyTuple::V4(_));
    if let AnyTuple::V4(_) = sent.tuple {
        let came = if crosses {
            0xffff
        } else {
            words_sum(&old[..reading.header])
        };
        if words_sum(&got[..sent.header]) != came {
            return Err("the checksum of the IPv4 header does not follow".into());
        }
    }
    if crosses {
        new_header(got, &sent)?;
    } else {
        let mut expected = old[..reading.header].to_vec();
        expected[reading.hops_at() - reading.network] -= hops;
        let mut may_differ = vec![reading.addresses_at()];
        if let AnyTuple::V4(_) = sent.tuple {
            may_differ.push((10, 12));
        }
        for (from, to) in may_differ {
            expected[from..to].copy_from_slice(&got[from..to]);
        }
        if expected[..] != got[..sent.header] {
            return Err("more of the IP header has changed than may".into());
        }
    }
    let mut expected = old[reading.header..].to_vec();
    expected[..4].copy_from_slice(&got[sent.header..sent.header + 4]);
    let (from, to) = reading.checksum_at();
    let (from, to) = (from - reading.header, to - reading.header);
    let is_udp = reading.tuple.protocol() == Protocol::Udp as u8;
    let has_none = is_udp && expected[from..to] == [0, 0];
    if has_none && crosses {
        return Err("sent across families without a checksum".into());
    }
    if reading.tuple != sent.tuple && !has_none {
        expected[from..to].copy_from_slice(&got[sent.header + from..sent.header + to]);
        // Words and their checksum add up to the same as before: right stays right.
        if transport_sum(old, reading) != transport_sum(got, &sent) {
            return Err("the checksum of the transport header does not follow".into());
        }
    }
    if expected[..] == got[sent.header..] {
        Ok(sent)
    } else {
        Err("more has changed than may".into())
    }
}

/// A header of the other family: without options, and not to be fragmented (RFC 7915).
fn new_header(packet: &[u8], sent: &Reading) -> Result<(), String> {
    let as_written = match sent.tuple {
        AnyTuple::V4(_) => packet[0] == 0x45 && packet[4..8] == [0, 0, 0x40, 0],
        AnyTuple::V6(_) => packet[1] << 4 == 0 && packet[2..4] == [0, 0],
    };
    if as_written {
        Ok(())
    } else {
        Err(format!("a new header {:02x?}", &packet[..8]))
    }
}

/// DSCP and ECN.
fn class(packet: &[u8], reading: &Reading) -> u8 {
    match reading.tuple {
        AnyTuple::V4(_) => packet[1],
        AnyTuple::V6(_) => packet[0] << 4 | packet[1] >> 4,
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
    if service.is_none() {
        let flow = after.reversed();
        return match memory.flow(&flow) {
            Some(_) => Ok(()),
            None => Err(format!("an answer to no flow: {after:?}")),
        };
    }
    let is_its = |backend: &Backend| {
        let (ip, port) = after.destination();
        let family = Family::from(ip);
        let is_it = family as u8 == backend.family
            && (backend.address.to_ip(family), u16::from_be(backend.port)) == (ip, port);
        match ForwardingMode::from_number(backend.mode) {
            Some(ForwardingMode::Nat) => is_it && before.source() == after.source(),
            Some(ForwardingMode::FullNat) => is_it && before.source() != after.source(),
            _ => before == after,
        }
    };
    if backends(memory, service).iter().any(is_its) {
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

/// One's complement sum of 16-bit words; with their checksum among them 0xffff.
fn words_sum(bytes: &[u8]) -> u32 {
    let words = bytes.chunks_exact(2);
    let sum: u32 = words
        .map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]])))
        .sum();
    // Modulo 0xffff, where 0 is the same as 0xffff; a sum of bytes that are not all 0 is never 0.
    (sum - 1) % 0xffff + 1
}

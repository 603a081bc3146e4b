//! Whether an outcome of the walk is one that it may have: judged from the frame's bytes before and
//! after, and from the maps, without the walk's own code.

use lvs_common::{Family, MidStream, Protocol, Reason, Verdict, map::ServiceKey, tcp};

mod sent;
mod told;
mod tunnel;

use self::{
    sent::{here, sent},
    tunnel::strip,
};
use super::{
    flows::AnyTuple,
    memory::Memory,
    reading::{Reading, read},
};
use crate::{Action, kernel::Tables as _, slow::is_slow};

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
    let mac = mac(memory, ingress);
    let stripped = match strip(memory, mac, before) {
        Ok(stripped) => stripped,
        Err(expected) if outcome == Err(expected) && before == after => return Ok(()),
        Err(expected) => return Err(format!("{outcome:?}, but it must be {expected:?}")),
    };
    let before = stripped.as_deref().unwrap_or(before);
    if read(before, mac) == Err(Reason::OtherProtocol) && told::is_icmp(before) {
        return told::error(before, after, outcome);
    }
    // A frame that somebody could not be told by is cut short, and gone.
    let told = |reason| is_slow(reason) && reason.verdict() == Verdict::Drop;
    let is_cut = memory.settings.notices.burst != 0 && outcome.is_err_and(told);
    if outcome.is_err() && outcome != Err(Reason::Local) && before != after && !is_cut {
        return Err(format!("{outcome:?}, but the frame has changed"));
    }
    let reading = match (read(before, mac), outcome) {
        (Ok(reading), _) => reading,
        (Err(expected), Err(reason)) if expected == reason => return Ok(()),
        (Err(expected), _) => return Err(format!("{outcome:?}, but it must be {expected:?}")),
    };
    let service = memory.service_id(&service_key(&reading.tuple));
    match (service, outcome) {
        (None, Err(Reason::NoService)) => Ok(()),
        (None, Err(reason)) if is_answer(memory, &reading) => refused_answer(&reading, reason),
        (None, Err(reason)) => Err(format!("{reason:?}, but it is for no service")),
        (Some(service), Err(Reason::Local)) => here(memory, service, &reading, before, after),
        (Some(service), Err(reason)) => {
            let policy = memory.mid_stream(service).and_then(MidStream::from_number);
            refused(&reading, policy, reason)
        }
        (_, Ok(_)) if is_told(memory, &reading, after) => told::notice(before, after),
        (service, Ok(action)) => sent(memory, ingress, service, &reading, before, after, action),
    }
}

/// Whether what was sent is for the sender of what came, from the balancer itself.
fn is_told(memory: &Memory, came: &Reading, after: &[u8]) -> bool {
    if memory.settings.notices.burst == 0 {
        return false;
    }
    let reset = read(after, after.first_chunk().copied());
    told::is_icmp(after) || reset.is_ok_and(|sent| sent.tuple == came.tuple.reversed())
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
        Reason::NoChecksum => !is_tcp,
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
        Reason::NoChecksum => reading.tuple.protocol() == Protocol::Udp as u8,
        _ => false,
    };
    if may_be {
        Ok(())
    } else {
        Err(format!("{reason:?} for the answer {reading:?}"))
    }
}

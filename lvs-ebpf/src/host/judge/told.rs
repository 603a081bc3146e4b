//! ICMP and RST: what the balancer tells somebody, and errors of routers that it sends on.

use lvs_common::{Protocol, Reason};

use super::{super::reading, tunnel::peel};
use crate::Action;

const ICMP: u8 = 1;
const ICMPV6: u8 = 58;

/// An IP packet in one piece.
struct Ip<'a> {
    protocol: u8,
    source: &'a [u8],
    destination: &'a [u8],
    /// Of IPv4.
    header: Option<&'a [u8]>,
    payload: &'a [u8],
}

fn read(frame: &[u8]) -> Option<Ip<'_>> {
    let (tags, ether_type) = reading::link(frame).ok()?;
    let packet = frame.get(14 + 4 * tags.iter().flatten().count()..)?;
    let number = |at: usize| {
        Some(usize::from(u16::from_be_bytes([
            *packet.get(at)?,
            *packet.get(at + 1)?,
        ])))
    };
    match ether_type {
        reading::IPV4 => {
            let header = usize::from(packet.first()? & 15) * 4;
            Some(Ip {
                protocol: *packet.get(9)?,
                source: packet.get(12..16)?,
                destination: packet.get(16..20)?,
                header: Some(packet.get(..header)?),
                payload: packet.get(header..number(2)?)?,
            })
        }
        reading::IPV6 => Some(Ip {
            protocol: *packet.get(6)?,
            source: packet.get(8..24)?,
            destination: packet.get(24..40)?,
            header: None,
            payload: packet.get(40..40 + number(4)?)?,
        }),
        _ => None,
    }
}

/// One's complement sum of bytes, 16 bits at a time; with their checksum among them 0xffff.
fn sum<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> u64 {
    let mut sum: u64 = 0;
    for part in parts {
        for pair in part.chunks(2) {
            let low = pair.get(1).copied().unwrap_or_default();
            sum += u64::from(u16::from_be_bytes([pair[0], low]));
        }
    }
    if sum == 0 { 0 } else { (sum - 1) % 0xffff + 1 }
}

impl Ip<'_> {
    fn is_icmp(&self) -> bool {
        let icmp = if self.header.is_some() { ICMP } else { ICMPV6 };
        self.protocol == icmp
    }

    /// Whether its checksums are right: of the IP header, and of ICMP or TCP.
    fn is_right(&self) -> bool {
        let header = self.header.is_none_or(|header| sum([header]) == 0xffff);
        let len = (self.payload.len() as u32).to_be_bytes();
        let rest = [0, self.protocol];
        let pseudo = [self.source, self.destination, &len[..], &rest[..]];
        let covered = if self.protocol == ICMP {
            &[][..]
        } else {
            &pseudo[..]
        };
        header && sum(covered.iter().copied().chain([self.payload])) == 0xffff
    }
}

/// Whether a frame is an ICMP packet, which the walk has no way for.
pub(super) fn is_icmp(frame: &[u8]) -> bool {
    read(frame).is_some_and(|ip| ip.is_icmp())
}

/// A packet that ended here, whose sender was told: right in every checksum, to the sender, and no longer by
/// more than headers.
pub(super) fn notice(before: &[u8], after: &[u8]) -> Result<(), String> {
    let (Some(came), Some(sent)) = (read(before), read(after)) else {
        return Err("what was sent is no IP packet".into());
    };
    let is_reset = sent.protocol == Protocol::Tcp as u8;
    if !is_reset && !sent.is_icmp() || is_reset && came.protocol != sent.protocol {
        return Err(format!("protocol {} was sent", sent.protocol));
    }
    if sent.destination != came.source {
        return Err("somebody else is told".into());
    }
    if !sent.is_right() {
        return Err("a checksum of what is told is wrong".into());
    }
    if after.len() > before.len() + 48 {
        return Err(format!(
            "{} bytes are told of {}",
            after.len(),
            before.len()
        ));
    }
    Ok(())
}

/// An ICMP packet: left alone, or sent on with right checksums if it came with such.
pub(super) fn error(
    before: &[u8],
    after: &[u8],
    outcome: Result<Action, Reason>,
) -> Result<(), String> {
    match outcome {
        // What is left of a frame that there was no room to write anew is gone.
        Err(Reason::TunnelError | Reason::NoRoom) => return Ok(()),
        Err(_) if before == after => return Ok(()),
        Err(Reason::Local) | Ok(_) => {}
        Err(reason) => return Err(format!("{reason:?}, but the frame has changed")),
    }
    let inner = peel(after).map(|(_, inner)| inner);
    let after = inner.as_deref().unwrap_or(after);
    let Some(sent) = read(after) else {
        return Err("what was sent is no IP packet".into());
    };
    let came_right = read(before).is_some_and(|ip| ip.is_right());
    if came_right && !sent.is_right() {
        return Err("the checksums of the error do not follow".into());
    }
    if sent.is_icmp() {
        Ok(())
    } else {
        Err("an error became something else".into())
    }
}

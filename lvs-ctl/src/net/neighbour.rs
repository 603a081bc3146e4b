//! The kernel's neighbour table (ARP and neighbour discovery), and the requests that change it.

use std::{collections::BTreeMap, net::IpAddr};

use netlink_packet_route::{
    AddressFamily,
    neighbour::{
        NeighbourAddress, NeighbourAttribute, NeighbourExtFlags, NeighbourFlags, NeighbourMessage,
        NeighbourState,
    },
    route::RouteProtocol,
};
use rtnetlink::Handle;

use super::{NetError, request};

/// Marks the entries that this program makes (`NDA_PROTOCOL`), so that they are known again after a
/// crash. Not among the numbers of include/uapi/linux/rtnetlink.h.
const PROTOCOL: RouteProtocol = RouteProtocol::Other(76);

/// What a neighbour entry is found by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    /// The interface's index.
    pub(super) ifindex: u32,
    /// The neighbour's address.
    pub(super) address: IpAddr,
}

/// The kernel's table.
pub(super) type Neighbours = BTreeMap<Key, Neighbour>;

/// An entry of the table. What the kernel does only for itself (reachable, stale, delay, probe) is
/// not told apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Neighbour {
    /// The MAC address, if the entry is good to send to.
    pub(super) mac: Option<[u8; 6]>,
    /// Whether the kernel is not going to ask by itself: it gave up, or never began.
    pub(super) idle: bool,
    /// Who keeps it good.
    pub(super) care: Care,
    /// Whether this program, in this life or an earlier one, made it.
    pub(super) ours: bool,
}

/// Who keeps an entry good.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Care {
    /// Nobody: the kernel collects it when it was not used for a while.
    #[default]
    Nobody,
    /// The kernel resolves it and keeps it probed (`NTF_EXT_MANAGED`).
    Kernel,
    /// Whoever made it: it is permanent, needs no ARP, or was learned by a routing daemon.
    Maker,
}

/// An entry as netlink tells it; none for what is no IP neighbour.
pub(super) fn parse(message: &NeighbourMessage) -> Option<(Key, Neighbour)> {
    let (state, flags) = (message.header.state, message.header.flags);
    let mut address = None;
    let mut mac = None;
    let mut extended = NeighbourExtFlags::empty();
    let mut ours = false;
    for attribute in &message.attributes {
        match attribute {
            NeighbourAttribute::Destination(NeighbourAddress::Inet(v4)) => {
                address = Some(IpAddr::V4(*v4));
            }
            NeighbourAttribute::Destination(NeighbourAddress::Inet6(v6)) => {
                address = Some(IpAddr::V6(*v6));
            }
            NeighbourAttribute::LinkLayerAddress(bytes) => mac = bytes.as_slice().try_into().ok(),
            NeighbourAttribute::ExtFlags(flags) => extended = *flags,
            NeighbourAttribute::Protocol(protocol) => ours = *protocol == PROTOCOL,
            _ => {}
        }
    }
    let usable = matches!(
        state,
        NeighbourState::Reachable
            | NeighbourState::Stale
            | NeighbourState::Delay
            | NeighbourState::Probe
            | NeighbourState::Permanent
            | NeighbourState::Noarp
    );
    let fixed = matches!(state, NeighbourState::Permanent | NeighbourState::Noarp)
        || flags.contains(NeighbourFlags::ExtLearned)
        || extended.contains(NeighbourExtFlags::ExtValidated);
    let neighbour = Neighbour {
        mac: mac.filter(|_| usable),
        idle: matches!(state, NeighbourState::None | NeighbourState::Failed),
        care: match (fixed, extended.contains(NeighbourExtFlags::Managed)) {
            (true, _) => Care::Maker,
            (false, true) => Care::Kernel,
            (false, false) => Care::Nobody,
        },
        ours,
    };
    Some((
        Key {
            ifindex: message.header.ifindex,
            address: address?,
        },
        neighbour,
    ))
}

/// The whole table, IPv4 and IPv6.
pub(super) async fn dump(handle: &Handle) -> Result<Neighbours, NetError> {
    let request = handle.neighbours().get().execute();
    let messages = request::collect(|| "list the neighbours".to_owned(), request).await?;
    Ok(messages.iter().filter_map(parse).collect())
}

/// Asks the kernel to resolve a neighbour now, and to keep it resolved; `make` marks the entry as
/// made here.
///
/// For IPv6 the kernel asks from the interface's link-local address, and not at all while there is
/// none (`ndisc_send_ns` in net/ipv6/ndisc.c).
///
/// `NTF_EXT_MANAGED` is what keeps it (kernel 5.16). `NTF_USE` goes with it because an older kernel
/// ignores the other attribute, and a bare request would then reset a good entry (`neigh_add` in
/// net/core/neighbour.c).
pub(super) async fn ask(handle: &Handle, key: Key, make: bool) -> Result<(), NetError> {
    let mut request = handle.neighbours().add(key.ifindex, key.address).replace();
    let message = request.message_mut();
    message.header.state = NeighbourState::None;
    message.header.flags = NeighbourFlags::Use;
    message
        .attributes
        .push(NeighbourAttribute::ExtFlags(NeighbourExtFlags::Managed));
    if make {
        message
            .attributes
            .push(NeighbourAttribute::Protocol(PROTOCOL));
    }
    request::complete(
        || format!("ask for neighbour {}", key.address),
        request.execute(),
    )
    .await
}

/// Makes a managed entry an ordinary one; its state stays. `neigh_update_flags` in
/// net/core/neighbour.c drops the flag when a request comes without it, and `NTF_USE` leaves the
/// rest alone.
pub(super) async fn unmanage(handle: &Handle, key: Key) -> Result<(), NetError> {
    let request = handle
        .neighbours()
        .add(key.ifindex, key.address)
        .replace()
        .state(NeighbourState::None)
        .flags(NeighbourFlags::Use);
    request::complete(
        || format!("let go of neighbour {}", key.address),
        request.execute(),
    )
    .await
}

/// Removes an entry.
pub(super) async fn delete(handle: &Handle, key: Key) -> Result<(), NetError> {
    let mut message = NeighbourMessage::default();
    message.header.family = match key.address {
        IpAddr::V4(_) => AddressFamily::Inet,
        IpAddr::V6(_) => AddressFamily::Inet6,
    };
    message.header.ifindex = key.ifindex;
    message
        .attributes
        .push(NeighbourAttribute::Destination(key.address.into()));
    let request = handle.neighbours().del(message).execute();
    request::complete(|| format!("remove neighbour {}", key.address), request).await
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAC: [u8; 6] = [2, 0, 0, 0, 0, 17];

    fn message(state: NeighbourState, mut attributes: Vec<NeighbourAttribute>) -> NeighbourMessage {
        let address: IpAddr = "10.0.0.17".parse().unwrap();
        attributes.push(NeighbourAttribute::Destination(address.into()));
        let mut message = NeighbourMessage::default();
        message.header.ifindex = 3;
        message.header.state = state;
        message.attributes = attributes;
        message
    }

    #[test]
    fn states_decide_what_an_entry_is_good_for() {
        use NeighbourState::{
            Delay, Failed, Incomplete, Noarp, None as New, Permanent, Probe, Reachable, Stale,
        };
        // (state, usable, idle, care)
        let table = [
            (New, false, true, Care::Nobody),
            (Incomplete, false, false, Care::Nobody),
            (Reachable, true, false, Care::Nobody),
            (Stale, true, false, Care::Nobody),
            (Delay, true, false, Care::Nobody),
            (Probe, true, false, Care::Nobody),
            (Failed, false, true, Care::Nobody),
            (Noarp, true, false, Care::Maker),
            (Permanent, true, false, Care::Maker),
        ];
        for (state, usable, idle, care) in table {
            let with_mac = message(
                state,
                vec![NeighbourAttribute::LinkLayerAddress(MAC.to_vec())],
            );
            let (key, entry) = parse(&with_mac).unwrap();
            assert_eq!(
                key,
                Key {
                    ifindex: 3,
                    address: "10.0.0.17".parse().unwrap()
                }
            );
            assert_eq!(
                (entry.mac.is_some(), entry.idle, entry.care),
                (usable, idle, care),
                "{state}"
            );
            assert_eq!(
                parse(&message(state, vec![])).unwrap().1.mac,
                None,
                "{state} without an address"
            );
        }
    }

    #[test]
    fn flags_tell_whose_an_entry_is() {
        let managed = NeighbourAttribute::ExtFlags(NeighbourExtFlags::Managed);
        let (_, entry) = parse(&message(NeighbourState::Stale, vec![managed])).unwrap();
        assert_eq!((entry.care, entry.ours), (Care::Kernel, false));
        let (_, entry) = parse(&message(
            NeighbourState::Stale,
            vec![NeighbourAttribute::Protocol(PROTOCOL)],
        ))
        .unwrap();
        assert_eq!((entry.care, entry.ours), (Care::Nobody, true));
        let mut learned = message(NeighbourState::Stale, vec![]);
        learned.header.flags = NeighbourFlags::ExtLearned;
        assert_eq!(parse(&learned).unwrap().1.care, Care::Maker);
    }

    #[test]
    fn what_has_no_ip_address_is_no_neighbour() {
        assert_eq!(parse(&NeighbourMessage::default()), None);
    }
}

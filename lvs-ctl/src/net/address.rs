//! The addresses of this machine.

use std::net::IpAddr;

use netlink_packet_route::address::{AddressAttribute, AddressMessage};
use rtnetlink::Handle;

use super::{NetError, request};

/// An address of this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostAddress {
    /// The address.
    pub address: IpAddr,
    /// How many leading bits it shares with its network.
    pub bits: u8,
    /// The index of the interface that has it.
    pub ifindex: u32,
}

/// All addresses of the namespace.
///
/// # Errors
/// [`NetError::Refused`], [`NetError::NoAnswer`] or [`NetError::Closed`] if the kernel cannot be
/// asked.
pub async fn addresses(handle: &Handle) -> Result<Vec<HostAddress>, NetError> {
    let messages = request::collect(
        || "list the addresses".to_owned(),
        handle.address().get().execute(),
    )
    .await?;
    Ok(messages.iter().filter_map(parse).collect())
}

/// An address as netlink tells it. With a peer `IFA_ADDRESS` is the peer's, and `IFA_LOCAL` this
/// machine's (`include/uapi/linux/if_addr.h`).
fn parse(message: &AddressMessage) -> Option<HostAddress> {
    let mut local = None;
    let mut address = None;
    for attribute in &message.attributes {
        match attribute {
            AddressAttribute::Local(ip) => local = Some(*ip),
            AddressAttribute::Address(ip) => address = Some(*ip),
            _ => {}
        }
    }
    Some(HostAddress {
        address: local.or(address)?,
        bits: message.header.prefix_len,
        ifindex: message.header.index,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_this_ends() {
        let (ours, theirs): (IpAddr, IpAddr) =
            ("10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap());
        let mut message = AddressMessage::default();
        message.header.index = 3;
        message.header.prefix_len = 32;
        assert_eq!(parse(&message), None);
        message.attributes = vec![AddressAttribute::Address(theirs)];
        assert_eq!(parse(&message).unwrap().address, theirs, "as of IPv6");
        message.attributes.push(AddressAttribute::Local(ours));
        let expected = HostAddress {
            address: ours,
            bits: 32,
            ifindex: 3,
        };
        assert_eq!(parse(&message), Some(expected));
    }
}

//! A network of the lab: a switch, and addresses for the machines that are plugged into it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use anyhow::Result;

use super::link;
use super::mac::Mac;
use super::namespace::Namespace;
use super::xdp_pass::XdpPass;

/// The virtual IPv4 address of every lab, of network 0.
pub const VIP4: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 29);
/// The virtual IPv6 address of every lab, of network 0.
pub const VIP6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 0x29);

const PREFIX4: u8 = 24;
const PREFIX6: u8 = 64;
/// No machine's: where FULLNAT's packets come from.
const LOCALS: [u8; 2] = [200, 201];

/// An Ethernet segment with the addresses `10.0.N.0/24` and `fd00:0:0:N::/64`.
#[derive(Debug)]
pub struct Network {
    number: u8,
    switch: Namespace,
}

/// An interface that is plugged into a network.
#[derive(Clone, Debug)]
pub struct Interface {
    /// Its name on its machine.
    pub device: &'static str,
    /// Its IPv4 address.
    pub ipv4: Ipv4Addr,
    /// Its IPv6 address.
    pub ipv6: Ipv6Addr,
    /// Its Ethernet address.
    pub mac: Mac,
}

impl Network {
    /// A network of this number, below 10, without a machine.
    pub fn new(number: u8) -> Result<Self> {
        let switch = Namespace::new()?;
        link::bridge(&switch)?;
        Ok(Self { number, switch })
    }

    /// N of its addresses.
    pub(super) fn number(&self) -> u8 {
        self.number
    }

    pub(super) fn switch(&self) -> &Namespace {
        &self.switch
    }

    /// Plugs a new interface of a namespace in, with the addresses that end in `last`. `port` is the name of
    /// the switch's end of the cable.
    pub(super) fn plug(
        &self,
        namespace: &Namespace,
        port: &str,
        device: &'static str,
        last: u8,
    ) -> Result<Interface> {
        let (ipv4, ipv6) = addresses(self.number, last);
        let mac = Mac::of(ipv4);
        link::cable(&self.switch, port, namespace, device, mac)?;
        link::add_address(namespace, device, ipv4.into(), PREFIX4)?;
        link::add_address(namespace, device, ipv6.into(), PREFIX6)?;
        Ok(Interface {
            device,
            ipv4,
            ipv6,
            mac,
        })
    }

    /// Has the switch take the frames that XDP sends by the cable of a port, as long as the result lives.
    pub(super) fn let_xdp_send(&self, port: &str) -> Result<XdpPass> {
        XdpPass::attach(&self.switch, port)
    }

    /// Addresses that FULLNAT can give its packets.
    pub fn locals(&self) -> [IpAddr; 4] {
        let [(a4, a6), (b4, b6)] = LOCALS.map(|last| addresses(self.number, last));
        [a4.into(), b4.into(), a6.into(), b6.into()]
    }
}

/// `10.0.0.17` and `fd00::17` for network 0 and 17: the same digits, so that people see what belongs
/// together.
pub(super) fn addresses(number: u8, last: u8) -> (Ipv4Addr, Ipv6Addr) {
    let group = u16::from(last / 100) << 8 | u16::from(last / 10 % 10) << 4 | u16::from(last % 10);
    (
        Ipv4Addr::new(10, 0, number, last),
        Ipv6Addr::new(0xfd00, 0, 0, number.into(), 0, 0, 0, group),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_share_their_digits() {
        let shown = |number, last| {
            let (ipv4, ipv6) = addresses(number, last);
            (
                ipv4.to_string(),
                ipv6.to_string(),
                Mac::of(ipv4).to_string(),
            )
        };
        let expected = ["10.0.0.117", "fd00::117", "02:00:0a:00:00:75"].map(str::to_owned);
        assert_eq!(<[String; 3]>::from(shown(0, 117)), expected);
        let expected = ["10.0.3.2", "fd00:0:0:3::2", "02:00:0a:00:03:02"].map(str::to_owned);
        assert_eq!(<[String; 3]>::from(shown(3, 2)), expected);
    }
}

//! One machine of the lab: a namespace with an interface.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use anyhow::Result;

use super::link;
use super::namespace::Namespace;
use super::segment::{PREFIX4, PREFIX6};
use super::sysctl;

/// An Ethernet address.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Mac(pub [u8; 6]);

impl Mac {
    /// The address of the lab's machine with this IPv4 address: 02:00 and the four bytes, easy to recognise.
    pub fn of(ip: Ipv4Addr) -> Self {
        let [a, b, c, d] = ip.octets();
        Self([2, 0, a, b, c, d])
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(bytes) = self;
        for (index, byte) in bytes.iter().enumerate() {
            let colon = if index == 0 { "" } else { ":" };
            write!(f, "{colon}{byte:02x}")?;
        }
        Ok(())
    }
}

/// A machine on the segment.
#[derive(Debug)]
pub struct Host {
    /// What it is called, and what its servers answer with.
    pub name: String,
    /// Where it lives.
    pub namespace: Namespace,
    /// Its only interface besides lo.
    pub device: &'static str,
    /// Its own IPv4 address.
    pub ipv4: Ipv4Addr,
    /// Its own IPv6 address.
    pub ipv6: Ipv6Addr,
    /// Its interface's Ethernet address.
    pub mac: Mac,
    switch: Namespace,
}

impl Host {
    /// Makes a machine with the segment's addresses that end in `last`, and plugs it into the switch, whose
    /// port is called like the machine.
    pub(super) fn new(
        switch: &Namespace,
        name: String,
        device: &'static str,
        last: u8,
    ) -> Result<Self> {
        let (ipv4, ipv6) = addresses(last);
        let mac = Mac::of(ipv4);
        let namespace = Namespace::new()?;
        sysctl::for_host(&namespace)?;
        link::cable(switch, &name, &namespace, device, mac)?;
        let host = Self {
            name,
            namespace,
            device,
            ipv4,
            ipv6,
            mac,
            switch: switch.clone(),
        };
        host.add_address(device, ipv4.into(), PREFIX4)?;
        host.add_address(device, ipv6.into(), PREFIX6)?;
        Ok(host)
    }

    /// Gives an interface of this machine one more address, usable at once.
    pub fn add_address(&self, device: &str, address: IpAddr, prefix: u8) -> Result<()> {
        let nodad = if address.is_ipv6() { "nodad" } else { "" };
        self.ip(&format!(
            "address add {address}/{prefix} dev {device} {nodad}"
        ))
        .map(drop)
    }

    /// Runs `ip` on this machine with the words of `line` and returns what it printed.
    pub fn ip(&self, line: &str) -> Result<String> {
        link::ip(&self.namespace, line)
    }

    /// Whether an XDP program is attached to an interface of this machine.
    pub fn has_xdp(&self, device: &str) -> Result<bool> {
        Ok(link::xdp(&self.namespace, device)?.is_some())
    }

    /// Takes the machine off the segment: it stays as it is, but no frame passes its port any more.
    pub fn unplug(&self) -> Result<()> {
        link::set_carrying(&self.switch, &self.name, false)
    }

    /// Puts the machine back on the segment.
    pub fn plug(&self) -> Result<()> {
        link::set_carrying(&self.switch, &self.name, true)
    }
}

/// `10.0.0.17` and `fd00::17` for 17: the same digits, so that people see what belongs together.
pub(super) fn addresses(last: u8) -> (Ipv4Addr, Ipv6Addr) {
    let group = u16::from(last / 100) << 8 | u16::from(last / 10 % 10) << 4 | u16::from(last % 10);
    (
        Ipv4Addr::new(10, 0, 0, last),
        Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, group),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_share_their_last_digits() {
        let (ipv4, ipv6) = addresses(117);
        assert_eq!(
            (ipv4.to_string().as_str(), ipv6.to_string().as_str()),
            ("10.0.0.117", "fd00::117")
        );
        assert_eq!(Mac::of(ipv4).to_string(), "02:00:0a:00:00:75");
    }
}

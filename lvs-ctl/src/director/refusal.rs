//! Why a driver does not take the program, and what to type against it.

use super::links;
use crate::{datapath::AttachError, net::Link};

/// What every driver with XDP takes.
const USUAL_MTU: u32 = 1500;

/// The reason that a driver gave, in words that go on after "because"; none if it is no matter of how the
/// interface is set up. `end` is the other end of a veth, where it can be seen.
pub(super) fn of_driver(error: &AttachError, link: &Link, end: Option<&Link>) -> Option<String> {
    match error {
        AttachError::MtuTooLarge(_) => Some(mtu(link, end)),
        AttachError::TooFewQueues(_) => Some(queues(link, end)),
        AttachError::Unsupported(reason) if link.mtu > USUAL_MTU => Some(format!(
            "its driver does not take XDP programs ({reason}); it may be that its MTU of {} is more than the \
             driver takes with XDP, then type: ip link set {} mtu {USUAL_MTU}",
            link.mtu, link.name
        )),
        AttachError::Unsupported(reason) => {
            Some(format!("its driver does not take XDP programs ({reason})"))
        }
        AttachError::Busy | AttachError::Other(_) => None,
    }
}

/// Of a veth, the MTU of the other end counts: it says how long received packets may be (`veth_xdp_set` in
/// drivers/net/veth.c).
fn mtu(link: &Link, end: Option<&Link>) -> String {
    let Link { name, mtu, .. } = link;
    match end {
        Some(Link { name, mtu, .. }) => format!(
            "the MTU of {mtu} of its other end {name} is more than the driver takes with XDP; type: ip link \
             set {name} mtu {USUAL_MTU}"
        ),
        None if links::is_veth(link) => format!(
            "the MTU of its other end (its own is {mtu}), which is in another network namespace, is more \
             than the driver takes with XDP; type there: ip link set OTHER-END mtu {USUAL_MTU}"
        ),
        None => format!(
            "its MTU of {mtu} is more than the driver takes with XDP; type: ip link set {name} mtu \
             {USUAL_MTU}"
        ),
    }
}

/// A veth needs a queue to receive by for each that its other end sends by; a NIC, as a rule, queues of its own
/// for what the program sends.
fn queues(link: &Link, end: Option<&Link>) -> String {
    let name = &link.name;
    match end {
        Some(end) => format!(
            "it has fewer queues to receive by than its other end {0} has to send by; type: ethtool -L {0} tx \
             1",
            end.name
        ),
        None if links::is_veth(link) => {
            "it has fewer queues to receive by than its other end, in another network namespace, has to \
             send by; type there: ethtool -L OTHER-END tx 1"
                .to_owned()
        }
        None => format!(
            "it has too few queues left for XDP; type: ethtool -L {name} combined N, where N is half of the \
             maximum that ethtool -l {name} shows"
        ),
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    fn link(name: &str, kind: Option<&str>, mtu: u32) -> Link {
        Link {
            index: 3,
            name: name.to_owned(),
            mac: None,
            mtu,
            up: true,
            carrier: true,
            xdp: None,
            kind: kind.map(str::to_owned),
            vlan: None,
            lower: None,
            master: None,
        }
    }

    fn reason() -> io::Error {
        io::Error::other("the kernel's words")
    }

    #[test]
    fn an_mtu_that_is_too_large_is_told_with_what_to_type() {
        let error = AttachError::MtuTooLarge(reason());
        let (nic, veth, end) = (
            link("eth0", None, 9000),
            link("lb0", Some("veth"), 1500),
            link("p1", Some("veth"), 9001),
        );
        let words = |link, end| of_driver(&error, link, end).unwrap();
        assert_eq!(
            words(&nic, None),
            "its MTU of 9000 is more than the driver takes with XDP; type: ip link set eth0 mtu 1500"
        );
        assert_eq!(
            words(&veth, Some(&end)),
            "the MTU of 9001 of its other end p1 is more than the driver takes with XDP; type: ip link set \
             p1 mtu 1500"
        );
        assert!(words(&veth, None).ends_with("type there: ip link set OTHER-END mtu 1500"));
    }

    #[test]
    fn a_driver_that_says_nothing_of_the_mtu_may_mean_it() {
        let error = AttachError::Unsupported(reason());
        let usual = of_driver(&error, &link("eth0", None, 1500), None).unwrap();
        assert!(usual.ends_with("(the kernel's words)"), "{usual}");
        let jumbo = of_driver(&error, &link("eth0", None, 9000), None).unwrap();
        assert!(
            jumbo.ends_with("then type: ip link set eth0 mtu 1500"),
            "{jumbo}"
        );
    }

    #[test]
    fn queues_are_told_of_by_who_has_too_many() {
        let error = AttachError::TooFewQueues(reason());
        let end = link("p1", Some("veth"), 1500);
        let veth = of_driver(&error, &link("p0", Some("veth"), 1500), Some(&end)).unwrap();
        assert!(veth.ends_with("ethtool -L p1 tx 1"), "{veth}");
        let nic = of_driver(&error, &link("eth0", None, 1500), None).unwrap();
        assert!(nic.contains("ethtool -L eth0 combined N"), "{nic}");
    }

    #[test]
    fn another_program_is_no_matter_of_the_driver() {
        assert_eq!(
            of_driver(&AttachError::Busy, &link("eth0", None, 9000), None),
            None
        );
    }
}

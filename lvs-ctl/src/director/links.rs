//! How the interfaces of a machine lie on each other.

use crate::net::Link;

/// Whether it is one of two interfaces that are a cable.
pub(super) fn is_veth(link: &Link) -> bool {
    link.kind.as_deref() == Some("veth")
}

/// The other end of a veth, if that is among `all`, the interfaces of the namespace.
pub(super) fn other_end<'a>(link: &Link, all: &'a [Link]) -> Option<&'a Link> {
    let index = link.lower.filter(|_| is_veth(link))?;
    all.iter().find(|other| other.index == index)
}

/// The interfaces that frames come by before they come by this one: ports of a bridge or a bond, what a VLAN
/// or a macvlan stands on, and what is below these.
pub(super) fn below<'a>(link: &Link, all: &'a [Link]) -> Vec<&'a Link> {
    let mut found: Vec<&Link> = Vec::new();
    let mut next = vec![link];
    while let Some(upper) = next.pop() {
        let under = all.iter().filter(|other| {
            let carries = !is_veth(upper) && upper.lower == Some(other.index);
            carries || other.master == Some(upper.index)
        });
        for other in under {
            if other.index != link.index && !found.iter().any(|seen| seen.index == other.index) {
                found.push(other);
                next.push(other);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(index: u32, kind: &str, lower: Option<u32>, master: Option<u32>) -> Link {
        Link {
            index,
            name: format!("if{index}"),
            mac: None,
            mtu: 1500,
            up: true,
            carrier: true,
            xdp: None,
            kind: Some(kind.to_owned()),
            vlan: None,
            lower,
            master,
        }
    }

    #[test]
    fn ports_and_what_they_stand_on_are_below_and_other_ends_are_not() {
        let all = [
            link(1, "bridge", None, None),
            link(2, "vlan", Some(3), Some(1)),
            link(3, "bond", None, None),
            link(4, "", None, Some(3)),
            link(5, "veth", Some(6), Some(1)),
            link(6, "veth", Some(5), None),
        ];
        let names = |of: usize| {
            let mut indices: Vec<_> = below(&all[of], &all).iter().map(|l| l.index).collect();
            indices.sort_unstable();
            indices
        };
        assert_eq!(names(0), [2, 3, 4, 5]);
        assert_eq!(names(2), [4]);
        assert!(names(4).is_empty());
        assert_eq!(other_end(&all[4], &all).unwrap().index, 6);
        assert_eq!(other_end(&all[1], &all), None);
        assert_eq!(other_end(&link(7, "veth", None, None), &all), None);
    }
}

//! Network interfaces, as far as a balancer cares.

use std::fmt;

use netlink_packet_route::link::{
    InfoData, InfoVlan, LinkAttribute, LinkFlags, LinkInfo, LinkLayerType, LinkMessage, LinkXdp,
    XdpAttached,
};
use rtnetlink::Handle;

use super::{NetError, request};

/// A network interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// The kernel's number of the interface, unique in its network namespace.
    pub index: u32,
    /// The name, such as `lb0`.
    pub name: String,
    /// The MAC address in the order it has on the wire; only Ethernet interfaces have one.
    pub mac: Option<[u8; 6]>,
    /// The largest IP packet it takes, in bytes, without the Ethernet header.
    pub mtu: u32,
    /// Whether it was switched on (`ip link set up`).
    pub up: bool,
    /// Whether there is a signal: a cable, a peer that is up.
    pub carrier: bool,
    /// The XDP program on it.
    pub xdp: Option<AttachedXdp>,
    /// The driver's kind of a virtual interface, such as `vlan`, `bridge`, `veth` or `bond`; none
    /// for a real NIC.
    pub kind: Option<String>,
    /// For a VLAN interface, what it stands for.
    pub vlan: Option<Vlan>,
    /// The index of the interface that a VLAN or macvlan stands on, or of a veth's other end; none if that is in
    /// another network namespace.
    pub lower: Option<u32>,
    /// The index of the bridge, bond or VRF that this interface is a port of.
    pub master: Option<u32>,
}

/// What a VLAN interface stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vlan {
    /// The index of the interface that carries the tagged frames.
    pub parent: u32,
    /// The VLAN id, 0 to 4095.
    pub id: u16,
}

/// An XDP program on an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttachedXdp {
    /// The kernel's id of the program.
    pub program_id: u32,
    /// Where it runs.
    pub mode: XdpMode,
}

/// Where an XDP program runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum XdpMode {
    /// In the driver.
    Native,
    /// In the kernel's generic receive path, on socket buffers.
    Generic,
    /// On the NIC itself.
    Offload,
    /// In several places at once; the id is that of the program nearest to the driver.
    Multi,
}

impl fmt::Display for XdpMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Native => "native",
            Self::Generic => "generic",
            Self::Offload => "offload",
            Self::Multi => "multi",
        })
    }
}

/// All interfaces of the namespace.
///
/// # Errors
/// [`NetError::Refused`], [`NetError::NoAnswer`] or [`NetError::Closed`] if the kernel cannot be
/// asked.
pub async fn links(handle: &Handle) -> Result<Vec<Link>, NetError> {
    let messages = request::collect(
        || "list the interfaces".to_owned(),
        handle.link().get().execute(),
    )
    .await?;
    Ok(messages.iter().map(Link::from).collect())
}

/// The interface of this name.
///
/// # Errors
/// [`NetError::NoSuchInterface`], with the names that exist; else as [`links`].
pub async fn link_by_name(handle: &Handle, name: &str) -> Result<Link, NetError> {
    let links = links(handle).await?;
    match links.iter().position(|link| link.name == name) {
        Some(at) => links.into_iter().nth(at).ok_or(NetError::Closed),
        None => Err(NetError::no_such_interface(
            name,
            links.into_iter().map(|link| link.name).collect(),
        )),
    }
}

/// The interface of this index.
///
/// # Errors
/// [`NetError::NoSuchIndex`]; else as [`links`].
pub async fn link_by_index(handle: &Handle, index: u32) -> Result<Link, NetError> {
    links(handle)
        .await?
        .into_iter()
        .find(|link| link.index == index)
        .ok_or(NetError::NoSuchIndex(index))
}

impl From<&LinkMessage> for Link {
    fn from(message: &LinkMessage) -> Self {
        let mut link = Self {
            index: message.header.index,
            name: String::new(),
            mac: None,
            mtu: 0,
            up: message.header.flags.contains(LinkFlags::Up),
            carrier: message.header.flags.contains(LinkFlags::LowerUp),
            xdp: None,
            kind: None,
            vlan: None,
            lower: None,
            master: None,
        };
        let ethernet = message.header.link_layer_type == LinkLayerType::Ether;
        let (mut below, mut elsewhere, mut vlan_id) = (None, false, None);
        for attribute in &message.attributes {
            match attribute {
                LinkAttribute::IfName(name) => link.name.clone_from(name),
                LinkAttribute::Address(bytes) if ethernet => {
                    link.mac = bytes.as_slice().try_into().ok();
                }
                LinkAttribute::Mtu(mtu) => link.mtu = *mtu,
                LinkAttribute::Link(index) => below = Some(*index),
                LinkAttribute::LinkNetNsId(_) => elsewhere = true,
                LinkAttribute::Controller(index) => link.master = Some(*index),
                LinkAttribute::Xdp(xdp) => link.xdp = attached(xdp),
                LinkAttribute::LinkInfo(infos) => {
                    for info in infos {
                        match info {
                            LinkInfo::Kind(kind) => link.kind = Some(kind.to_string()),
                            LinkInfo::Data(InfoData::Vlan(data)) => vlan_id = id_of(data),
                            _ => {}
                        }
                    }
                }
                _ => {}
            }
        }
        link.lower = below.filter(|_| !elsewhere);
        link.vlan = below.zip(vlan_id).map(|(parent, id)| Vlan { parent, id });
        link
    }
}

fn id_of(data: &[InfoVlan]) -> Option<u16> {
    data.iter().find_map(|info| match info {
        InfoVlan::Id(id) => Some(*id),
        _ => None,
    })
}

/// The program of a link's XDP attributes. With several programs the kernel gives no
/// `IFLA_XDP_PROG_ID`, only the ids per place (`rtnl_xdp_fill` in net/core/rtnetlink.c).
fn attached(attributes: &[LinkXdp]) -> Option<AttachedXdp> {
    let mode = attributes.iter().find_map(|attribute| match attribute {
        LinkXdp::Attached(XdpAttached::Driver) => Some(XdpMode::Native),
        LinkXdp::Attached(XdpAttached::SocketBuffer) => Some(XdpMode::Generic),
        LinkXdp::Attached(XdpAttached::Hardware) => Some(XdpMode::Offload),
        LinkXdp::Attached(XdpAttached::Multiple) => Some(XdpMode::Multi),
        _ => None,
    })?;
    let id = |pick: fn(&LinkXdp) -> Option<u32>| attributes.iter().find_map(pick);
    let program_id = id(|attribute| {
        if let LinkXdp::ProgId(id) = attribute {
            Some(*id)
        } else {
            None
        }
    })
    .or_else(|| {
        id(|attribute| {
            if let LinkXdp::DrvProgId(id) = attribute {
                Some(*id)
            } else {
                None
            }
        })
    })
    .or_else(|| {
        id(|attribute| {
            if let LinkXdp::HwProgId(id) = attribute {
                Some(*id)
            } else {
                None
            }
        })
    })
    .or_else(|| {
        id(|attribute| {
            if let LinkXdp::SkbProgId(id) = attribute {
                Some(*id)
            } else {
                None
            }
        })
    })?;
    Some(AttachedXdp { program_id, mode })
}

#[cfg(test)]
mod tests;

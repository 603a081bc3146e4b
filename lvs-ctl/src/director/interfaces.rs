//! The interfaces that a program is attached to.

use anyhow::{Result, bail};

use crate::{
    config::XdpMode,
    datapath::{AttachError, AttachMode, Attacher},
    net::{self, Link},
};

/// An interface that can be attached to.
#[derive(Clone, Debug)]
pub(super) struct Interface {
    link: Link,
    mac: [u8; 6],
}

/// Looks up the interfaces of these names.
///
/// # Errors
/// If one does not exist, is not Ethernet, or has an XDP program already.
pub(super) async fn find(names: &[String]) -> Result<Vec<Interface>> {
    let handle = net::connect()?;
    let mut found = Vec::new();
    for name in names {
        let link = net::link_by_name(&handle, name).await?;
        let Some(mac) = link.mac else {
            bail!("{name} is not an Ethernet interface: there are no MAC addresses");
        };
        if let Some(xdp) = link.xdp {
            bail!("{}; stop that first", busy(name, Some(xdp)));
        }
        if !link.up {
            log::warn!("{name} is down; type: ip link set {name} up");
        }
        found.push(Interface { link, mac });
    }
    Ok(found)
}

fn busy(name: &str, xdp: Option<net::AttachedXdp>) -> String {
    let Some(xdp) = xdp else {
        return format!("{name} already has another XDP program");
    };
    let program = format!(
        "{name} already has XDP program {} ({})",
        xdp.program_id, xdp.mode
    );
    match net::holder(xdp.program_id) {
        Some(holder) => format!("{program}, held by {} (pid {})", holder.command, holder.pid),
        None => format!("{program}, held by no process that can be seen"),
    }
}

/// Attaches the program to all of them.
///
/// # Errors
/// If one refuses; dropping what the attacher is of detaches the others.
pub(super) fn attach(
    attacher: &mut Attacher<'_>,
    interfaces: &[Interface],
    mode: XdpMode,
) -> Result<()> {
    for Interface { link, mac } in interfaces {
        attacher.set_interface(link.index, *mac, link.mtu)?;
    }
    for Interface { link, .. } in interfaces {
        let name = &link.name;
        let first = match mode {
            XdpMode::Auto | XdpMode::Native => AttachMode::Native,
            XdpMode::Generic => AttachMode::Generic,
        };
        let attached = match attacher.attach(link.index, first) {
            Err(AttachError::Unsupported(reason)) if mode == XdpMode::Auto => {
                log::warn!(
                    "{name} runs in generic mode, at a fraction of the speed: its driver does not \
                     take XDP programs ({reason})"
                );
                attacher.attach(link.index, AttachMode::Generic)
            }
            attached => attached,
        };
        attached.map_err(|error| explain(name, mode, error))?;
    }
    Ok(())
}

fn explain(name: &str, mode: XdpMode, error: AttachError) -> anyhow::Error {
    let hint = match &error {
        AttachError::Busy => return anyhow::anyhow!("{}; stop that first", busy(name, None)),
        AttachError::Unsupported(_) if mode == XdpMode::Native => {
            "; mode generic works on any interface, at a fraction of the speed"
        }
        AttachError::Unsupported(_) | AttachError::Other(_) => "",
    };
    anyhow::Error::new(error).context(format!("cannot attach to {name}{hint}"))
}

/// Their indices.
pub(super) fn indices(interfaces: &[Interface]) -> impl Iterator<Item = u32> {
    interfaces.iter().map(|interface| interface.link.index)
}

/// Their names, for a message.
pub(super) fn names(interfaces: &[Interface]) -> String {
    let names: Vec<&str> = interfaces
        .iter()
        .map(|interface| interface.link.name.as_str())
        .collect();
    names.join(", ")
}

//! The interfaces that a program is attached to.

use anyhow::{Result, anyhow, bail};

use super::{
    links,
    offloads::{Purpose, Surroundings},
    refusal,
};
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
    /// The other end of a veth, where it can be seen.
    end: Option<Link>,
    surroundings: Surroundings,
}

/// Looks up the interfaces of these names, for a program that is to be attached in this mode.
///
/// # Errors
/// If one does not exist, is not Ethernet, has an XDP program already, or is set up so that XDP cannot work.
pub(super) async fn find(names: &[String], mode: XdpMode) -> Result<Vec<Interface>> {
    let handle = net::connect()?;
    let all = net::links(&handle).await?;
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
        let surroundings = Surroundings::of(&link, &all)?;
        surroundings.check(mode)?;
        found.push(Interface {
            mac,
            end: links::other_end(&link, &all).cloned(),
            surroundings,
            link,
        });
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

/// Attaches the program to all of them, and says what is around them that its work suffers from.
///
/// # Errors
/// If one refuses; dropping what the attacher is of detaches the others.
pub(super) fn attach(
    attacher: &mut Attacher<'_>,
    interfaces: &[Interface],
    mode: XdpMode,
    purpose: Purpose,
) -> Result<()> {
    for Interface { link, mac, .. } in interfaces {
        attacher.set_interface(link.index, *mac, link.mtu)?;
    }
    for interface in interfaces {
        let attached = attach_one(attacher, interface, mode)?;
        for remark in interface.surroundings.remarks(attached, purpose) {
            remark.log();
        }
    }
    Ok(())
}

/// Attaches it to one; this is where it runs.
fn attach_one(
    attacher: &mut Attacher<'_>,
    interface: &Interface,
    mode: XdpMode,
) -> Result<AttachMode> {
    let Interface { link, end, .. } = interface;
    let first = match mode {
        XdpMode::Auto | XdpMode::Native => AttachMode::Native,
        XdpMode::Generic => AttachMode::Generic,
    };
    let Err(error) = attacher.attach(link.index, first) else {
        return Ok(first);
    };
    let name = &link.name;
    let reason = refusal::of_driver(&error, link, end.as_ref());
    match (reason, mode) {
        (Some(reason), XdpMode::Auto) => {
            log::warn!("{name} runs in generic mode, at a fraction of the speed: {reason}");
            let attached = attacher.attach(link.index, AttachMode::Generic);
            attached.map_err(|error| explain(name, error))?;
            Ok(AttachMode::Generic)
        }
        (Some(reason), XdpMode::Native) => Err(anyhow!(
            "cannot attach to {name}: {reason}; mode generic works on any interface, at a fraction of the \
             speed"
        )),
        _ => Err(explain(name, error)),
    }
}

fn explain(name: &str, error: AttachError) -> anyhow::Error {
    match error {
        AttachError::Busy => anyhow!("{}; stop that first", busy(name, None)),
        other => anyhow::Error::new(other).context(format!("cannot attach to {name}")),
    }
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

//! What interfaces do to frames that a program there should know of, and what to type against it.

use anyhow::{Result, ensure};
use log::Level;

use super::links;
use crate::{
    config::{Config, XdpMode},
    datapath::AttachMode,
    net::{self, Link, NetError, Offloads},
};

/// What the program does on its interfaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// It sends packets on.
    Forwards {
        /// The configuration names VLANs.
        tags: bool,
    },
    /// It takes packets out of tunnels, and passes all to the host: that knows what is left to do.
    TakesOut,
}

impl Purpose {
    /// Of a director.
    pub(super) fn of(config: &Config) -> Self {
        let mut backends = config.services.iter().flat_map(|service| &service.backends);
        Self::Forwards {
            tags: backends.any(|backend| backend.tags[0] != 0),
        }
    }
}

/// Offloads of an interface and of what is around it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Surroundings {
    name: String,
    own: Offloads,
    /// A VLAN device on it.
    vlan: Option<String>,
    /// Of a veth, what can be seen of its other end.
    end: Option<End>,
    /// Interfaces below it at which the kernel merges packets.
    merging: Vec<String>,
}

/// The other end of a veth.
#[derive(Clone, Debug, PartialEq, Eq)]
enum End {
    /// It is in another network namespace.
    Elsewhere,
    /// It is in this one.
    Here {
        name: String,
        offloads: Offloads,
        /// It has an XDP program that runs in the driver.
        xdp: bool,
    },
}

/// Something that an operator should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Remark {
    level: Level,
    words: String,
}

impl Remark {
    fn new(level: Level, words: String) -> Self {
        Self { level, words }
    }

    /// Tells the operator.
    pub(super) fn log(&self) {
        log::log!(self.level, "{}", self.words);
    }
}

impl Surroundings {
    /// Looks around an interface among all of the namespace.
    ///
    /// # Errors
    /// If the kernel cannot be asked.
    pub(super) fn of(link: &Link, all: &[Link]) -> Result<Self, NetError> {
        let on_it = |other: &&Link| other.vlan.is_some_and(|vlan| vlan.parent == link.index);
        let end = match links::other_end(link, all) {
            Some(end) => Some(End::Here {
                name: end.name.clone(),
                offloads: net::offloads(&end.name)?,
                xdp: end.xdp.is_some_and(|xdp| xdp.mode != net::XdpMode::Generic),
            }),
            None if links::is_veth(link) => Some(End::Elsewhere),
            None => None,
        };
        let mut merging = Vec::new();
        for below in links::below(link, all) {
            if net::offloads(&below.name)?.gro {
                merging.push(below.name.clone());
            }
        }
        Ok(Self {
            name: link.name.clone(),
            own: net::offloads(&link.name)?,
            vlan: all.iter().find(on_it).map(|other| other.name.clone()),
            end,
            merging,
        })
    }

    /// Whether a program may be attached here at all.
    ///
    /// # Errors
    /// If the hardware merges packets, unless the kernel ends that by itself: drivers refuse a program as long
    /// as it does, while generic mode switches it off (`generic_xdp_install` in net/core/dev.c).
    pub(super) fn check(&self, mode: XdpMode) -> Result<()> {
        let name = &self.name;
        ensure!(
            !self.own.lro || mode == XdpMode::Generic,
            "{name} merges the packets that it receives (large-receive-offload is on), and XDP must see \
             each; type: ethtool -K {name} lro off"
        );
        Ok(())
    }

    /// What there is to say of a program that runs in this mode.
    pub(super) fn remarks(&self, mode: AttachMode, purpose: Purpose) -> Vec<Remark> {
        let mut remarks = Vec::new();
        if mode == AttachMode::Generic {
            remarks.extend(self.lro_goes());
        }
        let Purpose::Forwards { tags } = purpose else {
            return remarks;
        };
        let tags = match (&self.vlan, tags) {
            (Some(vlan), _) => Some(format!("{vlan} is a VLAN on it")),
            (None, true) => Some("the configuration has `vlan`".to_owned()),
            (None, false) => None,
        };
        match &self.end {
            None => remarks.extend(self.tags_taken_off(tags)),
            Some(End::Elsewhere) => {
                remarks.push(self.unseen_end_leaves(tags.is_some()));
                if mode == AttachMode::Native {
                    remarks.push(self.unseen_end_takes());
                }
            }
            Some(End::Here {
                name,
                offloads,
                xdp,
            }) => {
                remarks.extend(self.end_leaves_checksums(name, *offloads));
                remarks.extend(self.end_leaves_tags(name, *offloads, tags));
                if mode == AttachMode::Native && !xdp {
                    remarks.push(self.end_takes_nothing(name, offloads.gro));
                }
            }
        }
        if mode == AttachMode::Generic {
            remarks.extend(self.merged_below());
        }
        remarks
    }

    /// Most networks have no tags: then nothing is wrong. Where there are some, a frame without its tag is
    /// taken for one of the untagged network.
    fn tags_taken_off(&self, tags: Option<String>) -> Option<Remark> {
        let name = &self.name;
        self.own.rxvlan.then(|| match tags {
            Some(why) => Remark::new(
                Level::Warn,
                format!(
                    "{name} takes VLAN tags off before the program sees a frame (rx-vlan-offload is on), \
                     and {why}: packets of tagged networks are taken for untagged ones, and answers to \
                     them go out untagged; type: ethtool -K {name} rxvlan off"
                ),
            ),
            None => Remark::new(
                Level::Debug,
                format!(
                    "{name} takes VLAN tags off before the program sees a frame (rx-vlan-offload is on); \
                     nothing here has any"
                ),
            ),
        })
    }

    /// In native mode a checksum is then missing. In generic mode the kernel adds it later, but a packet can be
    /// longer than the MTU: where checksums are left to hardware, segmentation is too.
    fn end_leaves_checksums(&self, end: &str, offloads: Offloads) -> Option<Remark> {
        let name = &self.name;
        offloads.tx.then(|| {
            Remark::new(
                Level::Warn,
                format!(
                    "{end}, the other end of {name}, leaves checksums and segmentation to hardware that a \
                     veth has not: what this machine sends by it has wrong checksums or is too long, and \
                     gets lost when the program sends it on; type: ethtool -K {end} tx off"
                ),
            )
        })
    }

    fn end_leaves_tags(
        &self,
        end: &str,
        offloads: Offloads,
        tags: Option<String>,
    ) -> Option<Remark> {
        let name = &self.name;
        let why = tags.filter(|_| offloads.txvlan)?;
        Some(Remark::new(
            Level::Warn,
            format!(
                "{end}, the other end of {name}, leaves VLAN tags to hardware that a veth has not, and \
                 {why}: the program does not see them; type: ethtool -K {end} txvlan off"
            ),
        ))
    }

    /// By `XDP_TX`, frames get to the other end and wait there until its program would be run; by a redirect
    /// it is enough that the other end has NAPI (`veth_xdp_xmit` and `veth_xdp_flush` in drivers/net/veth.c).
    fn end_takes_nothing(&self, end: &str, gro: bool) -> Remark {
        let name = &self.name;
        let (what, enough) = if gro {
            ("come by it and are sent back by it", String::new())
        } else {
            let enough = format!(
                "; for packets that came by another interface it is enough to type: ethtool -K {end} gro on"
            );
            ("are sent by it", enough)
        };
        Remark::new(
            Level::Warn,
            format!(
                "{end}, the other end of {name}, has no XDP program: packets that {what} are lost \
                 without a word; attach one there, which may be one that does nothing: {}{enough}",
                idle(end)
            ),
        )
    }

    fn unseen_end_leaves(&self, tags: bool) -> Remark {
        let name = &self.name;
        let (too, txvlan) = if tags {
            (", segmentation and VLAN tags", " txvlan off")
        } else {
            (" and segmentation", "")
        };
        Remark::new(
            Level::Info,
            format!(
                "{name} is a veth whose other end is in another network namespace: if that leaves \
                 checksums{too} to hardware, which a veth has not, what comes by it gets lost when the \
                 program sends it on; type there: ethtool -K OTHER-END tx off{txvlan}"
            ),
        )
    }

    fn unseen_end_takes(&self) -> Remark {
        let name = &self.name;
        Remark::new(
            Level::Info,
            format!(
                "{name} is a veth: what the program sends by it is lost without a word unless the other \
                 end has an XDP program, or for packets that came by another interface at least GRO; \
                 type there: {}, or ethtool -K OTHER-END gro on",
                idle("OTHER-END")
            ),
        )
    }

    fn lro_goes(&self) -> Option<Remark> {
        let name = &self.name;
        self.own.lro.then(|| {
            Remark::new(
                Level::Info,
                format!(
                    "{name} merges the packets that it receives (large-receive-offload is on): the kernel \
                     switches that off for generic mode, and not on again"
                ),
            )
        })
    }

    /// An interface with a generic program merges nothing itself (`netif_elide_gro` in
    /// include/linux/netdevice.h); those below it do not know of the program.
    fn merged_below(&self) -> Option<Remark> {
        let (name, below) = (&self.name, self.merging.join(", "));
        let commands: Vec<_> = self
            .merging
            .iter()
            .map(|below| format!("ethtool -K {below} gro off"))
            .collect();
        (!below.is_empty()).then(|| {
            Remark::new(
                Level::Warn,
                format!(
                    "{below} below {name} merges packets before the program sees them \
                     (generic-receive-offload is on), and what is longer than the MTU cannot be sent on: \
                     uploads stall; type: {}",
                    commands.join("; ")
                ),
            )
        })
    }
}

/// What attaches a program that passes everything: tunnels between addresses that nobody has (RFC 5737).
fn idle(end: &str) -> String {
    format!("lvs-ctl decap -i {end} -e 192.0.2.1 -f 192.0.2.1")
}

#[cfg(test)]
mod tests;

//! Attaching a program to interfaces.

use std::{fmt, io};

use anyhow::{Context as _, Result, bail};
use aya::{
    maps::{Array, MapData},
    programs::{ProgramError, XdpMode},
};
use lvs_common::map::{INTERFACE_SLOTS, Interface, name};
use nix::errno::Errno;

use super::{entry::Entry, object::Object};

/// Where the program runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttachMode {
    /// In the driver.
    Native,
    /// In the kernel's stack, after it has built a socket buffer.
    Generic,
}

impl fmt::Display for AttachMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Native => "native",
            Self::Generic => "generic",
        })
    }
}

/// Why an interface does not take the program.
#[derive(Debug, thiserror::Error)]
pub enum AttachError {
    /// The driver has no XDP, or not for how the interface is set up.
    #[error("its driver does not take XDP programs: {0}")]
    Unsupported(io::Error),
    /// Packets may be longer than what the driver has room for beside a program.
    #[error("its MTU is more than the driver takes with XDP: {0}")]
    MtuTooLarge(io::Error),
    /// The interface has fewer queues than that needs.
    #[error("it has too few queues for XDP: {0}")]
    TooFewQueues(io::Error),
    /// There is a program already.
    #[error("another XDP program is attached to it")]
    Busy,
    /// Anything else.
    #[error("the kernel refuses: {0}")]
    Other(#[source] anyhow::Error),
}

/// A loaded program on its way to interfaces.
pub struct Attacher<'a> {
    object: &'a mut Object,
    program: &'static str,
}

impl<'a> Attacher<'a> {
    /// Of the program of this name.
    pub(super) fn new(object: &'a mut Object, program: &'static str) -> Self {
        Self { object, program }
    }

    /// Makes an interface's MAC address known, which must be before the program is attached there.
    ///
    /// # Errors
    /// If the kernel refuses, and if another interface's index has the same place.
    pub fn set_interface(&mut self, index: u32, mac: [u8; 6], mtu: u32) -> Result<()> {
        let mut interfaces: Array<MapData, Entry<Interface>> =
            self.object.open(name::INTERFACES)?.try_into()?;
        let place = index % INTERFACE_SLOTS;
        let other = interfaces.get(&place, 0).context(name::INTERFACES)?.0.index;
        if other != 0 && other != index {
            bail!(
                "interfaces {other} and {index} cannot both be attached: their indices are the \
                 same modulo {INTERFACE_SLOTS}; create one of them anew to give it another index"
            );
        }
        let entry = Entry(Interface::new(index, mac, mtu));
        interfaces.set(place, entry, 0).context(name::INTERFACES)
    }

    /// Attaches the program to the interface with this index until its object is dropped.
    ///
    /// # Errors
    /// See [`AttachError`].
    pub fn attach(&mut self, interface: u32, mode: AttachMode) -> Result<(), AttachError> {
        let flags = match mode {
            AttachMode::Native => XdpMode::Driver,
            AttachMode::Generic => XdpMode::Skb,
        };
        let program = self.object.program_mut(self.program);
        let program = program.map_err(AttachError::Other)?;
        match program.attach_to_if_index(interface, flags) {
            // The link belongs to the program, which detaches it when it goes.
            Ok(_link) => Ok(()),
            Err(ProgramError::SyscallError(error)) => Err(of_errno(error.io_error)),
            Err(error) => Err(AttachError::Other(error.into())),
        }
    }
}

/// The kernel's answer in words (`dev_xdp_attach` in `net/core/dev.c`, and the drivers' set-up). Of an MTU that
/// is too large veth says `ERANGE`; other drivers say what they say of anything that is not as they need it.
fn of_errno(error: io::Error) -> AttachError {
    match error.raw_os_error().map(Errno::from_raw) {
        Some(Errno::EBUSY | Errno::EEXIST) => AttachError::Busy,
        Some(Errno::ERANGE) => AttachError::MtuTooLarge(error),
        Some(Errno::ENOSPC) => AttachError::TooFewQueues(error),
        Some(Errno::EOPNOTSUPP | Errno::EINVAL) => AttachError::Unsupported(error),
        _ => AttachError::Other(error.into()),
    }
}

//! Attaching the program to interfaces.

use std::{fmt, io};

use anyhow::Result;
use aya::programs::{ProgramError, XdpMode};
use nix::errno::Errno;

use super::load::Datapath;

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
    /// There is a program already.
    #[error("another XDP program is attached to it")]
    Busy,
    /// Anything else.
    #[error("the kernel refuses: {0}")]
    Other(#[source] anyhow::Error),
}

impl Datapath {
    /// Attaches the program to the interface with this index until the data plane is dropped.
    ///
    /// # Errors
    /// See [`AttachError`].
    pub fn attach(&mut self, interface: u32, mode: AttachMode) -> Result<(), AttachError> {
        let flags = match mode {
            AttachMode::Native => XdpMode::Driver,
            AttachMode::Generic => XdpMode::Skb,
        };
        let program = self.main_program().map_err(AttachError::Other)?;
        match program.attach_to_if_index(interface, flags) {
            // The link belongs to the program, which detaches it when it goes.
            Ok(_link) => Ok(()),
            Err(ProgramError::SyscallError(error)) => Err(of_errno(error.io_error)),
            Err(error) => Err(AttachError::Other(error.into())),
        }
    }
}

/// The kernel's answer in words (`dev_xdp_attach` in `net/core/dev.c`, and the drivers' set-up).
fn of_errno(error: io::Error) -> AttachError {
    match error.raw_os_error().map(Errno::from_raw) {
        Some(Errno::EBUSY | Errno::EEXIST) => AttachError::Busy,
        Some(Errno::EOPNOTSUPP | Errno::ERANGE | Errno::EINVAL | Errno::ENOSPC) => {
            AttachError::Unsupported(error)
        }
        _ => AttachError::Other(error.into()),
    }
}

//! What the data plane logs of single packets.

use anyhow::{Context as _, Result};
use aya::Ebpf;
use aya_log::EbpfLogger;
use tokio::io::unix::AsyncFd;

/// The way of the data plane's log records to this process's log.
pub struct PacketLog(AsyncFd<EbpfLogger<&'static dyn log::Log>>);

impl PacketLog {
    /// Opens it. Must be called within a tokio runtime.
    pub(super) fn new(ebpf: &mut Ebpf) -> Result<Self> {
        let logger = EbpfLogger::init(ebpf).context("cannot read the data plane's log")?;
        // SAFETY: the logger owns its file descriptor, always the same one, until it is dropped.
        let logger = unsafe { AsyncFd::register(logger) };
        Ok(Self(
            logger.context("cannot wait for the data plane's log")?,
        ))
    }

    /// Waits until there are records, and passes them on.
    ///
    /// # Errors
    /// If they cannot be waited for.
    pub async fn pass_on(&mut self) -> Result<()> {
        let mut ready = self
            .0
            .readable_mut()
            .await
            .context("the data plane's log is gone")?;
        ready.get_inner_mut().flush();
        ready.clear_ready();
        Ok(())
    }
}

//! Asking over netlink: the connection, and how an answer becomes a value or an error.

use std::{future::Future, io, time::Duration};

use futures::{Stream, TryStreamExt as _};
use rtnetlink::Handle;

use super::NetError;

/// How long an answer may take. The kernel answers within the system call; this only guards against
/// an answer that was lost or could not be decoded, for which the netlink library would wait for
/// ever.
const PATIENCE: Duration = Duration::from_secs(2);

/// Opens a route netlink socket in the calling thread's network namespace and serves it from the
/// current runtime until the last clone of the handle is dropped. Must be called within a tokio
/// runtime.
///
/// # Errors
/// [`NetError::Open`] if the socket cannot be opened.
pub fn connect() -> Result<Handle, NetError> {
    let (connection, handle, _) = rtnetlink::new_connection().map_err(NetError::Open)?;
    tokio::spawn(connection);
    Ok(handle)
}

/// Everything a request answers with; `request` says what it wants, as a verb phrase.
pub(super) async fn collect<T>(
    request: impl FnOnce() -> String,
    answers: impl Stream<Item = Result<T, rtnetlink::Error>>,
) -> Result<Vec<T>, NetError> {
    complete(request, answers.try_collect()).await
}

/// The outcome of a request; `request` says what it wants, as a verb phrase.
pub(super) async fn complete<T>(
    request: impl FnOnce() -> String,
    outcome: impl Future<Output = Result<T, rtnetlink::Error>>,
) -> Result<T, NetError> {
    match tokio::time::timeout(PATIENCE, outcome).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(rtnetlink::Error::NetlinkError(error))) => Err(NetError::Refused {
            request: request(),
            source: error.to_io(),
        }),
        Ok(Err(rtnetlink::Error::RequestFailed)) => Err(NetError::Closed),
        Ok(Err(other)) => Err(NetError::Refused {
            request: request(),
            source: io::Error::other(other),
        }),
        Err(tokio::time::error::Elapsed { .. }) => Err(NetError::NoAnswer { request: request() }),
    }
}

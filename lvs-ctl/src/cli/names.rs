//! What map entries are called in output.

use lvs_common::map::Service;

/// A service's name.
pub(super) fn service(service: &Service) -> String {
    let name = service
        .name
        .split(|byte| *byte == 0)
        .next()
        .unwrap_or_default();
    String::from_utf8_lossy(name).into_owned()
}

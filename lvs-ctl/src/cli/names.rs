//! What map entries are called in output.

use std::net::SocketAddr;

use anyhow::{Context as _, Result};
use lvs_common::{
    Family,
    map::{Address, Service},
};

/// A service's name.
pub(super) fn service(service: &Service) -> String {
    let name = service
        .name
        .split(|byte| *byte == 0)
        .next()
        .unwrap_or_default();
    String::from_utf8_lossy(name).into_owned()
}

/// Address and port of an entry; `family` is a number of [`Family`], `port` in network byte order.
pub(super) fn socket_address(address: Address, family: u8, port: u16) -> Result<SocketAddr> {
    let family = Family::from_number(family).context("an unknown address family")?;
    Ok(SocketAddr::new(address.to_ip(family), u16::from_be(port)))
}

//! What an interface does to frames before anybody sees them, by ethtool's ioctl.

use std::{
    ffi::{c_char, c_ulong},
    io,
    os::{fd::AsRawFd as _, unix::net::UnixDatagram},
    ptr,
};

use super::NetError;

/// The request of ioctl(2) that carries ethtool's commands (include/uapi/linux/sockios.h).
const SIOCETHTOOL: c_ulong = 0x8946;

/// Commands that answer with a number (include/uapi/linux/ethtool.h). Kernels of today translate them into
/// features (`ethtool_get_feature_mask` and `__ethtool_get_flags` in net/ethtool/ioctl.c).
const ETHTOOL_GTXCSUM: u32 = 0x16;
const ETHTOOL_GFLAGS: u32 = 0x25;
const ETHTOOL_GGRO: u32 = 0x2b;

/// Bits of the answer to `ETHTOOL_GFLAGS`.
const ETH_FLAG_TXVLAN: u32 = 1 << 7;
const ETH_FLAG_RXVLAN: u32 = 1 << 8;
const ETH_FLAG_LRO: u32 = 1 << 15;

/// The offloads of an interface that concern who reads its frames; named as `ethtool -K` does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent switches of the kernel"
)]
pub struct Offloads {
    /// `tx`: checksums of what is sent are left to the hardware.
    pub tx: bool,
    /// `txvlan`: so are VLAN tags.
    pub txvlan: bool,
    /// `rxvlan`: VLAN tags of what is received are taken off by the hardware.
    pub rxvlan: bool,
    /// `lro`: the hardware merges what it receives.
    pub lro: bool,
    /// `gro`: the kernel does.
    pub gro: bool,
}

/// The offloads of the interface of this name in the calling thread's network namespace.
///
/// # Errors
/// [`NetError::Open`], or [`NetError::Refused`] if there is no such interface.
pub fn offloads(interface: &str) -> Result<Offloads, NetError> {
    // Any socket does; this one takes no port and no capability.
    let socket = UnixDatagram::unbound().map_err(NetError::Open)?;
    let ask = |command| {
        number(&socket, interface, command).map_err(|source| NetError::Refused {
            request: format!("ask for the offloads of {interface}"),
            source,
        })
    };
    let flags = ask(ETHTOOL_GFLAGS)?;
    Ok(Offloads {
        tx: ask(ETHTOOL_GTXCSUM)? != 0,
        txvlan: flags & ETH_FLAG_TXVLAN != 0,
        rxvlan: flags & ETH_FLAG_RXVLAN != 0,
        lro: flags & ETH_FLAG_LRO != 0,
        gro: ask(ETHTOOL_GGRO)? != 0,
    })
}

/// `struct ethtool_value`.
#[repr(C)]
struct Value {
    command: u32,
    data: u32,
}

/// The answer to a command that has one number; 0 for an interface that does not know the command.
fn number(socket: &UnixDatagram, interface: &str, command: u32) -> io::Result<u32> {
    let mut value = Value { command, data: 0 };
    let mut request = libc::ifreq {
        ifr_name: name(interface)?,
        ifr_ifru: libc::__c_anonymous_ifr_ifru {
            ifru_data: ptr::from_mut(&mut value).cast(),
        },
    };
    // SAFETY: SIOCETHTOOL takes an ifreq whose data points to what the command, the first word there, says;
    // those of this file have a `struct ethtool_value`. Both live until the call returns.
    if unsafe { libc::ioctl(socket.as_raw_fd(), SIOCETHTOOL, &raw mut request) } == 0 {
        return Ok(value.data);
    }
    match io::Error::last_os_error() {
        error if error.raw_os_error() == Some(libc::EOPNOTSUPP) => Ok(0),
        error => Err(error),
    }
}

/// The name as the kernel reads it: it ends with a NUL.
fn name(interface: &str) -> io::Result<[c_char; libc::IFNAMSIZ]> {
    let mut name = [0; libc::IFNAMSIZ];
    if interface.len() >= name.len() {
        return Err(io::Error::from_raw_os_error(libc::ENODEV));
    }
    for (place, byte) in name.iter_mut().zip(interface.bytes()) {
        *place = byte.cast_signed();
    }
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The loopback of every kernel computes no checksums, and has no tags.
    #[test]
    fn loopback_leaves_checksums_and_merges_nothing_itself() {
        let lo = offloads("lo").unwrap();
        assert!(lo.tx && !lo.lro && !lo.rxvlan && !lo.txvlan, "{lo:?}");
    }

    #[test]
    fn a_missing_interface_is_an_error_that_names_it() {
        for name in ["nonexistent0", "a-name-that-is-too-long"] {
            let error = offloads(name).unwrap_err();
            assert_eq!(error.errno(), Some(libc::ENODEV));
            assert!(error.to_string().contains(name), "{error}");
        }
    }
}

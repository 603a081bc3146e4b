//! The closed sets an operator chooses from, with the names that IPVS users know.

use core::{fmt, str::FromStr};

/// A name that is not in one of the sets of this module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownName;

impl fmt::Display for UnknownName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("unknown name")
    }
}

impl core::error::Error for UnknownName {}

macro_rules! named {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $number:literal, $text:literal;)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum $name { $($(#[$doc])* $variant = $number,)+ }

        impl $name {
            /// Every member, in the order of their numbers.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The name in configuration, commands and output.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }

            /// The member with this number in a map entry, if there is one.
            pub const fn from_number(number: u8) -> Option<Self> {
                match number { $($number => Some(Self::$variant),)+ _ => None }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = UnknownName;
            fn from_str(text: &str) -> Result<Self, UnknownName> {
                match text { $($text => Ok(Self::$variant),)+ _ => Err(UnknownName) }
            }
        }
    };
}

named! {
    /// Transport protocol of a service, by its IANA number.
    Protocol {
        /// TCP, RFC 9293.
        Tcp = 6, "tcp";
        /// UDP, RFC 768.
        Udp = 17, "udp";
    }
}

named! {
    /// Address family of a service, a tuple or a backend.
    Family {
        /// IPv4, RFC 791.
        Ipv4 = 4, "ipv4";
        /// IPv6, RFC 8200.
        Ipv6 = 6, "ipv6";
    }
}

named! {
    /// How a packet reaches its backend.
    ForwardingMode {
        /// Network address translation (ipvsadm: Masq): the packet gets the backend's address and port, its
        /// answers come back by here.
        Nat = 1, "nat";
        /// IP-IP tunnel (ipvsadm: Tunnel): the packet travels to the backend within another, of either family;
        /// the backend takes it out.
        Tun = 2, "tun";
        /// Direct routing (ipvsadm: Route): the frame goes to the backend's MAC address, the packet keeps the VIP.
        Dr = 3, "dr";
        /// Full translation: as NAT, and the source becomes an address and port of the balancer, to which
        /// the backend answers.
        FullNat = 5, "fullnat";
    }
}

impl ForwardingMode {
    /// Whether packets get other addresses, so that answers come back by here.
    #[inline(always)]
    pub const fn translates(self) -> bool {
        matches!(self, Self::Nat | Self::FullNat)
    }
}

named! {
    /// How the backend of a new flow is chosen.
    Scheduler {
        /// Round robin: every backend in turn, weights ignored but for 0.
        Rr = 0, "rr";
        /// Weighted round robin, in the order of the kernel's `ip_vs_wrr.c`.
        Wrr = 1, "wrr";
    }
}

named! {
    /// What becomes of a TCP segment of a service that belongs to no flow and opens none: the balancer
    /// has been restarted without its table, or the connection has expired.
    MidStream {
        /// On to the host, which answers with RST, as IPVS does.
        Pass = 1, "pass";
        /// Gone, without an answer.
        Drop = 2, "drop";
        /// To a backend, as if it opened the connection (IPVS: `sloppy_tcp`).
        Schedule = 3, "schedule";
    }
}

named! {
    /// What the client of a service without a usable backend is told.
    NoBackend {
        /// ICMP port unreachable, as IPVS does.
        Unreachable = 1, "unreachable";
        /// RST; with UDP as above.
        Reset = 2, "reset";
        /// Nothing.
        Drop = 3, "drop";
    }
}

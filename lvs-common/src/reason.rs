//! Why a packet left the program the way it did: every exit has exactly one reason.

/// What the network driver does with the frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Out again, to a backend.
    Forward,
    /// On to the host's network stack, untouched.
    Pass,
    /// Gone.
    Drop,
}

impl Verdict {
    /// The name in output.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Forward => "forward",
            Self::Pass => "pass",
            Self::Drop => "drop",
        }
    }
}

macro_rules! reasons {
    ($($(#[doc = $doc:literal])+ $variant:ident = $number:literal, $verdict:ident, $text:literal;)+) => {
        /// A way out of the program. Numbers are stable: new ones are added at the end.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u32)]
        pub enum Reason { $($(#[doc = $doc])+ $variant = $number,)+ }

        impl Reason {
            /// Every reason, in the order of their numbers.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The reason with this number, if there is one.
            pub const fn from_number(number: u32) -> Option<Self> {
                match number { $($number => Some(Self::$variant),)+ _ => None }
            }

            /// The name in statistics.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }

            /// What happens to the packet.
            pub const fn verdict(self) -> Verdict {
                match self { $(Self::$variant => Verdict::$verdict,)+ }
            }

            /// What it means to an operator.
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$variant => concat!($($doc),+).trim_ascii(),)+ }
            }
        }
    };
}

reasons! {
    /// Sent to its backend through the interface it came from.
    Sent = 0, Forward, "sent";
    /// Sent to its backend through another interface.
    Redirected = 1, Forward, "redirected";
    /// The frame is for another MAC address, or for a group.
    NotOurFrame = 2, Pass, "not-our-frame";
    /// Neither IPv4 nor IPv6: ARP, for one.
    NotIp = 3, Pass, "not-ip";
    /// The frame ends before the headers or the length they tell.
    Truncated = 4, Pass, "truncated";
    /// An IP header that contradicts itself.
    BadHeader = 5, Pass, "bad-header";
    /// Neither TCP nor UDP: ICMP, for one.
    OtherProtocol = 6, Pass, "other-protocol";
    /// A fragment of a datagram: the host may put it together.
    Fragment = 7, Pass, "fragment";
    /// No service has this address, port and protocol.
    NoService = 8, Pass, "no-service";
    /// A TCP segment that opens nothing and belongs to no flow: the host answers with RST.
    NoFlow = 9, Pass, "no-flow";
    /// The service has no backend that may take a new flow.
    NoBackend = 10, Drop, "no-backend";
    /// The backend's MAC address is not known.
    NoNextHop = 11, Drop, "no-next-hop";
    /// TTL or hop limit would reach zero here.
    TtlExceeded = 12, Drop, "ttl-exceeded";
    /// Longer than the MTU towards the backend.
    TooBig = 13, Drop, "too-big";
    /// The driver leaves no room before the frame for a longer header.
    NoRoom = 14, Drop, "no-room";
    /// The maps contradict each other: never anything but zero.
    Inconsistent = 15, Drop, "inconsistent";
    /// A TCP segment that opens nothing and belongs to no flow, of a service with `mid_stream: drop`.
    MidStream = 16, Drop, "mid-stream";
    /// NAT: the client has another connection with this backend from the same port, and no other backend is left.
    ReplyTaken = 17, Drop, "reply-taken";
    /// FULLNAT: every local address and port that was tried is in use with this backend.
    NoPort = 18, Drop, "no-port";
    /// The flow table has no place for a flow and its replies.
    NoPlace = 19, Drop, "no-place";
    /// Clients are behind more gateways than there is room for.
    NoGateway = 20, Drop, "no-gateway";
    /// For a backend that is this machine itself.
    Local = 21, Pass, "local";
    /// A tunnel that may end here comes from where none may.
    TunnelSource = 22, Drop, "tunnel-source";
    /// The tunnel saw congestion, and the packet within cannot be told so (RFC 6040).
    TunnelCongested = 23, Drop, "tunnel-congested";
    /// Taken out of a tunnel.
    Decapsulated = 24, Pass, "decapsulated";
    /// UDP without a checksum between families: IPv6 needs one.
    NoChecksum = 25, Drop, "no-checksum";
    /// Not a tunnel that ends here, on a machine that only ends tunnels.
    NoTunnel = 26, Pass, "no-tunnel";
    /// An ICMP error about a tunnel to a backend: the sender of the packet within was told, if the rate allowed it.
    TunnelError = 27, Drop, "tunnel-error";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_indices() {
        for (i, reason) in Reason::ALL.iter().enumerate() {
            assert_eq!(*reason as usize, i);
            assert_eq!(Reason::from_number(i as u32), Some(*reason));
            assert!(reason.meaning().ends_with('.'), "{reason:?}");
        }
    }
}

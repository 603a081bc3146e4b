//! Frames that end too early: nothing is sent that is not whole.

use lvs_common::{Reason, tcp};
use lvs_tests::packet::{Case, Frame};

use crate::farm::{SITES, Site, farm};

/// An Ethernet header: the least that the kernel runs a program on.
const SHORTEST: usize = 14;

/// Cut anywhere, with and without tags and options, as the first packet of a flow and as a later one.
#[test]
fn a_frame_cut_anywhere_passes_untouched() {
    let rig = farm();
    for site in SITES {
        let opening = site.first(1).bytes();
        rig.walk(&opening).expect("a walk");
        let kinds = [
            ("new", site.first(2)),
            ("of a flow", site.next(1)),
            ("tagged", site.next(1).tags(&[(0x8100, 5)])),
            (
                "tagged twice",
                site.next(1).tags(&[(0x88a8, 5), (0x8100, 6)]),
            ),
            ("with options", site.next(1).options(&[1; 12])),
        ];
        for (kind, frame) in kinds {
            let whole = frame.bytes();
            let cut = (SHORTEST..whole.len()).map(|len| {
                let what = format!("{}, {kind}: {len} of {} bytes", site.name(), whole.len());
                Case::untouched(what, whole[..len].to_vec(), Reason::Truncated)
            });
            rig.run(cut);
        }
    }
}

/// The frame is long enough, but its packet says that it is shorter than its headers are.
#[test]
fn a_packet_that_ends_in_its_headers_passes_untouched() {
    let rig = farm();
    let told = |frame: &Frame, len: u16, len_at: usize| {
        let mut bytes = frame.bytes();
        bytes[len_at..len_at + 2].copy_from_slice(&len.to_be_bytes());
        bytes
    };
    for site in SITES {
        let frame = site.first(1).payload(40);
        let transport = match site {
            Site::Web | Site::Web6 => 20,
            Site::Dns | Site::Dns6 => 8,
        };
        for len in 0..transport {
            let what = format!("{}: {len} bytes of payload", site.name());
            // IPv4 tells the length of the packet, IPv6 that of what follows the header.
            let frame = if site.is_ipv6() {
                told(&frame, len, 18)
            } else {
                told(&frame, 20 + len, 16)
            };
            rig.run([Case::untouched(what, frame, Reason::Truncated)]);
        }
        if !site.is_ipv6() {
            for len in 0..20 {
                let what = format!("{}: a packet of {len} bytes", site.name());
                rig.run([Case::untouched(
                    what,
                    told(&frame, len, 16),
                    Reason::BadHeader,
                )]);
            }
        }
    }
    assert!(rig.flows().is_empty(), "{:?}", rig.flows());
}

/// Headers of IPv4 that contradict themselves: too short, or longer than the packet.
#[test]
fn a_header_length_that_cannot_be_passes_untouched() {
    let rig = farm();
    let frame = Site::Web.segment(1, tcp::SYN);
    for words in 0..=15_u8 {
        let mut bytes = frame.bytes();
        bytes[14] = 0x40 | words;
        let (reason, what) = match words {
            0..=4 => (Reason::BadHeader, "less than a header"),
            // Forty bytes in all: the header leaves less than one of TCP has.
            6..=10 => (Reason::Truncated, "no room for TCP"),
            11..=15 => (Reason::BadHeader, "longer than the packet"),
            _ => continue,
        };
        rig.run([Case::untouched(
            format!("{words} words: {what}"),
            bytes,
            reason,
        )]);
    }
    for version in [0, 5, 6, 15] {
        let mut bytes = frame.bytes();
        bytes[14] = version << 4 | 5;
        rig.run([Case::untouched("a wrong version", bytes, Reason::BadHeader)]);
    }
}

//! Frames that end early, lie about themselves, or come in pieces: they pass, untouched.

use lvs_common::{Reason, Verdict, tcp::SYN};
use lvs_ebpf::{Action, host::Probe};

use crate::farm::{Site, assert_sound, single, walk};

/// One of each shape that the parser knows.
fn shapes() -> Vec<Probe> {
    let mut shapes = Vec::new();
    for site in Site::ALL {
        let plain = || site.packet(1, SYN);
        shapes.push(plain());
        shapes.push(plain().tag(0x8100, 5));
        shapes.push(plain().tag(0x88a8, 5).tag(0x8100, 6).payload(3));
        shapes.push(plain().options(&[1; 12]));
    }
    shapes
}

/// The outcome of a packet that must not be sent.
fn refused(frame: &[u8], what: &str) -> Reason {
    let (outcome, after) = walk(&single(), frame);
    assert_eq!(after, frame, "{what}: touched");
    let reason = outcome.expect_err(what);
    assert_eq!(reason.verdict(), Verdict::Pass, "{what}: {reason:?}");
    reason
}

#[test]
fn cut_off_anywhere() {
    for packet in shapes() {
        let frame = packet.frame();
        for len in 0..frame.len() {
            let reason = refused(&frame[..len], "cut off");
            assert_eq!(reason, Reason::Truncated, "{len} bytes of {packet:?}");
        }
    }
}

#[test]
fn cut_off_for_somebody_else() {
    let mut frame = Site::Web.packet(1, SYN).frame();
    frame[0] = 0xff;
    for len in 0..frame.len() {
        // An Ethernet header with two tags has 22 bytes.
        let expected = if len < 22 {
            Reason::Truncated
        } else {
            Reason::NotOurFrame
        };
        assert_eq!(refused(&frame[..len], "cut off"), expected, "{len} bytes");
    }
}

/// A frame with one byte changed, as (offset, value), and what it is then.
#[test]
fn ipv4_headers_that_lie() {
    use Reason::{BadHeader, Fragment, Truncated};
    let rows = [
        ("version 6", 14, 0x65, BadHeader),
        ("version 0", 14, 0x05, BadHeader),
        ("no header", 14, 0x40, BadHeader),
        ("a header of 16 bytes", 14, 0x44, BadHeader),
        ("options that are not there", 14, 0x4f, BadHeader),
        ("options over the TCP header", 14, 0x46, Truncated),
        ("a total length below the header's", 17, 19, BadHeader),
        ("a total length of the header's alone", 17, 20, Truncated),
        ("a total length one below a TCP header", 17, 39, Truncated),
        ("a total length one above the frame's", 17, 41, Truncated),
        ("a total length far above the frame's", 16, 0xff, Truncated),
        ("more fragments", 20, 0x20, Fragment),
        ("don't fragment, more fragments", 20, 0x60, Fragment),
        ("a late fragment", 21, 1, Fragment),
        ("a very late fragment", 20, 0x10, Fragment),
    ];
    for (what, at, value, expected) in rows {
        let mut frame = Site::Web.packet(1, SYN).frame();
        assert_eq!(frame.len(), 54, "the rows are made for this length");
        frame[at] = value;
        assert_eq!(refused(&frame, what), expected, "{what}");
    }
}

#[test]
fn ipv6_headers_that_lie() {
    use Reason::{BadHeader, Fragment, OtherProtocol, Truncated};
    let rows = [
        ("version 4", 14, 0x40, BadHeader),
        ("version 7", 14, 0x70, BadHeader),
        ("no payload", 19, 0, Truncated),
        ("a payload one below a TCP header", 19, 19, Truncated),
        ("a payload one above the frame's", 19, 21, Truncated),
        ("a payload far above the frame's", 18, 0xff, Truncated),
        ("a fragment", 20, 44, Fragment),
        ("routing", 20, 43, OtherProtocol),
        ("destination options", 20, 60, OtherProtocol),
        ("encrypted", 20, 50, OtherProtocol),
        ("ICMPv6", 20, 58, OtherProtocol),
        ("nothing", 20, 59, OtherProtocol),
    ];
    for (what, at, value, expected) in rows {
        let mut frame = Site::Web6.packet(1, SYN).frame();
        assert_eq!(frame.len(), 74, "the rows are made for this length");
        frame[at] = value;
        assert_eq!(refused(&frame, what), expected, "{what}");
    }
}

/// The padding of a short frame may look like the header that the IP packet has no room for.
#[test]
fn padding_is_no_header() {
    for (site, length_at, header) in [(Site::Dns, 17, 20), (Site::Dns6, 19, 0)] {
        let mut frame = site.packet(1, 0).payload(18).frame();
        frame[length_at] = header + 7;
        assert_eq!(refused(&frame, "seven bytes of UDP"), Reason::Truncated);
        frame[length_at] = header + 8;
        assert_eq!(walk(&single(), &frame).0, Ok(Action::Send), "eight");
    }
}

#[test]
fn reserved_bits_are_no_fragment() {
    let mut frame = Site::Web.packet(1, SYN).frame();
    frame[20] = 0x80;
    // The header's checksum is the sender's business.
    assert_eq!(walk(&single(), &frame).0, Ok(Action::Send));
}

#[test]
fn no_bad_frame_leaves_a_flow_behind() {
    let memory = single();
    for packet in shapes() {
        let frame = packet.frame();
        for len in 0..frame.len() {
            walk(&memory, &frame[..len]).0.expect_err("cut off");
        }
    }
    assert!(memory.flows().is_empty());
    assert_sound(&memory);
}

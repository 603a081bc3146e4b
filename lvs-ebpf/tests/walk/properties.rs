//! What holds for every packet, whatever is in it. The helper that walks them checks each outcome
//! against an independent reading of the frame: nothing but a packet for a service may be changed,
//! and of that only MAC addresses, TTL and checksum.

use std::net::{IpAddr, SocketAddr};

use lvs_common::{
    Reason, Verdict,
    tcp::{RST, SYN},
};
use lvs_ebpf::{Action, host::Probe};
use proptest::prelude::*;

use crate::farm::{LAN_MAC, Site, assert_sound, farm, walk};

fn site() -> impl Strategy<Value = Site> {
    prop::sample::select(Site::ALL.to_vec())
}

/// Any client of the family of `address`.
fn client(address: IpAddr) -> BoxedStrategy<SocketAddr> {
    let ip = match address {
        IpAddr::V4(_) => any::<[u8; 4]>().prop_map(IpAddr::from).boxed(),
        IpAddr::V6(_) => any::<[u8; 16]>().prop_map(IpAddr::from).boxed(),
    };
    (ip, any::<u16>()).prop_map(SocketAddr::from).boxed()
}

fn probe(site: Site, client: SocketAddr, service: SocketAddr, flags: u8) -> Probe {
    match site {
        Site::Web | Site::Web6 => Probe::tcp(LAN_MAC, client, service, flags),
        Site::Dns | Site::Dns6 => Probe::udp(LAN_MAC, client, service),
    }
}

/// A packet of any client for a service, with any TTL, options and length.
fn for_a_service() -> impl Strategy<Value = (Site, u8, Probe)> {
    site()
        .prop_flat_map(|site| {
            (
                Just(site),
                client(site.vip().ip()),
                0..32_u8,
                any::<u8>(),
                0..1600_usize,
                prop::collection::vec(any::<u8>(), 0..=10),
            )
        })
        .prop_map(|(site, client, flags, hops, payload, options)| {
            let options: Vec<u8> = options.iter().flat_map(|byte| [*byte; 4]).collect();
            let probe = probe(site, client, site.vip(), flags)
                .hops(hops)
                .payload(payload)
                .options(&options);
            (site, flags, probe)
        })
}

/// Any bytes, some of which come for an IP packet of ours.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let any_bytes = || prop::collection::vec(any::<u8>(), 0..200);
    let headed = (
        prop::sample::select(vec![[0x08, 0], [0x86, 0xdd], [0x81, 0]]),
        any_bytes(),
    )
        .prop_map(|(ether_type, rest)| {
            let mut frame = LAN_MAC.to_vec();
            frame.extend([2; 6]);
            frame.extend(ether_type);
            frame.extend(rest);
            frame
        });
    prop_oneof![any_bytes(), headed]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn any_bytes_are_left_alone(frame in bytes()) {
        let memory = farm();
        let (outcome, after) = walk(&memory, &frame);
        // Chance alone does not hit a service.
        let reason = outcome.expect_err("sent");
        prop_assert_eq!(reason.verdict(), Verdict::Pass);
        prop_assert_eq!(after, frame);
        prop_assert!(memory.flows().is_empty());
    }

    #[test]
    fn one_changed_byte_is_no_harm((_, _, probe) in for_a_service(), at: prop::sample::Index, value: u8) {
        let memory = farm();
        let mut frame = probe.frame();
        let at = at.index(frame.len());
        frame[at] = value;
        // Whatever it is now, the helper judges it.
        let _judged = walk(&memory, &frame);
        assert_sound(&memory);
    }

    #[test]
    fn packets_for_nobody_pass_untouched(
        (site, service) in site().prop_flat_map(|site| (Just(site), client(site.vip().ip()))),
        number: u16,
        flags in 0..32_u8,
    ) {
        prop_assume!(service != site.vip());
        let memory = farm();
        let client = site.client(number % 1000);
        let frame = probe(site, client, service, flags).frame();
        let (outcome, after) = walk(&memory, &frame);
        prop_assert_eq!(outcome, Err(Reason::NoService));
        prop_assert_eq!(after, frame);
    }

    #[test]
    fn packets_for_a_service_are_sent((site, flags, probe) in for_a_service()) {
        let memory = farm();
        let frame = probe.frame();
        let (outcome, _) = walk(&memory, &frame);
        let (network, hops) = match site {
            Site::Web | Site::Dns => (14, frame[22]),
            Site::Web6 | Site::Dns6 => (14, frame[21]),
        };
        let is_tcp = matches!(site, Site::Web | Site::Web6);
        let expected = if is_tcp && flags & (SYN | RST) != SYN {
            Err(Reason::NoFlow)
        } else if hops <= 1 {
            Err(Reason::TtlExceeded)
        } else if frame.len() - network > 1500 {
            Err(Reason::TooBig)
        } else {
            Ok(Action::Send)
        };
        prop_assert_eq!(outcome, expected);
    }
}

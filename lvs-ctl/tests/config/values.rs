//! What a sound file becomes.

use std::time::Duration;

use lvs_common::{ForwardingMode, MidStream, NoBackend, Protocol, Scheduler};
use lvs_ctl::config::{self, Backend, Config, Notices, Service, Timeouts, WithoutDf, XdpMode};

use super::{VALID, valid};

#[test]
fn what_is_left_out_has_its_default() {
    let expected = Config {
        interfaces: vec!["eth0".to_owned()],
        xdp: XdpMode::Auto,
        flows: 256_000,
        timeouts: Timeouts {
            tcp: Duration::from_mins(15),
            tcp_fin: Duration::from_mins(2),
            udp: Duration::from_mins(5),
        },
        mid_stream: MidStream::Pass,
        no_backend: NoBackend::Unreachable,
        notices: Notices {
            rate: 1_000,
            rate_per_address: 10,
            without_df: WithoutDf::Answer,
        },
        decap: None,
        services: vec![Service {
            name: "tcp 10.0.0.29:80".to_owned(),
            protocol: Protocol::Tcp,
            address: "10.0.0.29:80".parse().expect("an address"),
            scheduler: Scheduler::Wrr,
            mode: ForwardingMode::Dr,
            timeouts: Timeouts::default(),
            mid_stream: MidStream::Pass,
            no_backend: NoBackend::Unreachable,
            local_addresses: Vec::new(),
            local_ports: 5_000..=65_535,
            backends: vec![Backend {
                address: "10.0.0.17:80".parse().expect("an address"),
                weight: 1,
                mode: ForwardingMode::Dr,
                tunnel_source: None,
                tags: [0, 0],
                mac: None,
            }],
        }],
    };
    assert_eq!(valid(VALID), expected);
}

#[test]
fn every_field_is_read() {
    let config = valid(
        "interfaces: [eth0, eth1]\nxdp: generic\nflows: 2M\n\
         timeouts: {tcp: 1h30m, tcp_fin: 30s, udp: 1500ms}\n\
         services:\n\
         - {name: dns, protocol: udp, address: '[2001:db8::29]:53', scheduler: rr, mode: dr,\n   \
            backends: [{address: '2001:db8::17', weight: 0}, {address: '[2001:db8::18]:53', weight: 65535}]}\n",
    );
    assert_eq!(config.interfaces, ["eth0", "eth1"]);
    assert_eq!((config.xdp, config.flows), (XdpMode::Generic, 2_000_000));
    assert_eq!(config.timeouts.tcp, Duration::from_mins(90));
    assert_eq!(config.timeouts.tcp_fin, Duration::from_secs(30));
    assert_eq!(config.timeouts.udp, Duration::from_millis(1_500));
    let service = &config.services[0];
    assert_eq!(
        (&*service.name, service.protocol, service.scheduler),
        ("dns", Protocol::Udp, Scheduler::Rr)
    );
    let backends: Vec<_> = service
        .backends
        .iter()
        .map(|backend| (backend.address.to_string(), backend.weight))
        .collect();
    assert_eq!(
        backends,
        [
            ("[2001:db8::17]:53".to_owned(), 0),
            ("[2001:db8::18]:53".to_owned(), 65_535)
        ]
    );
}

#[test]
fn a_service_has_what_it_says_and_else_what_all_have() {
    let config = valid(
        "interfaces: [eth0]\ntimeouts: {tcp: 1h, udp: 10s}\nmid_stream: drop\n\
         no_backend: reset\n\
         services:\n\
         - {address: '10.0.0.29:80', backends: [{address: 10.0.0.17}]}\n\
         - {address: '10.0.0.30:80', timeouts: {tcp: 1m}, mid_stream: schedule,\n   \
            no_backend: drop, backends: [{address: 10.0.0.17}]}\n\
         - {address: '10.0.0.31:80', timeouts:, backends: [{address: 10.0.0.17}]}\n",
    );
    let all = Timeouts {
        tcp: Duration::from_hours(1),
        udp: Duration::from_secs(10),
        ..Timeouts::default()
    };
    let own = Timeouts {
        tcp: Duration::from_mins(1),
        ..all
    };
    let said: Vec<_> = config
        .services
        .iter()
        .map(|service| (service.timeouts, service.mid_stream, service.no_backend))
        .collect();
    assert_eq!(
        said,
        [
            (all, MidStream::Drop, NoBackend::Reset),
            (own, MidStream::Schedule, NoBackend::Drop),
            (all, MidStream::Drop, NoBackend::Reset)
        ]
    );
}

#[test]
fn notices_have_rates() {
    let of = |section: &str| valid(&VALID.replace("services:", &format!("{section}\nservices:")));
    let default = Notices::default();
    assert_eq!(of("notices:").notices, default);
    assert_eq!(of("notices: {rate: 2k/s}").notices.rate, 2_000);
    let all = of("notices: {rate: 50/s, rate_per_address: 5/s, without_df: drop}");
    let expected = Notices {
        rate: 50,
        rate_per_address: 5,
        without_df: WithoutDf::Drop,
    };
    assert_eq!(all.notices, expected);
    for off in [
        "{rate: 0}",
        "{rate_per_address: 0/s}",
        "{rate: 0, rate_per_address: 0}",
    ] {
        assert!(of(&format!("notices: {off}")).notices.are_off(), "{off}");
    }
    assert!(!default.are_off());
}

#[test]
fn modes_of_a_service_and_of_its_backends() {
    let config = valid(
        "interfaces: [eth0]\n\
         services:\n\
         - {address: '10.0.0.29:80', mode: nat, backends: [{address: '10.0.0.17:8080'}]}\n\
         - address: 10.0.0.30:80\n\x20 \
           mode: fullnat\n\x20 \
           local_addresses: [10.0.0.200, '2001:db8::200', 10.0.0.201]\n\x20 \
           local_ports: 10000-19999\n\x20 \
           backends: [{address: 10.0.0.17}, {address: 10.0.0.18, mode: dr}]\n",
    );
    let backends = config.services.iter().flat_map(|service| &service.backends);
    let said: Vec<_> = backends.map(|b| (b.mode, b.address.to_string())).collect();
    assert_eq!(
        said,
        [
            (ForwardingMode::Nat, "10.0.0.17:8080".to_owned()),
            (ForwardingMode::FullNat, "10.0.0.17:80".to_owned()),
            (ForwardingMode::Dr, "10.0.0.18:80".to_owned()),
        ]
    );
    let service = &config.services[1];
    let locals = ["10.0.0.200", "2001:db8::200", "10.0.0.201"];
    let locals = locals.map(|ip| ip.parse::<std::net::IpAddr>().expect("an address"));
    assert_eq!(service.local_addresses, locals);
    assert_eq!(service.local_ports, 10_000..=19_999);
}

#[test]
fn the_example_is_accepted_without_warnings() {
    let config = valid(config::example());
    let names: Vec<_> = config
        .services
        .iter()
        .map(|service| &*service.name)
        .collect();
    assert_eq!(names, ["web", "dns", "app", "mail", "far"]);
}

#[test]
fn what_the_example_calls_a_default_is_one() {
    let example = config::example();
    let shorter: Vec<_> = example
        .lines()
        .filter(|line| !line.ends_with("# default"))
        .collect();
    assert_eq!(example.lines().count() - shorter.len(), 17);
    assert_eq!(valid(&shorter.join("\n")), valid(example));
    let config = valid(example);
    assert_eq!(
        (config.xdp, config.flows),
        (XdpMode::default(), Config::DEFAULT_FLOWS)
    );
    assert_eq!(config.timeouts, Timeouts::default());
    assert_eq!(config.notices, Notices::default());
}

#[test]
fn the_example_names_every_choice() {
    let example = config::example();
    let words = XdpMode::ALL.iter().map(|word| word.as_str());
    let words = words.chain(Scheduler::ALL.iter().map(|word| word.as_str()));
    let words = words.chain(MidStream::ALL.iter().map(|word| word.as_str()));
    let words = words.chain(NoBackend::ALL.iter().map(|word| word.as_str()));
    let words = words.chain(WithoutDf::ALL.iter().map(|word| word.as_str()));
    for word in words.chain(ForwardingMode::ALL.iter().map(|word| word.as_str())) {
        assert!(
            example.contains(&format!("{word}:")),
            "{word} isn't explained"
        );
    }
}

#[test]
fn text_may_look_like_another_type() {
    let text = VALID.replace(
        "address: 10.0.0.29:80",
        "name: 1.10\n    address: \"10.0.0.29:80\"",
    );
    let text = text
        .replace("17", "17\n        weight: \"3\"")
        .replace("eth0", "1");
    let config = valid(&text);
    assert_eq!(config.interfaces, ["1"]);
    assert_eq!(config.services[0].name, "1.10");
    assert_eq!(config.services[0].backends[0].weight, 3);
}

#[test]
fn one_address_serves_both_protocols() {
    let more = "  - {protocol: udp, address: '10.0.0.29:80', backends: [{address: 10.0.0.17}]}\n";
    assert_eq!(valid(&(VALID.to_owned() + more)).services.len(), 2);
}

#[test]
fn a_pool_can_be_an_alias() {
    let text = VALID.replace("backends:", "backends: &pool");
    let more = "  - {address: '10.0.0.30:80', backends: *pool}\n";
    let config = valid(&(text + more));
    assert_eq!(config.services[0].backends, config.services[1].backends);
}

#[test]
fn windows_line_ends_and_a_byte_order_mark_change_nothing() {
    let text = format!("\u{feff}{}", config::example().replace('\n', "\r\n"));
    assert_eq!(valid(&text), valid(config::example()));
}

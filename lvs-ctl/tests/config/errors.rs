//! Every message about a wrong file: where it points, and its words.

use lvs_ctl::config;

use super::{VALID, findings};

struct Case {
    /// Replaced in `VALID`: this by that.
    change: (&'static str, &'static str),
    line: usize,
    column: usize,
    length: usize,
    message: &'static str,
    help: &'static str,
}

macro_rules! cases {
    ($($from:literal => $to:literal, $line:literal:$column:literal+$length:literal, $message:literal, $help:literal;)+) => {
        &[$(Case { change: ($from, $to), line: $line, column: $column, length: $length, message: $message, help: $help },)+]
    };
}

const ALONE: &[Case] = cases! {
    // Fields.
    "interfaces: [eth0]" => "# none", 2:1+8, "`interfaces` is missing in a configuration", "interfaces: [eth0]";
    "services:" => "interfaces: [eth1]\nservices:", 2:1+10, "`interfaces` is given twice, on lines 1 and 2", "keep one";
    "address: 10.0.0.17" => "weight: 3", 5:9+6, "`address` is missing in a backend", "address: 10.0.0.17";
    "backends:" => "backnds:", 4:5+7, "unknown field `backnds` in a service", "did you mean `backends`?";
    "- address: 10.0.0.17" => "- adress: 10.0.0.17", 5:9+6, "unknown field `adress` in a backend", "did you mean `address`?";
    "10.0.0.17" => "10.0.0.17\n        port: 80", 6:9+4, "unknown field `port` in a backend", "fields here: address, weight, mode";
    "services:" => "timeouts: {sctp: 1m}\nservices:", 2:12+4, "unknown field `sctp` in `timeouts`", "fields here: tcp, tcp_fin, udp";
    "services:" => "[a]: 1\nservices:", 2:1+1, "the name of a field is text, this is a list", "interfaces, xdp";
    "10.0.0.17" => "10.0.0.17\n        weight: 1\n        weight: 2", 7:9+6, "`weight` is given twice, on lines 6 and 7", "keep one";
    "address: 10.0.0.17" => "10.0.0.17", 5:9+9, "a backend needs fields, this is text", "address, weight";
    "[eth0]" => "eth0", 1:13+4, "`interfaces` is a list, this is text", "- ";
    "services:" => "xdp:\nservices:", 2:1+3, "`xdp` has no value", "delete the field";
    "services:" => "flows: [1M]\nservices:", 2:8+1, "`flows` is one value, this is a list", "quotes";
    // Interfaces and the table.
    "[eth0]" => "[]", 1:1+10, "`interfaces` is empty", "[eth0]";
    "[eth0]" => "[eth0, eth1, eth0]", 1:26+4, "`eth0` is listed twice, on line 1", "once";
    "[eth0]" => "[enp129s0f1np1v12]", 1:14+16, "has 16 bytes, more than 15", "ip -br link";
    "[eth0]" => "[eth0/1]", 1:14+6, "holds a `/`", "ip -br link";
    "[eth0]" => "[eth0, [a]]", 1:20+1, "an interface is a name, this is a list", "such as eth0";
    "[eth0]" => "[eth 0]", 1:14+5, "holds a blank", "ip -br link";
    "services:" => "xdp: naitve\nservices:", 2:6+6, "unknown XDP mode `naitve`", "did you mean `native`? one of auto, native, generic";
    "services:" => "flows: 100\nservices:", 2:8+3, "`100` flows are too few", "1k to 64M";
    "services:" => "flows: 1G\nservices:", 2:8+2, "unknown unit `G`", "1k to 64M";
    "services:" => "timeouts: {tcp: 900}\nservices:", 2:17+3, "`900` has no unit", "write 900s";
    "services:" => "timeouts: {udp: 32d}\nservices:", 2:17+3, "`32d` is too long", "1s to 31d";
    "services:" => "timeouts: 5m\nservices:", 2:11+2, "`timeouts` needs fields, this is text", "tcp, tcp_fin, udp";
    "services:" => "no_backend: rst\nservices:", 2:13+3, "unknown policy `rst`", "one of unreachable, reset, drop";
    "services:" => "notices: {rate: 500}\nservices:", 2:17+3, "the rate `500` has no interval", "write 500/s";
    "services:" => "notices: {rate: 2M/s}\nservices:", 2:17+4, "the rate `2M/s` is too high", "0 to 1M/s";
    "services:" => "notices: {rate: fast}\nservices:", 2:17+4, "`fast` is not a rate", "1000/s";
    "services:" => "notices: {rate_per_addres: 1/s}\nservices:", 2:11+15, "unknown field `rate_per_addres` in `notices`", "did you mean `rate_per_address`?";
    "services:" => "notices: {without_df: tell}\nservices:", 2:23+4, "unknown answer `tell`", "one of answer, drop";
    "services:" => "notices: 100/s\nservices:", 2:10+5, "`notices` needs fields, this is text", "rate, rate_per_address, without_df";
    "services:" => "mid_stream: reset\nservices:", 2:13+5, "unknown policy `reset`", "one of pass, drop, schedule";
    // Services.
    "10.0.0.29:80" => "10.0.0.29:80\n    timeouts: {tcp: 0s}", 4:21+2, "`0s` is too short", "1s to 31d";
    "10.0.0.29:80" => "10.0.0.29:80\n    no_backend: unreachabel", 4:17+11, "unknown policy `unreachabel`", "did you mean `unreachable`?";
    "10.0.0.29:80" => "10.0.0.29:80\n    mid_stream: pas", 4:17+3, "unknown policy `pas`", "did you mean `pass`?";
    "10.0.0.29:80" => "10.0.0.29:80\n    mode: fullnat", 6:18+9, "mode fullnat needs local addresses of IPv4", "`local_addresses`";
    "10.0.0.29:80" => "10.0.0.29:80\n    mode: fullnat\n    local_addresses: ['2001:db8::1']", 7:18+9, "mode fullnat needs local addresses of IPv4", "`local_addresses`";
    "10.0.0.29:80" => "10.0.0.29:80\n    mode: fullnat\n    local_addresses: [10.0.0.17]", 7:18+9, "10.0.0.17 is a local address, too", "nothing else has";
    "10.0.0.29:80" => "10.0.0.29:80\n    mode: fullnat\n    local_addresses: [10.0.0.200, 10.0.0.200]", 5:35+10, "10.0.0.200 is listed twice", "once";
    "10.0.0.29:80" => "10.0.0.29:80\n    mode: fullnat\n    local_addresses: ['10.0.0.200:80']", 5:23+15, "a local address has no port", "`local_ports`";
    "10.0.0.29:80" => "10.0.0.29:80\n    mode: fullnat\n    local_addresses: [127.0.0.1]", 5:23+9, "a local address can't be 127.0.0.1", "this machine";
    "10.0.0.29:80" => "10.0.0.29:80\n    mode: fullnat\n    local_addresses: [10.0.0.200]\n    local_ports: 5000", 6:18+4, "`5000` is not a range of ports", "5000-65535";
    "10.0.0.29:80" => "10.0.0.29:80\n    mode: fullnat\n    local_addresses: [10.0.0.200]\n    local_ports: 6000-5000", 6:18+9, "ends before it begins", "5000-65535";
    "address: 10.0.0.29:80" => "mode: dr", 3:5+4, "`address` is missing in a service", "address: 10.0.0.29:80";
    "10.0.0.29:80" => "10.0.0.290:80", 3:14+13, "`10.0.0.290` is not an IP address", "10.0.0.29";
    "10.0.0.29:80" => "10.0.0.29", 3:14+9, "the port is missing", "10.0.0.29:80";
    "10.0.0.29:80" => "10.0.0.29:0", 3:14+11, "port 0 can't be used", "ports are 1 to 65535";
    "10.0.0.29:80" => "10.0.0.29:70000", 3:14+15, "the port `70000` is too large", "ports are 1 to 65535";
    "10.0.0.29:80" => "[2001:db8::29]:80", 3:14+17, "an address in brackets needs quotes", "\"[2001:db8::29]:80\"";
    "10.0.0.29:80" => "224.0.0.1:80", 3:14+12, "a multicast address", "clients connect to";
    "10.0.0.29:80" => "127.0.0.1:80", 3:14+12, "a loopback address", "clients connect to";
    "10.0.0.29:80" => "0.0.0.0:80", 3:14+10, "the unspecified address", "clients connect to";
    "10.0.0.29:80" => "255.255.255.255:80", 3:14+18, "the broadcast address", "clients connect to";
    "- address: 10.0.0.29:80" => "- address: 10.0.0.29:80\n    protocol: tpc", 4:15+3, "unknown protocol `tpc`", "did you mean `tcp`? one of tcp, udp";
    "- address: 10.0.0.29:80" => "- address: 10.0.0.29:80\n    scheduler: wwr", 4:16+3, "unknown scheduler `wwr`", "did you mean `wrr`?";
    "- address: 10.0.0.29:80" => "- address: 10.0.0.29:80\n    mode: natt", 4:11+4, "unknown forwarding mode `natt`", "did you mean `nat`? one of nat, tun, dr, fullnat";
    "- address: 10.0.0.29:80" => "- address: 10.0.0.29:80\n    name: my web", 4:11+6, "`my web` holds a blank", "1 to 31 bytes";
    "- address: 10.0.0.29:80" => "- address: 10.0.0.29:80\n    name: ''", 4:11+2, "`` is empty", "1 to 31 bytes";
    "- address: 10.0.0.29:80" => "- {name: a, address: 10.0.0.30:80, backends: [address: 10.0.0.9]}\n  - {name: a, address: 10.0.0.31:80, backends: [address: 10.0.0.9]}\n  - address: 10.0.0.29:80",
        4:12+1, "two services have the name `a`, on lines 3 and 4", "leave `name` out";
    "- address: 10.0.0.29:80" => "- {address: 10.0.0.29:80, backends: [address: 10.0.0.9]}\n  - address: 10.0.0.29:80",
        4:14+12, "tcp 10.0.0.29:80 is a service twice, on lines 3 and 4", "under one";
    // Tunnels.
    "10.0.0.29:80" => "10.0.0.29:80\n    mode: tun\n    tunnel_source: 172.16.0.1/16", 5:20+13, "`172.16.0.1/16` has bits set behind the first 16", "write 172.16.0.0/16";
    "10.0.0.29:80" => "10.0.0.29:80\n    mode: tun\n    tunnel_source: [172.16.0.0/33]", 5:21+13, "`33` is not a prefix length of IPv4", "0 to 32";
    "10.0.0.29:80" => "10.0.0.29:80\n    mode: tun\n    tunnel_source: [10.0.0.1, 'fd00::1', 10.0.0.2]", 5:42+8, "two sources of IPv4, on line 5", "at most one of each family";
    "10.0.0.29:80" => "10.0.0.29:80\n    mode: tun\n    tunnel_source: 127.0.0.1", 5:20+9, "tunnels can't come from 127.0.0.1: it is a loopback address", "this machine";
    "10.0.0.29:80" => "10.0.0.29:80\n    mode: tun\n    tunnel_source: 10.0.0.1:80", 5:20+11, "a tunnel's source has no port", "write 10.0.0.1";
    "10.0.0.29:80" => "10.0.0.29:80\n    mode: tun\n    tunnel_source:", 5:5+13, "`tunnel_source` has no value", "delete the field";
    "10.0.0.29:80" => "10.0.0.29:80\n    mode: tun\n    tunnel_source: [[a]]", 5:21+1, "a tunnel's source is text, this is a list", "such as 172.16.0.0/16";
    "services:" => "decap: {endpoints: [10.0.0.1]}\nservices:", 2:8+1, "`from` is missing in `decap`", "from: [10.0.0.0/24]";
    "services:" => "decap: {from: [10.0.0.1]}\nservices:", 2:8+1, "`endpoints` is missing in `decap`", "endpoints: [10.0.0.29]";
    "services:" => "decap: {endpoints: [], from: [10.0.0.1]}\nservices:", 2:9+9, "`endpoints` is empty", "leave `decap` out";
    "services:" => "decap: {endpoints: [10.0.0.1], from: []}\nservices:", 2:32+4, "`from` is empty", "leave `decap` out";
    "services:" => "decap: {endpoints: [10.0.0.1, 10.0.0.1], from: [10.0.0.2]}\nservices:", 2:31+8, "the endpoint 10.0.0.1 is listed twice, on line 2", "once";
    "services:" => "decap: {endpoints: [10.0.0.1], from: [10.0.0.2, 10.0.0.2/32]}\nservices:", 2:49+11, "the source 10.0.0.2 is listed twice", "once";
    "services:" => "decap: {endpoints: ['10.0.0.1:80'], from: [10.0.0.2]}\nservices:", 2:21+13, "an endpoint of tunnels has no port", "write 10.0.0.1";
    "services:" => "decap: {endpoints: [224.0.0.1], from: [10.0.0.2]}\nservices:", 2:21+9, "tunnels can't end at 224.0.0.1: it is a multicast address", "this machine";
    "services:" => "decap: {endpoints: [10.0.0.1], from: [10.0.0.2/24]}\nservices:", 2:39+11, "has bits set behind the first 24", "write 10.0.0.0/24";
    "services:" => "decap: {endpoint: 10.0.0.1, from: [10.0.0.2]}\nservices:", 2:9+8, "unknown field `endpoint` in `decap`", "did you mean `endpoints`?";
    "services:" => "decap: true\nservices:", 2:8+4, "`decap` needs fields, this is text", "endpoints, from";
    // Frames.
    "10.0.0.29:80" => "10.0.0.29:80\n    vlan: 4095", 4:11+4, "the VLAN id `4095` does not exist", "1 to 4094";
    "10.0.0.29:80" => "10.0.0.29:80\n    vlan: [1, 2, 3]", 4:5+4, "one or two VLAN ids, these are 3", "outermost first";
    "10.0.0.29:80" => "10.0.0.29:80\n    vlan: eth0.7", 4:11+6, "the VLAN id `eth0.7` is not a number", "1 to 4094";
    "10.0.0.17" => "10.0.0.17\n        vlan: []", 6:9+4, "one or two VLAN ids, these are 0", "outermost first";
    "10.0.0.17" => "10.0.0.17\n        mac: 02:00:00:00:17", 6:14+14, "`02:00:00:00:17` is not a MAC address", "02:00:00:00:00:17";
    "10.0.0.17" => "10.0.0.17\n        mac: 33:33:00:00:00:17", 6:14+17, "is that of a group", "`ip link` shows it";
    "10.0.0.17" => "10.0.0.17\n        mac:", 6:9+3, "`mac` has no value", "delete the field";
    // Backends.
    "10.0.0.17" => "web1.example", 5:18+12, "`web1.example` is not an IP address", "not looked up";
    "10.0.0.17" => "10.0.0.17:70000", 5:18+15, "`70000` is too large", "1 to 65535";
    "10.0.0.17" => "239.1.1.1", 5:18+9, "a multicast address", "own address";
    "10.0.0.17" => "0.0.0.0", 5:18+7, "the unspecified address", "own address";
    "10.0.0.17" => "10.0.0.29", 5:18+9, "the backend has the address of its service, 10.0.0.29", "for itself alone";
    "10.0.0.17" => "2001:db8::17", 5:18+12, "an IPv6 backend in an IPv4 service", "mode dr";
    "10.0.0.29:80" => "'[2001:db8::29]:80'", 5:18+9, "an IPv4 backend in an IPv6 service", "mode dr";
    "10.0.0.17" => "10.0.0.17:8080", 5:18+14, "the backend has port 8080, its service 80", "leave the port out";
    "10.0.0.17" => "10.0.0.17\n      - address: 10.0.0.17:80", 6:18+12, "10.0.0.17:80 is listed twice, on lines 5 and 6", "once";
    "10.0.0.17" => "10.0.0.17\n        weight: -1", 6:17+2, "the weight `-1` is below 0", "weights are 0 to 65535";
    "10.0.0.17" => "10.0.0.17\n        weight: 70000", 6:17+5, "the weight `70000` is too large", "weights are 0 to 65535";
    "10.0.0.17" => "10.0.0.17\n        weight: heavy", 6:17+5, "the weight `heavy` is not a whole number", "weights are 0 to 65535";
    "10.0.0.17" => "10.0.0.17\n        weight: {a: 1}", 6:17+1, "`weight` is one value, this is a mapping", "quotes";
    // YAML.
    "[eth0]" => "[eth0", 2:9+1, "a comma or a closing bracket is missing", "close the bracket";
    "[eth0]" => "'eth0", 1:13+1, "the quote is not closed", "end the text";
    "    backends:" => "   backends:", 4:4+1, "does not fit what stands above it", "same column";
};

#[test]
fn each_error_says_what_where_and_what_would_be_right() {
    for case in ALONE {
        let text = VALID.replacen(case.change.0, case.change.1, 1);
        assert_ne!(text, VALID, "{:?} isn't in the text", case.change.0);
        let found = findings(&text);
        let [finding] = &*found else {
            panic!("{:?}: {found:#?}", case.change)
        };
        assert!(
            finding.message.contains(case.message),
            "{:?}: {finding:#?}",
            case.change
        );
        let help = finding.help.as_ref().expect("every error has a help");
        assert!(help.contains(case.help), "{:?}: {finding:#?}", case.change);
        let place = (finding.line, finding.column, finding.length);
        assert_eq!(
            place,
            (case.line, case.column, case.length),
            "{:?}: {finding:#?}",
            case.change
        );
        assert_eq!(
            finding.source_line,
            text.lines().nth(case.line - 1).expect("the line is there")
        );
        for words in [&finding.message, help] {
            assert!(
                !words.ends_with('.')
                    && !words
                        .starts_with(|c: char| c.is_ascii_uppercase() && !words.starts_with("IP")),
                "{words}"
            );
        }
    }
}

#[test]
fn a_configuration_needs_something() {
    for text in ["", "\n\n", "# only a comment\n", "~"] {
        let found = findings(text);
        assert!(
            found[0].message.contains("the configuration is empty"),
            "{found:?}"
        );
        assert!(
            found[0]
                .help
                .as_ref()
                .expect("help")
                .contains("`interfaces` and `services`")
        );
    }
    assert!(
        findings("just text")[0]
            .message
            .contains("a configuration needs fields, this is text")
    );
    let both = findings("flows: 1M\n");
    assert!(
        both.len() == 2
            && both[0].message.contains("missing")
            && both[1].message.contains("missing"),
        "{both:?}"
    );
    for services in ["services:", "services: []"] {
        let found = findings(&format!("interfaces: [eth0]\n{services}\n"));
        assert!(
            found.len() == 1 && found[0].message == "`services` is empty",
            "{found:?}"
        );
    }
}

#[test]
fn every_error_of_a_file_is_reported_at_once() {
    let text = "\
interfaces: [eth0, eth0]
xpd: native
flows: lots
timeouts: {tcp: 900, udp: 5 minutes}
services:
  - name: web
    address: 10.0.0.29:70000
    schedular: wrr
    mode: drr
    backends:
      - address: 10.0.0.17
        weight: -1
      - address: 10.0.0.999
        wieght: 3
  - address: 10.0.0.30:80
    backends: [{address: '10.0.0.17:81'}, 10.0.0.18]
  - address: 10.0.0.30:80
";
    let lines: Vec<_> = findings(text)
        .iter()
        .map(|found| (found.line, found.column))
        .collect();
    let expected = [
        (1, 20),
        (2, 1),
        (3, 8),
        (4, 17),
        (4, 27),
        (7, 14),
        (8, 5),
        (9, 11),
        (12, 17),
        (13, 18),
        (14, 9),
        (16, 26),
        (16, 43),
        (17, 5),
        (17, 14),
    ];
    assert_eq!(lines, expected);
}

#[test]
fn a_shared_mistake_is_reported_once() {
    let text = VALID
        .replace("backends:", "backends: &pool")
        .replace("10.0.0.17", "10.0.0.1777");
    let found = findings(&(text + "  - {address: '10.0.0.30:80', backends: *pool}\n"));
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!((found[0].line, found[0].column), (5, 18));
}

#[test]
fn the_whole_picture() {
    let text = VALID.replace("10.0.0.17", "10.0.0.17:8080\n        wieght: 3");
    let expected = "\
error: the backend has port 8080, its service 80
 --> lvs.yaml:5:18
  |
5 |       - address: 10.0.0.17:8080
  |                  ^^^^^^^^^^^^^^
  |
  = help: mode dr leaves the packet as it is: leave the port out, and let the backend listen on the service's

error: unknown field `wieght` in a backend
 --> lvs.yaml:6:9
  |
6 |         wieght: 3
  |         ^^^^^^
  |
  = help: did you mean `weight`?";
    let found = config::parse(&text, "lvs.yaml").expect_err("two errors");
    assert_eq!(found.render(false), expected);
    assert_eq!(found.to_string(), expected);
    assert_eq!(found.summary(), "2 errors");
}

#[test]
fn text_of_the_file_can_not_steer_the_terminal() {
    let text = VALID
        .replace("10.0.0.17", "\"\\e[31m\"")
        .replace("[eth0]", "[\"\\a\"]");
    for finding in findings(&text) {
        assert!(
            !finding.render(false).contains(['\u{1b}', '\u{7}']),
            "{finding:?}"
        );
    }
}

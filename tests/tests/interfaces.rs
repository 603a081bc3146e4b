//! What an operator is told of interfaces that a program does badly on, and that it helps to do what is said.

use std::process::Stdio;
use std::time::Duration;

use lvs_tests::lab::command::{Outcome, output};
use lvs_tests::lab::{Decapsulator, Director, Segment, lvs_ctl, wait};

const DEADLINE: Duration = Duration::from_secs(20);

/// A cable whose ends both are on the balancer.
fn cable(segment: &Segment, line: &str) {
    segment.balancer.ip(line).expect("a cable");
    for end in ["p0", "p1"] {
        let up = format!("link set {end} up");
        segment.balancer.ip(&up).expect("an interface that is up");
    }
}

fn balancer() -> Segment {
    let segment = Segment::builder().backends(1).build().expect("a segment");
    cable(&segment, "link add p0 type veth peer name p1");
    segment
}

/// Types a command that `lvs-ctl` told.
fn type_in(segment: &Segment, line: &str) {
    let mut words = line.split_whitespace();
    let mut command = segment
        .balancer
        .namespace
        .command(words.next().expect("a command"));
    output(command.args(words)).expect(line);
}

/// A configuration for an interface; `more` goes with its backend.
fn yaml(interface: &str, mode: &str, more: &str) -> String {
    format!(
        "interfaces: [{interface}]\nxdp: {mode}\nservices:\n- {{name: web, address: '10.0.0.29:80', \
         backends: [{{address: 10.0.0.17{more}}}]}}\n"
    )
}

/// What is said until packets are forwarded.
fn said(segment: &Segment, yaml: &str) -> String {
    let mut director =
        Director::start(&segment.balancer.namespace, yaml).expect("it runs in spite of it");
    assert!(director.stop().expect("it ends").success());
    director.said()
}

fn refused(segment: &Segment, yaml: &str) -> Outcome {
    let refusal = Director::refusal(&segment.balancer.namespace, yaml).expect("an end");
    assert_eq!(refusal.status.code(), Some(1), "{}", refusal.stderr);
    refusal
}

/// The lines that warn.
fn warnings(said: &str) -> Vec<&str> {
    let warnings = said.lines().filter(|line| line.contains("warning: "));
    warnings
        .filter(|line| !line.contains("10.0.0.17"))
        .collect()
}

#[track_caller]
fn assert_says(text: &str, words: &str) {
    assert!(text.contains(words), "no {words:?} in {text}");
}

#[test]
fn checksums_that_the_other_end_leaves_out_are_warned_of_until_it_does_not() {
    let segment = balancer();
    let command = "ethtool -K p1 tx off";
    for mode in ["native", "generic"] {
        assert_says(
            &said(&segment, &yaml("p0", mode, "")),
            &format!("type: {command}"),
        );
    }
    type_in(&segment, command);
    let generic = said(&segment, &yaml("p0", "generic", ""));
    assert!(warnings(&generic).is_empty(), "{generic}");
}

#[test]
fn tags_that_the_other_end_leaves_out_matter_to_who_has_tags() {
    let segment = balancer();
    type_in(&segment, "ethtool -K p1 tx off");
    let untagged = said(&segment, &yaml("p0", "generic", ""));
    assert!(warnings(&untagged).is_empty(), "{untagged}");

    let tagged = yaml("p0", "generic", ", vlan: 7, mac: '02:00:0a:00:00:11'");
    let command = "ethtool -K p1 txvlan off";
    assert_says(&said(&segment, &tagged), &format!("type: {command}"));
    type_in(&segment, command);
    let after = said(&segment, &tagged);
    assert!(warnings(&after).is_empty(), "{after}");
}

#[test]
fn another_end_that_takes_no_frames_of_xdp_is_warned_of_in_native_mode() {
    let segment = balancer();
    type_in(&segment, "ethtool -K p1 tx off");
    let native = yaml("p0", "native", "");
    let command = "ethtool -K p1 gro on";
    let bare = said(&segment, &native);
    assert_eq!(warnings(&bare).len(), 1, "{bare}");
    assert_says(&bare, "p1, the other end of p0, has no XDP program");
    assert_says(&bare, command);

    type_in(&segment, command);
    let with_gro = said(&segment, &native);
    assert_eq!(warnings(&with_gro).len(), 1, "{with_gro}");
    assert_says(&with_gro, "sent back by it are lost");
    assert!(!with_gro.contains(command), "{with_gro}");

    let idle = "lvs-ctl decap -i p1 -e 192.0.2.1 -f 192.0.2.1";
    assert_says(&with_gro, idle);
    let words = idle.split_whitespace().skip(1);
    let mut command = segment
        .balancer
        .namespace
        .command(&lvs_ctl().expect("lvs-ctl"));
    command.args(words).stderr(Stdio::null());
    let mut other = command.spawn().expect("it starts");
    let attached = || segment.balancer.has_xdp("p1");
    wait::until("a program at the other end", DEADLINE, attached).expect("a program");
    let with_program = said(&segment, &native);
    other.kill().and_then(|()| other.wait()).expect("it ends");
    assert!(warnings(&with_program).is_empty(), "{with_program}");
}

#[test]
fn another_end_that_cannot_be_seen_is_no_alarm() {
    let segment = balancer();
    let native = said(&segment, &yaml("lb0", "native", ""));
    assert!(warnings(&native).is_empty(), "{native}");
    assert_says(&native, "type there: ethtool -K OTHER-END tx off\n");
    assert_says(&native, "or ethtool -K OTHER-END gro on\n");
    let generic = said(&segment, &yaml("lb0", "generic", ", vlan: 7"));
    assert_says(&generic, "ethtool -K OTHER-END tx off txvlan off\n");
    assert!(!generic.contains("gro on"), "{generic}");

    // The end of tunnels sends nothing on.
    let balancer = &segment.balancer;
    let from = [balancer.ipv4.into(), balancer.ipv6.into()];
    let end = Decapsulator::start(&segment.backends[0], &from);
    let decap = end.expect("lvs-ctl decap").stop().expect("it ends");
    assert!(!decap.contains("OTHER-END"), "{decap}");
}

#[test]
fn packets_merged_below_a_bridge_are_warned_of_and_those_at_the_interface_itself_are_not() {
    let segment = balancer();
    for line in [
        "ethtool -K p1 tx off",
        "ethtool -K p0 gro on",
        "ip link add br1 type bridge",
        "ip link set br1 up",
    ] {
        type_in(&segment, line);
    }
    let itself = said(&segment, &yaml("p0", "generic", ""));
    assert!(warnings(&itself).is_empty(), "{itself}");

    type_in(&segment, "ip link set p0 master br1");
    let bridge = yaml("br1", "generic", "");
    let command = "ethtool -K p0 gro off";
    assert_says(&said(&segment, &bridge), &format!("type: {command}"));
    type_in(&segment, command);
    let after = said(&segment, &bridge);
    assert!(warnings(&after).is_empty(), "{after}");
}

/// Whether a driver has room for long frames is its matter; if not, it has to say so.
#[test]
fn an_mtu_that_the_driver_does_not_take_is_told_and_a_smaller_one_helps() {
    let segment = balancer();
    let native = yaml("p0", "native", "");
    for end in ["p0", "p1"] {
        type_in(&segment, &format!("ip link set {end} mtu 9000"));
    }
    let mut jumbo = Director::launch(&segment.balancer.namespace, &native).expect("a director");
    if jumbo.wait_until_forwarding(|| false).is_ok() {
        assert!(jumbo.stop().expect("it ends").success());
        return;
    }
    let refusal = refused(&segment, &native);
    assert_says(&refusal.stderr, "the MTU of 9000 of its other end p1");
    assert_says(&refusal.stderr, "more than the driver takes with XDP");
    assert!(!segment.balancer.has_xdp("p0").expect("p0"));

    let command = "ip link set p1 mtu 1500";
    let auto = said(&segment, &yaml("p0", "auto", ""));
    assert_says(&auto, "p0 runs in generic mode");
    assert_says(&auto, &format!("type: {command}"));
    type_in(&segment, command);
    let after = said(&segment, &yaml("p0", "auto", ""));
    assert!(!after.contains("generic"), "{after}");
}

#[test]
fn too_few_queues_are_told_and_fewer_at_the_other_end_help() {
    let segment = Segment::builder().backends(1).build().expect("a segment");
    cable(
        &segment,
        "link add p0 numrxqueues 1 numtxqueues 1 type veth peer name p1 numrxqueues 2 numtxqueues 2",
    );
    let native = yaml("p0", "native", "");
    let command = "ethtool -L p1 tx 1";
    assert_says(
        &refused(&segment, &native).stderr,
        &format!("type: {command};"),
    );
    type_in(&segment, command);
    said(&segment, &native);
}

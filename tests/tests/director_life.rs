//! How a director comes, lives and goes, and what it leaves: nothing.

use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Duration;

use lvs_tests::lab::{Director, Farm, Segment, VIP4, command, config, http, ping, wait};
use nix::sys::signal::Signal;

fn web(segment: &Segment) -> String {
    config::yaml(
        &["lb0"],
        &[Farm::web(&segment.backends, VIP4.into(), &[3, 2, 1])],
    )
}

fn assert_nothing_left(segment: &Segment, pins: &Path) {
    assert!(
        !segment.balancer.has_xdp("lb0").expect("lb0"),
        "an XDP program is still attached"
    );
    assert!(!pins.exists(), "{} is still there", pins.display());
}

fn ends_and_leaves_nothing(signal: Signal) {
    let segment = Segment::builder().build().expect("a segment");
    let mut director =
        Director::start(&segment.balancer.namespace, &web(&segment)).expect("a director");
    assert!(
        segment.balancer.has_xdp("lb0").expect("lb0"),
        "nothing is attached"
    );
    assert!(director.pin_dir().exists(), "nothing is pinned");
    director.signal(signal).expect("a signal");
    let status = director.wait().expect("ends");
    assert!(
        status.success() || status.code() == Some(130),
        "{status}: {}",
        director.said()
    );
    assert_nothing_left(&segment, director.pin_dir());
    ping::ping(&segment.client.namespace, segment.balancer.ipv4.into(), 56)
        .expect("the balancer is still there");
}

#[test]
fn ctrl_c_leaves_nothing() {
    ends_and_leaves_nothing(Signal::SIGINT);
}

#[test]
fn sigterm_leaves_nothing() {
    ends_and_leaves_nothing(Signal::SIGTERM);
}

#[test]
fn ctrl_c_before_it_forwards_leaves_nothing() {
    let segment = Segment::builder().build().expect("a segment");
    let mut director =
        Director::launch(&segment.balancer.namespace, &web(&segment)).expect("a director");
    // As early as there is anything to leave.
    let pins = director.pin_dir().to_owned();
    wait::until("the first pin", Duration::from_secs(20), || {
        Ok(pins.exists())
    })
    .expect("pins");
    director.stop().expect("ends");
    assert_nothing_left(&segment, &pins);
}

#[test]
fn it_can_come_again_after_it_went() {
    let segment = Segment::builder().build().expect("a segment");
    let _farm = Farm::start(&segment.backends).expect("servers");
    let vip = SocketAddr::new(VIP4.into(), Farm::HTTP);
    for _ in 0..3 {
        let mut director =
            Director::start(&segment.balancer.namespace, &web(&segment)).expect("a director");
        http::get(&segment.client.namespace, vip).expect("an answer");
        let stats = director.stats().expect("statistics");
        assert_eq!(
            stats.service("web").expect("the service").connections,
            1,
            "counters start anew: {stats:?}"
        );
        director.stop().expect("ends");
    }
}

#[test]
fn a_second_one_is_told_who_holds_the_interface() {
    let segment = Segment::builder().build().expect("a segment");
    let _farm = Farm::start(&segment.backends).expect("servers");
    let vip = SocketAddr::new(VIP4.into(), Farm::HTTP);
    let director =
        Director::start(&segment.balancer.namespace, &web(&segment)).expect("a director");
    let pid = director.pid().to_string();

    // With pins of its own, as somebody who doesn't know of the first one would start it.
    let outcome =
        Director::refusal(&segment.balancer.namespace, &web(&segment)).expect("a refusal");
    assert!(!outcome.status.success(), "{}", outcome.stderr);
    assert!(
        outcome.stderr.contains("lb0") && outcome.stderr.contains(&pid),
        "pid {pid}: {}",
        outcome.stderr
    );

    // With the same pins, as somebody who types the same command twice would.
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), web(&segment)).expect("writes");
    let mut same = director.ctl(&["run", "-c", file.path().to_str().expect("UTF-8")]);
    let outcome = command::outcome(&mut same, Duration::from_secs(20)).expect("ends");
    assert!(!outcome.status.success(), "{}", outcome.stderr);
    assert!(
        outcome.stderr.contains(&pid),
        "pid {pid}: {}",
        outcome.stderr
    );

    http::get(&segment.client.namespace, vip).expect("the first one forwards as before");
    assert_eq!(
        director
            .stats()
            .expect("statistics")
            .service("web")
            .expect("the service")
            .connections,
        1
    );
}

#[test]
fn the_table_names_every_backend_and_its_connections() {
    let segment = Segment::builder().build().expect("a segment");
    let _farm = Farm::start(&segment.backends).expect("servers");
    let director =
        Director::start(&segment.balancer.namespace, &web(&segment)).expect("a director");
    let vip = SocketAddr::new(VIP4.into(), Farm::HTTP);
    for _ in 0..6 {
        http::get(&segment.client.namespace, vip).expect("an answer");
    }
    let table = director.stats_table().expect("a table");
    assert!(
        table.contains("web") && table.contains("10.0.0.29:80"),
        "{table}"
    );
    for (host, connections) in segment.backends.iter().zip(["3", "2", "1"]) {
        let row = table
            .lines()
            .find(|line| line.contains(&host.ipv4.to_string()))
            .unwrap_or_else(|| panic!("{table}"));
        assert!(
            row.split(|c: char| !c.is_ascii_alphanumeric())
                .any(|word| word == connections),
            "{table}"
        );
    }
}

#[test]
fn statistics_without_a_director_are_an_error_that_says_so() {
    let segment = Segment::builder().build().expect("a segment");
    let mut director =
        Director::start(&segment.balancer.namespace, &web(&segment)).expect("a director");
    director.stop().expect("ends");
    let outcome =
        command::outcome(&mut director.ctl(&["stats"]), Duration::from_secs(20)).expect("ends");
    assert!(!outcome.status.success());
    assert!(
        outcome
            .stderr
            .contains(&director.pin_dir().display().to_string()),
        "where it looked: {}",
        outcome.stderr
    );
}

#[test]
fn a_killed_lab_takes_its_director_along() {
    let segment = Segment::builder().build().expect("a segment");
    // The thread stands for the lab: the director is told to end when who started it does.
    let yaml = web(&segment);
    let mut director = std::thread::scope(|scope| {
        scope
            .spawn(|| Director::start(&segment.balancer.namespace, &yaml).expect("a director"))
            .join()
            .expect("no panic")
    });
    director.wait().expect("ends by itself");
    assert_nothing_left(&segment, director.pin_dir());
}

#[test]
fn tracing_logs_every_packet_with_its_reason() {
    let segment = Segment::builder().build().expect("a segment");
    let mut director =
        Director::start_tracing(&segment.balancer.namespace, &web(&segment)).expect("a director");
    ping::ping(&segment.client.namespace, segment.balancer.ipv4.into(), 56).expect("a ping");
    director
        .wait_for("other-protocol", Duration::from_secs(10))
        .expect("the ping in the log");
}

#[test]
fn connections_are_listed_and_filtered() {
    let segment = Segment::builder().build().expect("a segment");
    let _farm = Farm::start(&segment.backends).expect("servers");
    let director =
        Director::start(&segment.balancer.namespace, &web(&segment)).expect("a director");
    let vip = SocketAddr::from((VIP4, 80));
    http::load(&segment.client.namespace, vip, 6, |_| {
        ControlFlow::Continue(())
    })
    .expect("requests");
    let list = |arguments: &[&str]| {
        let mut words = vec!["connections", "-o", "json"];
        words.extend(arguments);
        let output = command::output(&mut director.ctl(&words)).expect("connections");
        let list: serde_json::Value = serde_json::from_str(&output).expect("json");
        list["connections"].as_array().expect("a list").len()
    };
    assert_eq!(list(&[]), 6);
    assert_eq!(list(&["--backend", "10.0.0.17"]), 3);
    assert_eq!(list(&["--backend", "10.0.0.19:80"]), 1);
    assert_eq!(list(&["--client", "10.0.0.100", "--service", "web"]), 6);
    assert_eq!(list(&["--client", "10.0.0.101"]), 0);
    assert_eq!(
        list(&["--state", "time_wait"]) + list(&["--state", "fin_wait"]),
        6
    );
    assert_eq!(list(&["--service", "other"]), 0);
}

//! What people get wrong: a clear message, an exit status, and nothing attached.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::time::Duration;

use lvs_tests::lab::command::{Outcome, outcome};
use lvs_tests::lab::{Director, Farm, Segment, VIP4, config, http, lvs_ctl, wait};
use nix::unistd::{Gid, Uid, setgid, setgroups, setuid};

const DEADLINE: Duration = Duration::from_secs(20);

/// A good file; every test spoils one place of it.
const GOOD: &str = "\
interfaces: [lb0]
services:
  - name: web
    protocol: tcp
    address: 10.0.0.29:80
    scheduler: wrr
    mode: dr
    backends:
      - {address: 10.0.0.17, weight: 3}
      - {address: 10.0.0.18, weight: 2}
";

/// What is spoilt, how, and what the message has to contain, in small letters.
const SPOILT: [(&str, (&str, &str), &[&str]); 9] = [
    (
        "YAML syntax",
        ("interfaces: [lb0]", "interfaces: [lb0"),
        &[],
    ),
    (
        "unknown field",
        ("scheduler:", "schedular:"),
        &["schedular", "scheduler"],
    ),
    (
        "bad address",
        ("10.0.0.29:80", "10.0.0.290:80"),
        &["10.0.0.290"],
    ),
    (
        "bad backend address",
        ("10.0.0.18", "10.0.0.18.1"),
        &["10.0.0.18.1"],
    ),
    ("port 0", ("10.0.0.29:80", "10.0.0.29:0"), &["port"]),
    (
        "port 70000",
        ("10.0.0.29:80", "10.0.0.29:70000"),
        &["70000", "65535"],
    ),
    ("weight -1", ("weight: 2", "weight: -1"), &["weight", "-1"]),
    ("unknown scheduler", ("wrr", "wwr"), &["wwr", "wrr"]),
    ("unknown protocol", ("tcp", "tpc"), &["tpc", "tcp"]),
];

fn assert_refused(what: &str, outcome: &Outcome, words: &[&str]) {
    let said = outcome.stderr.to_lowercase();
    assert!(
        !outcome.status.success(),
        "{what} was accepted; it said: {said}"
    );
    assert!(!said.contains("panicked"), "{what}: {said}");
    for word in words {
        assert!(
            said.contains(word),
            "{what}: the message lacks {word:?}: {said}"
        );
    }
}

fn assert_nothing_attached(segment: &Segment) {
    assert!(
        !segment.balancer.has_xdp("lb0").expect("lb0"),
        "an XDP program is attached"
    );
}

#[test]
fn spoilt_files_are_refused_with_the_place() {
    let segment = Segment::builder().backends(0).build().expect("a segment");
    for (what, (good, bad), words) in SPOILT {
        let yaml = GOOD.replacen(good, bad, 1);
        assert_ne!(yaml, GOOD, "{what} spoils nothing");
        let refusal = Director::refusal(&segment.balancer.namespace, &yaml).expect("a refusal");
        assert_refused(what, &refusal, words);
        // file:line:column
        let line = yaml
            .lines()
            .position(|line| line.contains(bad))
            .expect("the spoilt line")
            + 1;
        let place = format!("lvs.yaml:{line}:");
        // An unclosed bracket is only noticed further down.
        assert!(
            what == "YAML syntax" || refusal.stderr.contains(&place),
            "{what}: no {place} in {}",
            refusal.stderr
        );
        assert!(
            refusal.stderr.contains("lvs.yaml:"),
            "{what}: {}",
            refusal.stderr
        );
        assert_nothing_attached(&segment);
    }
}

#[test]
fn a_service_defined_twice_is_refused() {
    let segment = Segment::builder().backends(0).build().expect("a segment");
    let (_, service) = GOOD.split_once("services:\n").expect("services");
    let twice = format!("{GOOD}{service}");
    let refusal = Director::refusal(&segment.balancer.namespace, &twice).expect("a refusal");
    assert_refused("the same service twice", &refusal, &["web"]);

    let same_address = format!("{GOOD}{}", service.replace("web", "shop"));
    let refusal = Director::refusal(&segment.balancer.namespace, &same_address).expect("a refusal");
    assert_refused("the same address twice", &refusal, &["10.0.0.29:80"]);
    assert_nothing_attached(&segment);
}

#[test]
fn all_mistakes_are_told_in_one_go() {
    let segment = Segment::builder().backends(0).build().expect("a segment");
    let yaml = GOOD
        .replace("10.0.0.29:80", "10.0.0.29:70000")
        .replace("weight: 2", "weight: -1")
        .replace("wrr", "wwr");
    let refusal = Director::refusal(&segment.balancer.namespace, &yaml).expect("a refusal");
    assert_refused("three mistakes", &refusal, &["70000", "-1", "wwr"]);
}

#[test]
fn a_missing_file_is_named() {
    let segment = Segment::builder().backends(0).build().expect("a segment");
    let mut command = segment
        .balancer
        .namespace
        .command(&lvs_ctl().expect("lvs-ctl"));
    let refusal =
        outcome(command.args(["run", "-c", "/nowhere/lvs.yaml"]), DEADLINE).expect("ends");
    assert_refused(
        "a missing file",
        &refusal,
        &["/nowhere/lvs.yaml", "no such file"],
    );
    assert_nothing_attached(&segment);
}

#[test]
fn a_missing_interface_is_named() {
    let segment = Segment::builder().backends(0).build().expect("a segment");
    let refusal = Director::refusal(&segment.balancer.namespace, &GOOD.replace("lb0", "lb7"))
        .expect("a refusal");
    assert_refused("a missing interface", &refusal, &["lb7"]);
    // One that is there is not attached either when another isn't.
    let refusal = Director::refusal(
        &segment.balancer.namespace,
        &GOOD.replace("lb0", "lb0, lb7"),
    )
    .expect("a refusal");
    assert_refused("one missing interface of two", &refusal, &["lb7"]);
    assert_nothing_attached(&segment);
}

/// A bridge has no driver of its own for XDP: native mode is refused, generic mode works.
#[test]
fn an_interface_without_native_xdp_gets_generic_xdp_and_a_warning() {
    let segment = Segment::builder().backends(1).build().expect("a segment");
    segment
        .balancer
        .ip("link add br1 type bridge")
        .expect("a bridge");
    segment.balancer.ip("link set br1 up").expect("up");
    let yaml = GOOD.replace("lb0", "br1");
    let mut director = Director::start(&segment.balancer.namespace, &yaml).expect("a director");
    let said = director.said().to_lowercase();
    assert!(said.contains("generic") && said.contains("br1"), "{said}");
    assert!(segment.balancer.has_xdp("br1").expect("br1"));
    director.stop().expect("ends");
    assert!(!segment.balancer.has_xdp("br1").expect("br1"));
}

/// Below a bridge that has a program nothing can be attached, native or generic.
#[test]
fn an_interface_that_takes_no_xdp_at_all_is_named() {
    let segment = Segment::builder().backends(0).build().expect("a segment");
    for line in [
        "link add br1 type bridge",
        "link add p0 master br1 type veth peer name p1",
        "link set br1 up",
        "link set p0 up",
    ] {
        segment.balancer.ip(line).expect("a link");
    }
    let _upper = Director::start(&segment.balancer.namespace, &GOOD.replace("lb0", "br1"))
        .expect("a director");
    let refusal = Director::refusal(&segment.balancer.namespace, &GOOD.replace("lb0", "p0"))
        .expect("a refusal");
    assert_refused("an interface that takes no XDP", &refusal, &["p0"]);
    assert!(!segment.balancer.has_xdp("p0").expect("p0"));
}

#[test]
fn without_root_it_says_what_it_needs() {
    let segment = Segment::builder().backends(0).build().expect("a segment");
    // A copy that anybody can read, wherever this was built.
    let open_to_all = tempfile::tempdir().expect("a directory");
    let (program, file) = (
        open_to_all.path().join("lvs-ctl"),
        open_to_all.path().join("lvs.yaml"),
    );
    fs::copy(lvs_ctl().expect("lvs-ctl"), &program).expect("a copy");
    fs::write(&file, GOOD).expect("writes");
    for path in [open_to_all.path(), &program, &file] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("permissions");
    }

    let as_nobody = |arguments: &[&str]| {
        let mut command = segment
            .balancer
            .namespace
            .command(program.to_str().expect("UTF-8"));
        command.args(arguments).arg(&file);
        let drop_root = || {
            setgroups(&[])?;
            setgid(Gid::from_raw(65534))?;
            setuid(Uid::from_raw(65534))?;
            Ok(())
        };
        // SAFETY: between fork and exec the closure makes system calls only.
        unsafe { command.pre_exec(drop_root) };
        outcome(&mut command, DEADLINE).expect("ends")
    };
    let refusal = as_nobody(&["run", "-c"]);
    assert_refused("no root", &refusal, &["root", "cap_net_admin", "cap_bpf"]);
    assert_nothing_attached(&segment);

    let checked = as_nobody(&["check"]);
    assert!(
        checked.status.success(),
        "check needs no root: {}",
        checked.stderr
    );
}

#[test]
fn an_unreachable_backend_is_a_warning_and_comes_in_when_it_is_there() {
    let segment = Segment::builder().unplugged(2).build().expect("a segment");
    let _farm = Farm::start(&segment.backends).expect("servers");
    let absent = &segment.backends[2];
    let yaml = config::yaml(
        &["lb0"],
        &[Farm::web(&segment.backends, VIP4.into(), &[3, 2, 1])],
    );
    let mut director =
        Director::start(&segment.balancer.namespace, &yaml).expect("it runs without one backend");
    director
        .wait_for("10.0.0.19", DEADLINE)
        .expect("a warning that names it");

    let vip = SocketAddr::new(VIP4.into(), Farm::HTTP);
    let load = |requests| {
        http::load(&segment.client.namespace, vip, requests, |_| {
            std::ops::ControlFlow::Continue(())
        })
        .expect("a load")
    };
    let without = load(50);
    assert_eq!(
        (without.answered(), without.of(&absent.name)),
        (50, 0),
        "{without:?}"
    );
    assert_eq!(
        (without.of("backend-17"), without.of("backend-18")),
        (30, 20),
        "the others share 3:2"
    );

    absent.plug().expect("plugs");
    wait::until("the backend to be taken in", DEADLINE, || {
        Ok(http::get(&segment.client.namespace, vip)? == absent.name)
    })
    .expect("it is taken in");
    let with = load(600);
    assert_eq!(with.failures, Vec::<String>::new());
    assert_eq!(
        [
            with.of("backend-17"),
            with.of("backend-18"),
            with.of(&absent.name)
        ],
        [300, 200, 100]
    );
}

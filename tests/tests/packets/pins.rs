//! Pinned maps: whose they are, what another process reads in them, and what it is told when it cannot.

use std::{fs, path::Path};

use lvs_common::{Family, Reason, map::LAYOUT_VERSION};
use lvs_ctl::datapath::{Pinned, Pins};
use lvs_tests::packet::require_root;

use crate::{
    farm::{SITES, Site, farm},
    pin_dir::Dir,
};

/// What opening the pins of a directory is refused with.
fn refusal(dir: &Path) -> String {
    let refused = Pinned::open(dir).err().expect("a refusal");
    format!("{refused:#}")
}

#[test]
fn are_one_directors_at_a_time() {
    let dir = Dir::new();
    let pins = Pins::take(dir.path()).expect("the directory");
    let refused = Pins::take(dir.path()).expect_err("a refusal").to_string();
    assert!(refused.contains("another director holds"), "{refused}");
    assert!(
        refused.contains(&*dir.path().to_string_lossy()),
        "{refused}"
    );
    assert!(refused.contains("--pin-dir"), "{refused}");
    drop(pins);
    Pins::take(dir.path()).expect("the directory once it is free");
}

#[test]
fn say_to_another_process_what_was_written_and_counted() {
    let dir = Dir::new();
    let mut rig = farm();
    let pins = Pins::take(dir.path()).expect("the directory");
    rig.pin(&pins).expect("pinned");
    let pinned = Pinned::open(dir.path()).expect("opened");

    let names = SITES.map(|site| site.name().to_owned());
    let services: Vec<_> = pinned.services().map(|(_, service)| service).collect();
    let read = services.iter().map(|service| {
        let name = String::from_utf8_lossy(&service.name);
        name.trim_end_matches('\0').to_owned()
    });
    assert!(read.eq(names), "{services:?}");
    for (site, service) in SITES.into_iter().zip(&services) {
        let family = Family::from_number(service.key.family).expect("a family");
        let key = &service.key;
        assert_eq!(key.address.to_ip(family), site.address().ip());
        assert_eq!(u16::from_be(key.port), site.address().port());
        assert_eq!(key.protocol, site.protocol() as u8);
    }
    let backends: Vec<_> = pinned.backends().map(|(id, b)| (id, b.service)).collect();
    assert_eq!(backends, [(1, 0), (2, 1), (3, 2), (4, 3)]);

    // Written before, counted after they were opened: they are the same memory.
    rig.walk(&Site::Web.first(1).bytes()).expect("a walk");
    let stats = &pinned.stats;
    assert_eq!(stats.service(0).expect("counters").connections, 1);
    assert_eq!(stats.backend(1).expect("counters").bytes, 40);
    assert_eq!(stats.reason(Reason::Sent).expect("counters").packets, 1);
    assert_eq!(stats.load(1).expect("a load").active, 1);
}

/// Maps live for as long as somebody has them open, but nobody finds them any more.
#[test]
fn go_with_their_director() {
    let dir = Dir::new();
    let mut rig = farm();
    let pins = Pins::take(dir.path()).expect("the directory");
    rig.pin(&pins).expect("pinned");
    let pinned = Pinned::open(dir.path()).expect("opened");
    drop(pins);
    assert!(!dir.path().exists(), "the directory is left over");
    let refused = refusal(dir.path());
    assert!(refused.contains("no director is running"), "{refused}");
    assert_eq!(pinned.services().count(), SITES.len());
}

/// The lock of a director that was killed goes with it, its pins do not.
#[test]
fn of_a_director_that_died_are_cleared_away() {
    let (dir, dead) = (Dir::new(), Dir::new());
    let pins = Pins::take(dir.path()).expect("the directory");
    farm().pin(&pins).expect("pinned");
    for version in ["v0", &format!("v{LAYOUT_VERSION}")] {
        fs::create_dir_all(dead.path().join(version)).expect("a directory");
    }
    let maps = dir.path().join(format!("v{LAYOUT_VERSION}"));
    for (n, entry) in fs::read_dir(maps).expect("pins").flatten().enumerate() {
        let version = if n % 2 == 0 {
            "v0".to_owned()
        } else {
            format!("v{LAYOUT_VERSION}")
        };
        let left = dead.path().join(version).join(entry.file_name());
        fs::rename(entry.path(), left).expect("moved");
    }
    let taken = Pins::take(dead.path()).expect("the dead director's directory");
    assert!(
        !dead.path().join("v0").exists(),
        "another version's pins are left over"
    );
    // There would be maps of the same names in the way.
    farm().pin(&taken).expect("pinned");
}

#[test]
fn of_another_layout_are_refused_in_words() {
    let dir = Dir::new();
    // Also mounts the file system.
    drop(Pins::take(dir.path()).expect("the directory"));
    fs::create_dir_all(dir.path().join("v0")).expect("a directory");
    let refused = refusal(dir.path());
    for words in [
        "another version (v0)",
        "this program reads v",
        "use the lvs-ctl that",
    ] {
        assert!(refused.contains(words), "{words:?} is not in: {refused}");
    }
}

#[test]
fn must_be_on_a_bpf_file_system() {
    require_root();
    let dir = std::env::temp_dir().join("lvs-test-pins");
    let refused = Pins::take(&dir).expect_err("a refusal").to_string();
    assert!(refused.contains("not on a BPF file system"), "{refused}");
    assert!(!dir.exists());
}

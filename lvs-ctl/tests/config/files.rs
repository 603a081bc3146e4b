//! Files that can't be read, and the JSON of what is found.

use std::{fs, path::Path};

use lvs_ctl::config::{self, Diagnostic};

fn refused(path: &Path) -> Diagnostic {
    let found = config::load(path).expect_err("a file that can't be read");
    found.into_iter().next().expect("a reason")
}

#[test]
fn a_file_is_read() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("lvs.yaml");
    fs::write(&path, config::example()).expect("a file");
    let loaded = config::load(&path).expect("the example");
    assert_eq!(
        loaded,
        config::parse(config::example(), "elsewhere").expect("the example")
    );
}

#[test]
fn a_missing_file_is_named() {
    let found = refused(Path::new("/nowhere/lvs.yaml"));
    assert_eq!(found.message, "cannot read /nowhere/lvs.yaml: no such file");
    assert_eq!((found.path.as_str(), found.line), ("/nowhere/lvs.yaml", 0));
    assert!(found.help.expect("help").contains("lvs.example.yaml"));
}

#[test]
fn a_directory_is_no_file() {
    let directory = tempfile::tempdir().expect("a directory");
    let found = refused(directory.path());
    assert!(found.message.ends_with("it is a directory"), "{found:?}");
}

#[test]
fn a_device_without_an_end_is_given_up() {
    let found = refused(Path::new("/dev/zero"));
    assert!(
        found.message.ends_with("it is larger than 64 MiB"),
        "{found:?}"
    );
}

#[test]
fn a_file_that_is_not_text_says_where() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("lvs.yaml");
    fs::write(&path, b"interfaces: [eth0]\n# caf\xe9\n").expect("a file");
    let found = refused(&path);
    assert_eq!(found.message, "the file is not UTF-8 text");
    assert_eq!((found.line, found.column), (2, 6));
    assert!(
        found.render(false).contains("2 | # caf"),
        "{}",
        found.render(false)
    );
}

#[test]
fn findings_are_json() {
    let found =
        config::parse("interfaces: [eth0]\nservices: []\n", "lvs.yaml").expect_err("no services");
    let json = serde_json::to_value(&found).expect("JSON");
    let help = found.iter().next().and_then(|found| found.help.clone());
    let expected = serde_json::json!([{
        "path": "lvs.yaml", "line": 2, "column": 1, "severity": "error", "message": "`services` is empty", "help": help,
    }]);
    assert_eq!(json, expected);
}

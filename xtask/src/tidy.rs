//! The house rules that no other tool checks.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};

/// The longest a source file may be, in lines: beyond, it has more than one job.
const MAX_LINES: usize = 600;

/// Work that was put off: it belongs into an issue, not into the code.
const PUT_OFF: [&str; 4] = [
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("todo", "!("),
    concat!("unimple", "mented!("),
];

/// Paths that exist on one person's machine.
const HOMES: [&str; 3] = [
    concat!("/ho", "me/"),
    concat!("/ro", "ot/"),
    concat!("/Us", "ers/"),
];

/// Files that are text and ours, by how their names end.
const TEXTS: [&str; 6] = ["rs", "toml", "md", "sh", "yaml", "yml"];

/// Checks all files of the workspace; the error lists every breach with its place.
pub(crate) fn run(root: &Path) -> Result<()> {
    let mut files = Vec::new();
    collect(root, &mut files)?;
    files.sort();
    let mut breaches = Vec::new();
    for file in files {
        let text =
            fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let name = file.strip_prefix(root).unwrap_or(&file);
        breaches.extend(check(name, &text));
    }
    if !breaches.is_empty() {
        bail!(
            "{} breaches of the house rules:\n    {}",
            breaches.len(),
            breaches.join("\n    ")
        );
    }
    Ok(())
}

/// Adds the files to check under `dir`. Hidden ones and what is built are not ours to judge.
fn collect(dir: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    let entries = fs::read_dir(dir).with_context(|| format!("cannot list {}", dir.display()))?;
    for entry in entries {
        let entry = entry.with_context(|| format!("cannot list {}", dir.display()))?;
        let (path, name) = (entry.path(), entry.file_name());
        if name.to_string_lossy().starts_with('.') {
            continue;
        }
        let kind = entry
            .file_type()
            .with_context(|| format!("no type of {}", path.display()))?;
        if kind.is_dir() {
            // Cargo marks what it builds in, wherever that is.
            if !path.join("CACHEDIR.TAG").exists() {
                collect(&path, files)?;
            }
        } else if kind.is_file() && extension(&path).is_some_and(|e| TEXTS.contains(&e)) {
            files.push(path);
        }
    }
    Ok(())
}

/// The breaches in one file, each with its place.
fn check(name: &Path, text: &str) -> Vec<String> {
    let file = name.display();
    let mut breaches = Vec::new();
    let rust = extension(name) == Some("rs");
    if rust && !opens_with_docs(text) {
        breaches.push(format!(
            "{file}:1: does not open with the module's documentation (//!)"
        ));
    }
    let lines = text.lines().count();
    if rust && lines > MAX_LINES {
        breaches.push(format!(
            "{file}: has {lines} lines, the limit is {MAX_LINES}: split it"
        ));
    }
    for (number, line) in text
        .lines()
        .enumerate()
        .map(|(index, line)| (index + 1, line))
    {
        let mut found = |list: &[&str], why: &str| {
            for word in list.iter().filter(|word| line.contains(**word)) {
                breaches.push(format!("{file}:{number}: {word}: {why}"));
            }
        };
        if rust {
            found(&PUT_OFF, "finish it or open an issue");
        }
        found(&HOMES, "a path of one machine");
    }
    breaches
}

/// Whether a source file documents itself before anything else; a licence line may go first.
fn opens_with_docs(text: &str) -> bool {
    let mut lines = text
        .lines()
        .skip_while(|line| line.starts_with("// SPDX-") || line.is_empty());
    lines
        .next()
        .is_some_and(|line| line.starts_with("//!") && line.len() > "//!".len())
}

/// How the name of a file ends.
fn extension(path: &Path) -> Option<&str> {
    path.extension()?.to_str()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn breaches(name: &str, text: &str) -> Vec<String> {
        check(Path::new(name), text)
    }

    #[test]
    fn a_documented_file_passes() {
        assert!(breaches("a.rs", "//! Says what it is.\nfn f() {}\n").is_empty());
        assert!(breaches("a.rs", "// SPDX-License-Identifier: MIT\n\n//! Docs.\n").is_empty());
    }

    #[test]
    fn a_file_without_docs_is_found() {
        for text in [
            "",
            "fn f() {}\n//! late\n",
            "//!\nfn f() {}\n",
            "// comment\n",
        ] {
            assert_eq!(breaches("a.rs", text).len(), 1, "{text:?}");
        }
        assert!(breaches("a.md", "no docs needed").is_empty());
    }

    #[test]
    fn a_long_file_is_found() {
        let text = |lines| format!("//! Docs.\n{}", "\n".repeat(lines - 1));
        assert!(breaches("a.rs", &text(MAX_LINES)).is_empty());
        assert!(breaches("a.rs", &text(MAX_LINES + 1))[0].contains("601 lines"));
    }

    #[test]
    fn words_are_found_with_their_line() {
        let text = format!("//! Docs.\n// {}: later\n", PUT_OFF[0]);
        assert!(breaches("src/a.rs", &text)[0].starts_with("src/a.rs:2: "));
        let text = format!("see {}me/notes\n", HOMES[0]);
        assert!(breaches("README.md", &text)[0].starts_with("README.md:1: "));
    }

    #[test]
    fn this_file_passes_its_own_rules() {
        assert_eq!(
            breaches("tidy.rs", include_str!("tidy.rs")),
            Vec::<String>::new()
        );
    }
}

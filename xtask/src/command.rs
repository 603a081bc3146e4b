//! Running other programs so that whoever reads the output could have typed it.

use std::{
    env,
    ffi::OsStr,
    os::unix::{fs::PermissionsExt as _, process::CommandExt as _},
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};

/// The directory of the workspace's `Cargo.toml`.
pub(crate) fn workspace_root() -> PathBuf {
    // Cargo sets the variable for what it runs; the other one is for a binary started by hand.
    let manifest = env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    manifest
        .parent()
        .map_or_else(|| PathBuf::from("."), Path::to_path_buf)
}

/// The directory that cargo builds in.
pub(crate) fn target_dir() -> PathBuf {
    match env::var_os("CARGO_TARGET_DIR") {
        Some(dir) => env::current_dir().unwrap_or_default().join(dir),
        None => workspace_root().join("target"),
    }
}

/// The cargo that runs this program, with `args`, in the directory that it was called from.
pub(crate) fn cargo<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(args);
    command
}

/// Prints and runs a command, and waits for it; an error names it if it fails.
pub(crate) fn exec(command: &mut Command) -> Result<()> {
    announce(command);
    let line = typed(command);
    let status = command
        .status()
        .with_context(|| format!("cannot start `{line}`"))?;
    if !status.success() {
        bail!("`{line}` failed: {status}");
    }
    Ok(())
}

/// Prints a command and becomes it: it gets the signals and its exit status is ours. Returns only
/// if it can't be started.
pub(crate) fn replace(command: &mut Command) -> Result<()> {
    announce(command);
    let error = command.exec();
    Err(error).with_context(|| format!("cannot start `{}`", typed(command)))
}

/// Whether a command runs and succeeds; its output is dropped.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    command.output().is_ok_and(|output| output.status.success())
}

/// The executable file that `program` names in `PATH`.
pub(crate) fn find_program(program: &str) -> Option<PathBuf> {
    find_in(&env::var_os("PATH")?, program)
}

/// The first executable file called `program` in a list of directories in the form of `PATH`.
fn find_in(path: &OsStr, program: &str) -> Option<PathBuf> {
    env::split_paths(path)
        .map(|dir| dir.join(program))
        .find(|file| {
            file.metadata()
                .is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
        })
}

/// Prints a command on the standard error, where cargo's own progress goes.
fn announce(command: &Command) {
    eprintln!("$ {}", shown(command));
}

/// A command as a shell would take it, with the variables it sets.
fn shown(command: &Command) -> String {
    let variables = command.get_envs().filter_map(|(key, value)| {
        value.map(|value| format!("{}={} ", key.display(), quoted(&value.to_string_lossy())))
    });
    variables.collect::<String>() + &typed(command)
}

/// The program, without its path, and the arguments.
fn typed(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let program = program.file_name().unwrap_or(command.get_program());
    let words = std::iter::once(program).chain(command.get_args());
    let words = words.map(|word| quoted(&word.to_string_lossy()));
    words.collect::<Vec<_>>().join(" ")
}

/// A word in quotes if a shell would take it apart.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=+,./:@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_shown_as_one_would_type_them() {
        let mut command = Command::new("/opt/bin/cargo");
        command
            .args(["test", "it's me", ""])
            .env("RUSTFLAGS", "-D warnings")
            .env_remove("PATH");
        assert_eq!(
            shown(&command),
            r"RUSTFLAGS='-D warnings' cargo test 'it'\''s me' ''"
        );
    }

    #[test]
    fn a_search_takes_the_first_executable_file() {
        let found = find_in(OsStr::new("/nonexistent:/etc:/bin:/usr/bin"), "sh").unwrap();
        assert_eq!(found, Path::new("/bin/sh"));
        assert_eq!(
            find_in(OsStr::new("/etc"), "passwd"),
            None,
            "not executable"
        );
        assert_eq!(find_in(OsStr::new("/usr"), "bin"), None, "a directory");
        assert_eq!(find_in(OsStr::new(""), "sh"), None);
    }

    #[test]
    fn a_failure_names_the_command() {
        let error = exec(&mut Command::new("false")).unwrap_err();
        assert!(format!("{error:#}").contains("`false` failed"), "{error:#}");
        let error = exec(&mut Command::new("/nonexistent/program")).unwrap_err();
        assert!(
            format!("{error:#}").contains("cannot start `program`"),
            "{error:#}"
        );
    }
}

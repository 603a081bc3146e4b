//! Who holds an XDP program.

use std::{fs, path::Path};

/// A process that holds a BPF program, or a link to one, by an open file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// The process id, as this process sees it.
    pub pid: u32,
    /// The command's name, at most 15 bytes as the kernel keeps it.
    pub command: String,
}

/// The process with the lowest id that holds the program with this id.
///
/// Best effort: processes of others are invisible without privileges, and a program that is only
/// pinned, or attached by netlink alone, has no holder. Reads all of `/proc/*/fdinfo`, which blocks
/// for some milliseconds.
pub fn holder(program_id: u32) -> Option<Holder> {
    holder_in(Path::new("/proc"), program_id)
}

fn holder_in(proc: &Path, program_id: u32) -> Option<Holder> {
    // Both a program's and a link's fdinfo have this line (bpf_prog_show_fdinfo and
    // bpf_link_show_fdinfo in kernel/bpf/syscall.c).
    let line = format!("prog_id:\t{program_id}");
    let mut pids: Vec<u32> = fs::read_dir(proc)
        .ok()?
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .collect();
    pids.sort_unstable();
    let pid = pids
        .into_iter()
        .find(|pid| holds(&proc.join(pid.to_string()), &line))?;
    let command = fs::read_to_string(proc.join(pid.to_string()).join("comm")).unwrap_or_default();
    Some(Holder {
        pid,
        command: command.trim_end().to_owned(),
    })
}

/// Whether an open file of the process has this line in its description.
fn holds(process: &Path, line: &str) -> bool {
    let Ok(files) = fs::read_dir(process.join("fdinfo")) else {
        return false;
    };
    files
        .filter_map(|file| fs::read_to_string(file.ok()?.path()).ok())
        .any(|info| info.lines().any(|candidate| candidate == line))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(proc: &Path, pid: &str, command: &str, files: &[&str]) {
        let process = proc.join(pid);
        fs::create_dir_all(process.join("fdinfo")).unwrap();
        fs::write(process.join("comm"), format!("{command}\n")).unwrap();
        for (number, info) in files.iter().enumerate() {
            fs::write(process.join("fdinfo").join(number.to_string()), info).unwrap();
        }
    }

    #[test]
    fn finds_the_lowest_holder_by_the_whole_line() {
        let proc = tempfile::tempdir().unwrap();
        process(
            proc.path(),
            "9",
            "near-miss",
            &["pos:\t0\n", "prog_type:\t6\nprog_id:\t421\n"],
        );
        process(proc.path(), "1234", "later", &["prog_id:\t42\n"]);
        process(
            proc.path(),
            "77",
            "lvs-ctl",
            &["pos:\t0\n", "link_type:\txdp\nprog_id:\t42\nifindex:\t3\n"],
        );
        process(proc.path(), "self", "not a number", &["prog_id:\t42\n"]);
        let found = holder_in(proc.path(), 42);
        assert_eq!(
            found,
            Some(Holder {
                pid: 77,
                command: "lvs-ctl".to_owned()
            })
        );
        assert_eq!(holder_in(proc.path(), 4), None);
    }

    #[test]
    fn unreadable_proc_means_unknown() {
        assert_eq!(holder_in(Path::new("/nonexistent"), 1), None);
    }
}

//! The command `lvs-ctl`.

use std::process::ExitCode;

fn main() -> ExitCode {
    lvs_ctl::cli::main()
}

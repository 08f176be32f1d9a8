//! What the tests of several crates share: starting the program, reading what it says.
#![forbid(unsafe_code)]
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on ends with a message"
)]

pub mod documents;
pub mod serving;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The workspace's folder.
///
/// # Panics
///
/// Never: this package lies in a folder of the workspace.
#[must_use]
pub fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_owned()
}

/// The program `rsr` as this test run built it.
///
/// # Panics
///
/// Where it is not built: `cargo test --workspace` builds it, a run of this package alone may not.
#[must_use]
pub fn rsr_path() -> PathBuf {
    let mut folder = std::env::current_exe().unwrap();
    folder.pop();
    if folder.ends_with("deps") {
        folder.pop();
    }
    let program = folder.join("rsr");
    assert!(
        program.is_file(),
        "{} is not built: run `cargo build -p rsr` with the same profile",
        program.display()
    );
    program
}

/// `rsr`, in a folder of the test's own and without any `RSR_*` variable of the person who runs the tests.
#[must_use]
pub fn rsr(folder: &Path) -> Command {
    let mut command = Command::new(rsr_path());
    command.current_dir(folder).env("XDG_RUNTIME_DIR", folder);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("RSR_") {
            command.env_remove(name);
        }
    }
    command
}

/// What a finished run of the program said.
#[derive(Debug)]
pub struct Said {
    /// The exit code; a signal is -1.
    pub code: i32,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// Runs `rsr` to its end.
///
/// # Panics
///
/// Where it cannot be started.
pub fn run<A: AsRef<OsStr>>(folder: &Path, arguments: impl IntoIterator<Item = A>) -> Said {
    rsr(folder).args(arguments).output().unwrap().into()
}

/// Runs `rsr` to its end and insists on an exit code.
///
/// # Panics
///
/// With all that the program said, where the code is another.
#[track_caller]
pub fn run_expecting<A: AsRef<OsStr>>(
    folder: &Path,
    code: i32,
    arguments: impl IntoIterator<Item = A>,
) -> Said {
    let said = run(folder, arguments);
    if said.code != code {
        panic!(
            "exit code {} instead of {code}\n--- out\n{}\n--- err\n{}",
            said.code, said.out, said.err
        );
    }
    said
}

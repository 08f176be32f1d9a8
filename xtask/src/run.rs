//! Running other programs.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::workspace;

/// Cargo, in the workspace's folder.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut cargo = Command::new(program);
    cargo.args(arguments).current_dir(workspace::root());
    cargo
}

/// Builds `rsr` with the features that the tests use, so that nothing is compiled twice; where it is.
pub(crate) fn build_rsr() -> Result<PathBuf> {
    let mut build = cargo(&["build", "--release", "--locked", "--quiet", "--workspace"]);
    // An example, since only a target that needs the dev-dependencies chooses features as a run of the tests does.
    build.args(["--bin", "rsr", "--example", "cached_method"]);
    ensure!(passes(build)?, "rsr does not build");
    Ok(workspace::root().join("target/release/rsr"))
}

/// A test run of the stories of the package `rsr-tests` whose names have this part.
pub(crate) fn stories(filter: &str) -> Command {
    let mut test = cargo(&["test", "--release", "--locked", "--workspace"]);
    test.args(["--test", "it", filter, "--", "--nocapture"]);
    test
}

/// Runs a program that talks to the terminal; answers whether it succeeded.
pub(crate) fn passes(mut command: Command) -> Result<bool> {
    let line = shown(&command);
    eprintln!("$ {line}");
    Ok(command
        .status()
        .with_context(|| format!("cannot start {line}"))?
        .success())
}

/// Runs a program for what it prints.
pub(crate) fn output(mut command: Command) -> Result<String> {
    let line = shown(&command);
    let done = command
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("cannot start {line}"))?;
    ensure!(done.status.success(), "{line} failed: {}", done.status);
    String::from_utf8(done.stdout)
        .with_context(|| format!("{line} printed something else than text"))
}

/// Whether a program of this name is on the `PATH`.
pub(crate) fn is_installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

fn shown(command: &Command) -> String {
    let mut line = command.get_program().to_string_lossy().into_owned();
    if let Some((_, name)) = line.rsplit_once('/') {
        line = name.to_owned();
    }
    for argument in command.get_args() {
        line.push(' ');
        line.push_str(&argument.to_string_lossy());
    }
    line
}

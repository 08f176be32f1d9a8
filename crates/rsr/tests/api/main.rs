//! What the program promises before it does anything: help, version, and wrong usage in one line.
//!
//! That this package has a test like this makes Cargo build the program itself wherever tests are built, which the
//! stories in the workspace's `tests` folder run.
#![forbid(unsafe_code)]

use std::process::{Command, Output};

fn rsr(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_rsr"))
        .args(arguments)
        .output()
        .expect("the program starts")
}

#[test]
fn help_and_version_are_no_errors() {
    for arguments in [
        &["--help"][..],
        &["--version"],
        &["import", "iati", "--help"],
    ] {
        let output = rsr(arguments);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}");
        assert!(output.stderr.is_empty(), "{arguments:?}");
        assert!(!output.stdout.is_empty(), "{arguments:?}");
    }
}

#[test]
fn wrong_usage_is_one_line_and_exit_code_2() {
    for arguments in [
        &[][..],
        &["aggregat"],
        &["aggregate"],
        &["serve", "--listen", "here"],
    ] {
        let output = rsr(arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        assert_eq!(said.lines().count(), 1, "{arguments:?}: {said}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
    }
}

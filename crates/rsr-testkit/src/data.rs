//! Where the official IATI test data lies.

use std::path::{Path, PathBuf};

/// The folder of official and real IATI files, if this machine has it: `RSR_IATI_DATA`, else the nearest
/// `shared/iati` beside or above the current folder.
///
/// `None` means that a test falls back to the project's own fixtures and says what it left out.
#[must_use]
pub fn iati_data() -> Option<PathBuf> {
    #[expect(
        clippy::disallowed_methods,
        reason = "test data has no settings; the variable is known to tests alone"
    )]
    if let Some(named) = std::env::var_os("RSR_IATI_DATA") {
        return Some(PathBuf::from(named)).filter(|folder| folder.is_dir());
    }
    let here = std::env::current_dir().ok()?;
    here.ancestors()
        .map(|above: &Path| above.join("shared/iati"))
        .find(|folder| folder.is_dir())
}

/// Says that a test could not check something, and why: on standard error, and in the summary of `cargo xtask test`.
///
/// A test whose tool or data is absent calls this instead of passing in silence.
///
/// # Panics
///
/// Where the report cannot be written: a gap must not stay unsaid.
pub fn left_out(what: &str) {
    #[expect(
        clippy::print_stderr,
        reason = "a plain `cargo test` has no other place to say it"
    )]
    {
        eprintln!("left out: {what}");
    }
    #[expect(
        clippy::disallowed_methods,
        reason = "the test runner names the file it collects from"
    )]
    let Some(report) = std::env::var_os("RSR_TEST_LEFT_OUT") else {
        return;
    };
    let line = format!("{what}\n");
    let opened = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(&report);
    opened
        .and_then(|mut file| std::io::Write::write_all(&mut file, line.as_bytes()))
        .expect("the report of what was left out can be written");
}

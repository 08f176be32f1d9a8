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

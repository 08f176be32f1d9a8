//! Where the standard's data and real files lie, on machines that have them.

use std::path::{Path, PathBuf};

/// The data folder: from `RSR_IATI_DATA`, else a `shared/iati` beside the checkout or above it.
pub(crate) fn folder() -> Option<PathBuf> {
    if let Some(folder) = option_env!("RSR_IATI_DATA") {
        return Some(PathBuf::from(folder));
    }
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors()
        .map(|above| above.join("shared/iati"))
        .find(|folder| folder.is_dir())
}

/// The real files, sorted; empty with a line that says so where there are none.
pub(crate) fn real_files() -> Vec<PathBuf> {
    let files = folder()
        .map(|folder| xml_files(&folder.join("real")))
        .unwrap_or_default();
    if files.is_empty() {
        rsr_testkit::left_out(
            "reading real files: set RSR_IATI_DATA to the folder that has `real`",
        );
    }
    files
}

/// The `.xml` files of a folder, sorted.
pub(crate) fn xml_files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut files: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "xml"));
    files.sort();
    files
}

/// The name of a file without its folder.
pub(crate) fn name(file: &Path) -> String {
    file.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

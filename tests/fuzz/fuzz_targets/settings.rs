//! Any file and any variables are settings within their bounds, or are refused with a line for each thing that is wrong.
#![no_main]

use std::cell::RefCell;
use std::fs;

use libfuzzer_sys::fuzz_target;
use rsr_settings::{Inputs, load};

thread_local! {
    static FOLDER: RefCell<Option<tempfile::TempDir>> = const { RefCell::new(None) };
}

/// The first lines up to one of dashes are a file, the rest is variables, one a line.
fn inputs(bytes: &[u8]) -> Inputs {
    let text = String::from_utf8_lossy(bytes);
    let (file, variables) = text.split_once("\n---\n").unwrap_or((&text, ""));
    let variables: Vec<(String, &str)> = variables
        .lines()
        .filter_map(|line| line.split_once('='))
        .map(|(name, value)| (format!("RSR_{name}"), value))
        .collect();
    let variables = variables
        .iter()
        .map(|(name, value)| (name.as_str(), *value));
    let mut inputs = Inputs::from_environment(variables);
    FOLDER.with_borrow_mut(|folder| {
        let folder = folder.get_or_insert_with(|| tempfile::tempdir().expect("a folder"));
        let path = folder.path().join("rsr.toml");
        fs::write(&path, file).expect("a file");
        inputs.config = Some(path);
    });
    inputs
}

fuzz_target!(|bytes: &[u8]| {
    let inputs = inputs(bytes);
    match load(&inputs) {
        Ok(loaded) => {
            // What is shown of each setting can be given again, and means the same.
            assert_eq!(loaded.settings, load(&inputs).expect("as before").settings);
            assert!(!loaded.entries().is_empty());
        }
        Err(invalid) => {
            let said = invalid.to_string();
            assert!(!said.trim().is_empty(), "why it is refused");
        }
    }
});

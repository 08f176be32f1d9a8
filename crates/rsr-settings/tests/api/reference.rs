//! The reference page in the documentation is the one the code writes.

use std::path::Path;

use rsr_base::{ByteSize, read_file_at_most};
use rsr_settings::{Inputs, load, reference};

#[test]
fn the_page_in_the_documentation_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/settings.md");
    let page = read_file_at_most(&path, ByteSize::from_mib(1))
        .expect("docs/reference/settings.md is part of the repository");
    assert!(
        page == reference(),
        "docs/reference/settings.md is not what the code says: cargo run -- settings reference > docs/reference/settings.md"
    );
}

#[test]
fn every_setting_has_one_line_with_a_meaning() {
    let page = reference();
    for entry in load(&Inputs::default()).unwrap().entries() {
        let head = format!("| `{}` | `{}` |", entry.variable, entry.key);
        let lines: Vec<&str> = page
            .lines()
            .filter(|line| line.starts_with(&head))
            .collect();
        assert_eq!(lines.len(), 1, "{head}");
        assert!(lines[0].ends_with(". |"), "a sentence ends {}", lines[0]);
        assert_eq!(
            lines[0].matches('|').count(),
            13,
            "twelve cells: {}",
            lines[0]
        );
    }
}

#[test]
fn names_are_unique() {
    let entries = load(&Inputs::default()).unwrap().entries();
    for (place, entry) in entries.iter().enumerate() {
        assert!(entry.variable.starts_with("RSR_"), "{}", entry.variable);
        assert!(
            entries
                .iter()
                .skip(place + 1)
                .all(|other| other.key != entry.key && other.variable != entry.variable),
            "{}",
            entry.key
        );
    }
}

//! The first command of the README.

use std::path::Path;

use rsr_tests::run_expecting;

use crate::real_files::xmllint;

#[test]
fn the_demo_ends_well_and_again() {
    let folder = tempfile::tempdir().unwrap();
    for _again in 0..2 {
        let said = run_expecting(
            folder.path(),
            0,
            ["demo", "--once", "--listen", "127.0.0.1:0"],
        );
        let shown = said.out.to_ascii_lowercase();
        for header in [
            "x-memory-protection",
            "x-total-processed",
            "x-children-count",
            "x-truncated",
        ] {
            assert!(
                shown.contains(header),
                "{header} is not shown:\n{}",
                said.out
            );
        }
        let file = said
            .out
            .split_whitespace()
            .map(|word| {
                word.trim_matches(|c: char| !c.is_ascii_alphanumeric() && !"/.-_".contains(c))
            })
            .find(|word| word.ends_with(".xml"))
            .unwrap_or_else(|| panic!("no path of an IATI file:\n{}", said.out));
        xmllint(&folder.path().join(Path::new(file)))
            .unwrap_or_else(|said| panic!("not valid:\n{said}"));
        let log = folder.path().join("rsr.db-wal");
        let left = std::fs::metadata(log).map_or(0, |log| log.len());
        assert_eq!(left, 0, "the file alone is the whole database");
    }
}

//! Coming from Akvo RSR: the guide's mapping, run on a small database of the old shape.

use std::process::Command;

use rsr_testkit::{PostgresDatabase, left_out};
use rsr_tests::{Said, run_expecting, workspace};

use crate::real_files::xmllint;

#[test]
fn a_database_of_akvo_rsr_comes_over_with_its_tree_and_its_numbers() {
    let Some(old) = PostgresDatabase::make() else {
        return;
    };
    let psql = |file: &str| -> Option<Said> {
        let mut psql = Command::new("psql");
        psql.args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align"]);
        psql.args(["--dbname", &old.url(), "--file"]);
        let ended = psql.arg(workspace().join(file)).output().ok()?;
        Some(ended.into())
    };
    let Some(made) = psql("tests/fixtures/akvo_rsr/old.sql") else {
        left_out("psql is not there: the mapping from Akvo RSR was not run");
        return;
    };
    assert_eq!((made.code, made.err.as_str()), (0, ""));
    let exported = psql("docs/deploy/akvo-rsr-to-iati.sql").unwrap();
    assert_eq!((exported.code, exported.err.as_str()), (0, ""));

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("activities.xml");
    std::fs::write(&file, &exported.out).unwrap();
    xmllint(&file).unwrap_or_else(|said| panic!("not valid:\n{said}"));
    let here = |arguments: &[&str]| run_expecting(folder.path(), 0, arguments).out;
    let imported = here(&["import", "iati", "activities.xml"]);
    assert!(imported.contains("3 kept"), "{imported}");
    here(&["aggregate", "--all"]);
    let tree = here(&["project", "tree", "1"]);
    assert!(tree.starts_with("1 Water <everywhere>"), "{tree}");
    for below in ["2 Wells in the north", "3 Wells in the south"] {
        assert!(tree.contains(below), "{tree}");
    }
    here(&["export", "iati", "-o", "out.xml"]);
    let out = rsr_tests::documents::read(&folder.path().join("out.xml"));
    // 31 and 29.5, below a programme that had no value of its own.
    assert!(out.contains("<actual value=\"60.5\""), "{out}");
    assert!(out.contains("rain came early"), "{out}");
}

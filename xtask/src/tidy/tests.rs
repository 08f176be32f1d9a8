use super::*;

#[track_caller]
fn check_files(files: &[(&str, &str)], expected: &[&str]) {
    let files = files
        .iter()
        .map(|(path, text)| ((*path).to_owned(), (*text).to_owned()))
        .collect();
    assert_eq!(check(&files), expected);
}

#[test]
fn module_docs() {
    check_files(&[("crates/a/src/lib.rs", "//! A.\n")], &[]);
    check_files(
        &[("crates/a/src/lib.rs", "mod b;\n")],
        &["crates/a/src/lib.rs: has no module doc (`//! …`)"],
    );
}

#[test]
fn files_that_nobody_declares() {
    check_files(
        &[
            (
                "crates/a/src/lib.rs",
                "//! A.\nmod b;\npub mod c;\nmod d;\n",
            ),
            ("crates/a/src/b.rs", "//! B.\n"),
            (
                "crates/a/src/c/mod.rs",
                "//! C.\n#[cfg(test)]\nmod tests;\n",
            ),
            ("crates/a/src/c/tests.rs", ""),
            (
                "crates/a/src/d/mod.rs",
                "//! D.\n#[path = \"../e.rs\"]\nmod e;\n",
            ),
            ("crates/a/src/e.rs", "//! E.\n"),
            ("crates/a/src/c/lost.rs", "//! Lost.\n"),
        ],
        &["crates/a/src/c/lost.rs: no module declares it"],
    );
}

#[test]
fn markers_need_an_issue() {
    let marker = concat!("TO", "DO");
    check_files(
        &[(
            "crates/a/src/lib.rs",
            &format!("//! A.\n// {marker}(#12): fine\n// {marker}: not\n"),
        )],
        &[&format!(
            "crates/a/src/lib.rs:3: {marker} without an issue (#…)"
        )],
    );
}

#[test]
fn manifests_inherit() {
    check_files(
        &[(
            "crates/a/Cargo.toml",
            "version.workspace = true\nedition.workspace = true\n",
        )],
        &["crates/a/Cargo.toml: lacks `[lints] / workspace = true`"],
    );
}

#[test]
fn fixtures_say_where_they_come_from() {
    check_files(
        &[
            ("tests/fixtures/iati/a.xml", ""),
            ("tests/fixtures/sql/README.md", ""),
            ("crates/a/tests/fixtures/README.md", ""),
            ("crates/a/tests/fixtures/topic/a.xml", ""),
        ],
        &["tests/fixtures/iati: has no README.md"],
    );
}

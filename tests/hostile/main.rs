//! Hostile files through the program itself: its memory stays bounded, a line says what is wrong and where, the exit code is
//! the right one, and nothing is left half-written.
//!
//! A binary of its own with one test. The kernel counts the largest resident set of all the children of a process together,
//! so the runs go by their limits, the smallest first, and the first one that goes over its own is seen.
#![forbid(unsafe_code)]
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test that cannot go on ends with a message, and shows the peaks it saw"
)]

mod files;

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;

use nix::sys::resource::{UsageWho, getrusage};
use rsr_tests::{Said, run};

use files::{
    attributes, binary, bomb, deep, empty, external, huge_activity, huge_text, latin1, laughs,
    long_paths, long_text, no_xml, nothing_but_spaces, own_attributes, truncated, utf16_with_mark,
    utf16_without_mark, wrong_bytes, zeros,
};

/// A command on a hostile file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    Validate,
    Import,
    Stats,
    Split,
}

use Asked::{Import, Split, Stats, Validate};

/// Writes a file, a piece at a time.
type Fill = fn(&mut dyn Write) -> io::Result<()>;

/// What is expected of one command on one file: the exit code, a word of the line that names the file, and most MiB.
type Expected = (Asked, i32, &'static str, u64);

/// Resident MiB of a run that holds next to nothing of a file. Most of it is the program and its allocator.
const SMALL: u64 = 16;
/// The same beside the validator's tables and its search for identifiers, on one core or two.
const CHECKED: u64 = 24;
/// What each core more takes while one file is checked on all: two parts of it and what was found in them.
const CHECKED_MORE: u64 = 2;
/// The same beside a database.
const STORED: u64 = 48;
/// The same while a text of 15 MB is stored: twice here while it is read and checked, then twice in the database.
const LONG: u64 = 88;

/// Every file, what is kept of it by an import, and what is expected of each command. Two activities are in each but the last
/// four: a bad one and a good one.
const FILES: &[(&str, Fill, u64, [Expected; 4])] = &[
    (
        "laughs.xml",
        laughs,
        2,
        [
            (Validate, 1, "xml-undefined-entity", CHECKED),
            (Import, 0, "xml-undefined-entity", STORED),
            (Stats, 0, "", SMALL),
            (Split, 0, "", SMALL),
        ],
    ),
    (
        "external.xml",
        external,
        2,
        [
            (Validate, 1, "xml-undefined-entity", CHECKED),
            (Import, 0, "xml-undefined-entity", STORED),
            (Stats, 0, "", SMALL),
            (Split, 0, "", SMALL),
        ],
    ),
    (
        "huge-activity.xml",
        huge_activity,
        2,
        [
            (Validate, 1, "rules-too-large", 64),
            (Import, 0, "", STORED),
            (Stats, 0, "", SMALL),
            (Split, 0, "", SMALL),
        ],
    ),
    (
        "huge-text.xml",
        huge_text,
        1,
        [
            (Validate, 1, "schema-unexpected-element", 64),
            (Import, 0, "field-too-large", 64),
            (Stats, 0, "field-too-large", STORED),
            (Split, 0, "", SMALL),
        ],
    ),
    (
        "long-text.xml",
        long_text,
        2,
        [
            (Validate, 1, "schema-unexpected-element", 64),
            (Import, 0, "", LONG),
            (Stats, 0, "", STORED),
            (Split, 0, "", SMALL),
        ],
    ),
    (
        "deep.xml",
        deep,
        1,
        [
            (Validate, 1, "over-limit", CHECKED),
            (Import, 0, "over-limit", STORED),
            (Stats, 0, "over-limit", SMALL),
            (Split, 0, "", SMALL),
        ],
    ),
    (
        "attributes.xml",
        attributes,
        1,
        [
            (Validate, 1, "over-limit", CHECKED),
            (Import, 0, "over-limit", STORED),
            (Stats, 0, "over-limit", SMALL),
            (Split, 0, "", SMALL),
        ],
    ),
    (
        "own-attributes.xml",
        own_attributes,
        1,
        [
            (Validate, 1, "over-limit", CHECKED),
            (Import, 0, "over-limit", STORED),
            (Stats, 0, "over-limit", SMALL),
            (Split, 0, "", SMALL),
        ],
    ),
    (
        "bomb.xml.gz",
        bomb,
        1,
        [
            (Validate, 1, "schema-unexpected-element", 64),
            (Import, 0, "field-too-large", 64),
            (Stats, 0, "field-too-large", STORED),
            (Split, 0, "", SMALL),
        ],
    ),
    (
        "long-paths.xml",
        long_paths,
        2,
        [
            (Validate, 1, "schema-unknown-attribute", CHECKED),
            (Import, 0, "", STORED),
            (Stats, 0, "", CHECKED),
            (Split, 0, "", SMALL),
        ],
    ),
    (
        "truncated.xml.gz",
        truncated,
        2,
        [
            (Validate, 4, "", CHECKED),
            (Import, 4, "cut short", STORED),
            (Stats, 4, "", SMALL),
            (Split, 4, "", SMALL),
        ],
    ),
    (
        "utf-16.xml",
        utf16_with_mark,
        2,
        [
            (Validate, 1, "schema-unexpected-element", CHECKED),
            (Import, 0, "", STORED),
            (Stats, 0, "", SMALL),
            (Split, 0, "", SMALL),
        ],
    ),
    (
        "utf-16-bare.xml",
        utf16_without_mark,
        2,
        [
            (Validate, 1, "schema-unexpected-element", CHECKED),
            (Import, 0, "", STORED),
            (Stats, 0, "", SMALL),
            (Split, 0, "", SMALL),
        ],
    ),
    (
        "latin-1.xml",
        latin1,
        2,
        [
            (Validate, 1, "schema-unexpected-element", CHECKED),
            (Import, 0, "", STORED),
            (Stats, 0, "", SMALL),
            (Split, 0, "", SMALL),
        ],
    ),
    (
        "wrong-bytes.xml",
        wrong_bytes,
        2,
        [
            (Validate, 1, "xml-wrong-encoding", CHECKED),
            (Import, 0, "xml-wrong-encoding", STORED),
            (Stats, 0, "", SMALL),
            (Split, 0, "", SMALL),
        ],
    ),
    (
        "zeros.xml",
        zeros,
        2,
        [
            (Validate, 1, "xml-forbidden-character", CHECKED),
            (Import, 0, "xml-forbidden-character", STORED),
            (Stats, 0, "", CHECKED),
            (Split, 0, "", CHECKED),
        ],
    ),
    (
        "empty.xml",
        empty,
        0,
        [
            (Validate, 4, "xml-not-well-formed", CHECKED),
            (Import, 4, "not XML", STORED),
            (Stats, 4, "not XML", SMALL),
            (Split, 4, "not XML", SMALL),
        ],
    ),
    (
        "no-xml.xml",
        no_xml,
        0,
        [
            (Validate, 4, "xml-not-well-formed", CHECKED),
            (Import, 4, "not XML", STORED),
            (Stats, 4, "not XML", SMALL),
            (Split, 4, "not XML", SMALL),
        ],
    ),
    (
        "binary.xml",
        binary,
        0,
        [
            (Validate, 4, "xml-not-well-formed", CHECKED),
            (Import, 4, "not XML", STORED),
            (Stats, 4, "not XML", SMALL),
            (Split, 4, "not XML", SMALL),
        ],
    ),
    (
        "spaces.xml.gz",
        nothing_but_spaces,
        0,
        [
            (Validate, 4, "xml-not-well-formed", CHECKED),
            (Import, 4, "not XML", STORED),
            (Stats, 4, "not XML", SMALL),
            (Split, 4, "not XML", SMALL),
        ],
    ),
];

/// The largest resident set of all children so far, MiB, rounded up.
fn peak_mib() -> u64 {
    let kib = getrusage(UsageWho::RUSAGE_CHILDREN).unwrap().max_rss();
    u64::try_from(kib).unwrap().div_ceil(1024)
}

fn n_cores() -> u64 {
    std::thread::available_parallelism().map_or(1, |n| n.get() as u64)
}

/// Lines that a person may be told of one file.
const LINES_MAX: usize = 16;

/// The first line that names the file and has the word.
fn line_about<'s>(said: &'s Said, file: &str, word: &str) -> Option<&'s str> {
    let mut lines = said.out.lines().chain(said.err.lines());
    lines.find(|line| line.contains(file) && line.contains(word))
}

/// Whether a line says where: `file:7`, or `line 7`.
fn says_where(line: &str, file: &str) -> bool {
    [format!("{file}:"), "line ".to_owned()]
        .iter()
        .any(|before| {
            let mut after = line.split(before.as_str()).skip(1);
            after.any(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
        })
}

fn check(here: &Path, file: &str, n_kept: u64, (asked, code, word, limit): Expected) {
    let case = format!("{asked:?} {file}");
    let database = format!("sqlite://{file}.db");
    let arguments: &[&str] = match asked {
        Validate => &["validate", "iati", file],
        Import => &["import", "iati", file, "--json", "--database", &database],
        Stats => &["iati", "stats", file],
        Split => &["iati", "split", file, "-o", "part.xml"],
    };
    let said = run(here, arguments);
    let peak = peak_mib();
    let limit = match asked {
        Validate => limit + CHECKED_MORE * n_cores().saturating_sub(2),
        _ => limit,
    };
    println!("{case}: exit {}, {peak} MiB of {limit}", said.code);
    let all = || {
        format!(
            "{case}: exit {}\n--- out\n{}\n--- err\n{}",
            said.code, said.out, said.err
        )
    };
    assert_eq!(said.code, code, "{}", all());
    assert!(peak <= limit, "{case}: {peak} MiB, limit {limit}");
    assert!(!said.err.contains("panicked"), "{}", all());
    assert!(said.err.lines().count() <= LINES_MAX, "{}", all());
    // What a file outside says is in nothing that was made of it.
    assert!(
        !said.out.contains("root:") && !said.err.contains("root:"),
        "{}",
        all()
    );
    if !word.is_empty() || code == 4 {
        let line = line_about(&said, file, word).unwrap_or_else(|| panic!("no line: {}", all()));
        assert!(says_where(line, file), "{case} says no line: {line}");
    }
    match asked {
        Validate | Stats => {}
        Import => kept(here, &said, &database, n_kept),
        Split => parts(here, file, code),
    }
}

/// The report adds up, and what it says was kept is in the database.
fn kept(here: &Path, said: &Said, database: &str, n_kept: u64) {
    let line: serde_json::Value = serde_json::from_str(said.out.lines().next().unwrap()).unwrap();
    let n = |key: &str| line[key].as_u64().unwrap();
    assert_eq!(n("read"), n("kept") + n("skipped"), "{line}");
    assert_eq!(n("kept"), n_kept, "{line}");
    let path = here.join(database.trim_start_matches("sqlite://"));
    let connection = rusqlite::Connection::open(&path).unwrap();
    let health: String = connection
        .query_row("PRAGMA quick_check", [], |row| row.get(0))
        .unwrap();
    let stored: i64 = connection
        .query_row("SELECT count(*) FROM projects", [], |row| row.get(0))
        .unwrap();
    assert_eq!(
        (health.as_str(), u64::try_from(stored)),
        ("ok", Ok(n_kept)),
        "{line}"
    );
    drop(connection);
    for ending in ["", "-wal", "-shm"] {
        let _gone: io::Result<()> = fs::remove_file(format!("{}{ending}", path.display()));
    }
}

/// Whole files of XML, or none at all.
fn parts(here: &Path, file: &str, code: i32) {
    let mut n = 0;
    for entry in fs::read_dir(here).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        assert!(!name.ends_with(".part"), "{file}: {name} is left behind");
        if name.starts_with("part") {
            n += 1;
            // Whole is what can be cut again, which takes little memory too.
            let again = run(here, ["iati", "split", &name, "-o", "again.xml"]);
            assert_eq!(again.code, 0, "{file}: {name}: {}", again.err);
            // Nor is anything in it that other readers do not take.
            if fs::metadata(&path).unwrap().len() < 64 << 10 {
                let said = run(here, ["validate", "iati", &name]);
                assert!(!said.out.contains(" xml-"), "{file}: {}", said.out);
            }
            for path in [path, here.join("again-1.xml")] {
                fs::remove_file(path).unwrap();
            }
        }
    }
    assert_eq!(n > 0, code == 0, "{file}: {n} files");
}

#[test]
fn hostile_files_are_answered_in_bounded_memory() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    for (name, fill, ..) in FILES {
        let mut out = BufWriter::new(File::create(here.join(name)).unwrap());
        fill(&mut out).unwrap();
        out.flush().unwrap();
    }
    let mut runs: Vec<(&str, u64, Expected)> = FILES
        .iter()
        .flat_map(|(name, _, n_kept, asked)| asked.iter().map(|one| (*name, *n_kept, *one)))
        .collect();
    runs.sort_by_key(|(.., (.., limit))| *limit);
    for (file, n_kept, expected) in runs {
        check(here, file, n_kept, expected);
    }
    // Folders hold nothing to read, or are no file.
    fs::create_dir(here.join("folder.xml")).unwrap();
    for command in [
        &["validate", "iati", "folder.xml"][..],
        &["import", "iati", "folder.xml"],
        &["iati", "stats", "folder.xml"],
        &["iati", "split", "folder.xml", "-o", "part.xml"],
    ] {
        let said = run(here, command);
        assert_eq!(said.code, 2, "{command:?}: {}", said.err);
        assert_eq!(said.err.lines().count(), 1, "{command:?}: {}", said.err);
        assert!(said.err.contains("folder.xml"), "{command:?}: {}", said.err);
    }
}

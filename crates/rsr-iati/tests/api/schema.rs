//! The schemas: the standard's own cases, and real files with xmllint beside us.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use rsr_iati::schema::{self, Checker, Code, FileKind, Version};
use rsr_iati::xml::{Reader, Token};
use rsr_testkit::{iati_data, left_out};

/// Every `.xml` under a folder, sorted.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("the folder is there") {
            let path = entry.expect("the folder can be read").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ext| ext == "xml") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// What the schema alone says of a file.
#[derive(Default)]
struct Verdict {
    /// The line of the finding that was made first.
    first: Option<u64>,
    version: Option<Version>,
    is_organisation: bool,
}

fn check(path: &Path, version: Option<Version>) -> Verdict {
    let mut reader = Reader::new(File::open(path).expect("the file is there"));
    let mut checker = Checker::new(version);
    let mut first = None;
    loop {
        match reader.advance() {
            Ok(Token::Done) => break,
            // An unknown version is no matter of the schemas; the schema that is used instead is.
            Ok(_) => checker.check(&reader, &mut |finding| {
                if finding.code != Code::UnknownVersion.as_str() {
                    first = first.or(Some(finding.line()));
                }
            }),
            // What xmllint cannot parse it does not check: the place where parsing ends is what both have to name.
            Err(error) => {
                first = Some(error.position.line);
                break;
            }
        }
    }
    Verdict {
        first,
        version: checker.version(),
        is_organisation: checker.kind() == Some(FileKind::Organisations),
    }
}

#[test]
fn all_422_cases_of_the_standard_have_the_expected_verdict() {
    let Some(data) = iati_data() else {
        return left_out("the 422 schema cases: no IATI data");
    };
    let mut counts = Vec::new();
    let mut wrong = Vec::new();
    for kind in ["activity-tests", "organisation-tests"] {
        for (folder, expected) in [("should-pass", true), ("should-fail", false)] {
            let cases = files(&data.join("examples/schema-tests").join(kind).join(folder));
            for case in &cases {
                if check(case, Some(Version::V203)).first.is_none() != expected {
                    wrong.push(case.clone());
                }
            }
            counts.push(cases.len());
        }
    }
    assert_eq!(wrong, Vec::<PathBuf>::new());
    assert_eq!(counts, [58, 225, 12, 127]);
}

#[test]
fn real_files_have_the_verdict_and_the_first_line_of_xmllint() {
    let Some(data) = iati_data() else {
        return left_out("real files against xmllint: no IATI data");
    };
    if Command::new("xmllint").arg("--version").output().is_err() {
        return left_out("real files against xmllint: no xmllint");
    }
    let mut wrong = Vec::new();
    for path in files(&data.join("real"))
        .into_iter()
        .chain(files(&data.join("examples")))
    {
        let ours = check(&path, None);
        let theirs = xmllint(&data, &path, &ours);
        if ours.first != theirs {
            wrong.push(format!(
                "{}: {:?}, xmllint {theirs:?}",
                path.display(),
                ours.first
            ));
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

/// The line of the first error.
fn xmllint(data: &Path, path: &Path, ours: &Verdict) -> Option<u64> {
    let kind = if ours.is_organisation {
        "organisations"
    } else {
        "activities"
    };
    let version = ours.version.unwrap_or(Version::V203);
    let schema = data.join(format!("schemas/{version}/iati-{kind}-schema.xsd"));
    let mut command = Command::new("xmllint");
    command
        .args(["--noout", "--nonet", "--schema"])
        .arg(&schema)
        .arg(path);
    // A tree counts lines up to 65,535 and guesses from there on.
    if ours.first.is_some_and(|line| line > 65_535) {
        command.arg("--stream");
    }
    let output = command.output().expect("xmllint runs");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    if output.status.success() {
        return None;
    }
    let name = format!("{}:", path.display());
    text.lines()
        .filter(|line| line.contains("error"))
        .find_map(|line| line.strip_prefix(&name)?.split(':').next()?.parse().ok())
}

#[test]
fn children_are_checked_by_their_names_alone() {
    #[track_caller]
    fn check_names(names: &str, expected: &str) {
        let found = schema::check_children(names.split_whitespace());
        let messages: Vec<_> = found.iter().map(|f| f.message.as_str()).collect();
        assert_eq!(messages.join("; "), expected);
    }
    let complete = "iati-identifier reporting-org title description participating-org activity-status activity-date";
    check_names(complete, "");
    check_names(
        &format!("{complete} sector sector budget transaction result x:own"),
        "",
    );
    check_names("", "iati-activity lacks iati-identifier");
    check_names(
        "iati-identifier reporting-org title",
        "iati-activity lacks description",
    );
    check_names(
        &format!("{complete} budget sector"),
        "sector stands after budget",
    );
    check_names(
        "iati-identifier iati-identifier",
        "iati-identifier stands more than once",
    );
    check_names("title", "iati-activity lacks iati-identifier before title");
    check_names(
        &format!("{complete} surprise"),
        "iati-activity has no element surprise",
    );
}

#[test]
fn fragments_are_checked_one_by_one() {
    #[track_caller]
    fn check_xml(name: &str, xml: &str, expected: &str) {
        let codes: Vec<_> = schema::check_fragment(name, xml)
            .into_iter()
            .map(|f| f.code)
            .collect();
        assert_eq!(codes.join(" "), expected, "{xml}");
    }
    check_xml("title", "<title><narrative>T</narrative></title>", "");
    check_xml("title", "<title/>", "schema-missing-element");
    check_xml(
        "title",
        "<description><narrative>T</narrative></description>",
        "schema-unexpected-element",
    );
    check_xml(
        "title",
        "<title>T</title>",
        "schema-text-not-allowed schema-missing-element",
    );
    check_xml(
        "title",
        "<title><narrative>T</title>",
        "xml-not-well-formed",
    );
    check_xml("unheard-of", "<unheard-of/>", "schema-unknown-element");
    check_xml("x:own", "<x:own xmlns:x='urn:x'><y/></x:own>", "");
    check_xml(
        "x:own",
        "<x:own xmlns:x='urn:x'><title/></x:own>",
        "schema-missing-element",
    );
    check_xml(
        "activity-date",
        "<activity-date type='1' iso-date='2024-02-29'/>",
        "",
    );
    check_xml(
        "activity-date",
        "<activity-date type='1' iso-date='2023-02-29'/>",
        "schema-bad-value",
    );
    check_xml(
        "activity-date",
        "<activity-date when='1'/>",
        "schema-unknown-attribute schema-missing-attribute schema-missing-attribute",
    );
    check_xml(
        "budget",
        "<budget><value value-date='2024-01-01'>1e5</value></budget>",
        "schema-unexpected-element schema-bad-value",
    );
}

/// Found by broken copies of real files: xmllint takes more of the particle before the wildcard, as long as that may stand
/// any number of times.
#[test]
fn after_an_extension_only_what_repeats_right_before_it_may_come() {
    let text = "<narrative>T</narrative>";
    let item = "<budget-item code='1'/>";
    let days = "<period-start iso-date='2024-01-01'/><period-end iso-date='2024-12-31'/>";
    let value = "<value value-date='2024-01-01'>1</value>";
    for (tag, inside, is_valid) in [
        ("title", format!("{text}<x:y/>{text}"), true),
        ("title", format!("{text}<x:y/>{text}<x:y/>{text}"), true),
        ("title", format!("<x:y/>{text}"), false),
        ("title", format!("{text}<x:y/><no-such/>"), false),
        (
            "country-budget-items vocabulary='1'",
            format!("{item}<x:y/>{item}"),
            true,
        ),
        ("budget", format!("{days}{value}<x:y/>{value}"), false),
        ("budget", format!("{days}<x:y/>{value}"), false),
    ] {
        let name = tag.split(' ').next().unwrap();
        let xml = format!("<{tag} xmlns:x='urn:x'>{inside}</{name}>");
        let found = schema::check_fragment(name, &xml);
        assert_eq!(found.is_empty(), is_valid, "{xml}: {found:?}");
    }
}

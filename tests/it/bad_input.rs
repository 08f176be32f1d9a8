//! Input that cannot be used gets one clear line, the right exit code, and changes nothing or whole chunks.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use rsr_testkit::left_out;
use rsr_tests::{rsr, run_expecting};

/// A small valid file of three activities.
pub(crate) fn sample(count: usize) -> String {
    let mut text = String::from(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<iati-activities version=\"2.03\">\n",
    );
    for n in 0..count {
        text.push_str(&activity(n));
    }
    text.push_str("</iati-activities>\n");
    text
}

fn activity(n: usize) -> String {
    format!(
        r#"<iati-activity default-currency="EUR">
<iati-identifier>XX-TEST-{n}</iati-identifier>
<reporting-org ref="XX-TEST" type="22"><narrative>Wells for All</narrative></reporting-org>
<title><narrative>Wells in district {n}</narrative></title>
<description><narrative>Digs and keeps wells.</narrative></description>
<participating-org role="4" type="22"><narrative>Wells for All</narrative></participating-org>
<activity-status code="2"/>
<activity-date type="2" iso-date="2024-01-01"/>
</iati-activity>
"#
    )
}

/// One line on standard error, naming what it is about.
#[track_caller]
fn check_one_line(err: &str, names: &str) {
    let lines: Vec<_> = err.lines().filter(|line| !line.is_empty()).collect();
    assert_eq!(lines.len(), 1, "one line was expected:\n{err}");
    assert!(err.contains(names), "{names} is not named: {err}");
    assert!(!err.contains("panicked"), "{err}");
}

fn count(folder: &Path) -> usize {
    let export = rsr_tests::run(folder, ["export", "iati"]);
    export.out.matches("<iati-identifier>").count()
}

#[test]
fn a_missing_file() {
    let folder = tempfile::tempdir().unwrap();
    let said = run_expecting(folder.path(), 2, ["import", "iati", "nowhere.xml"]);
    check_one_line(&said.err, "nowhere.xml");
}

#[test]
fn a_mistyped_database_makes_no_new_one() {
    let folder = tempfile::tempdir().unwrap();
    let database = ["--database", "sqlite://rrs.db"];
    for command in [
        ["export", "iati"],
        ["project", "check"],
        ["project", "tree"],
        ["aggregate", "--all"],
        ["jobs", "list"],
        ["database", "status"],
    ] {
        let id = (command[1] == "tree").then_some("1");
        let said = run_expecting(
            folder.path(),
            3,
            command.into_iter().chain(id).chain(database),
        );
        check_one_line(&said.err, "sqlite://rrs.db");
    }
    assert!(!folder.path().join("rrs.db").exists());
}

#[test]
fn an_empty_folder() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("empty")).unwrap();
    let said = run_expecting(folder.path(), 2, ["import", "iati", "empty"]);
    check_one_line(&said.err, "empty");
}

#[test]
fn a_file_without_activities() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let none = "<iati-activities version=\"2.03\"></iati-activities>";
    let mut zip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    zip.write_all(none.as_bytes()).unwrap();
    fs::write(here.join("none.xml.gz"), zip.finish().unwrap()).unwrap();
    for (name, text) in [
        ("none.xml", none),
        (
            "organisations.xml",
            "<iati-organisations version=\"2.03\"><iati-organisation/></iati-organisations>",
        ),
        ("feed.xml", "<rss><channel/></rss>"),
    ] {
        fs::write(here.join(name), text).unwrap();
    }
    for (name, words) in [
        ("none.xml", ["none.xml holds no activity", "was meant"]),
        (
            "none.xml.gz",
            ["none.xml.gz holds no activity", "was meant"],
        ),
        (
            "organisations.xml",
            [
                "organisations.xml is an organisation file",
                "`rsr iati upgrade`",
            ],
        ),
        (
            "feed.xml",
            ["feed.xml is no IATI file", "name files of activities"],
        ),
    ] {
        let said = run_expecting(here, 2, ["import", "iati", name, "--json"]);
        assert!(said.out.contains("\"read\":0"), "{}", said.out);
        let last = said.err.lines().last().unwrap_or_default();
        for word in words {
            assert!(last.contains(word), "{name}: {}", said.err);
        }
    }
    // Each is said, and where one file has activities the rest is no failure.
    let names = ["none.xml", "organisations.xml", "feed.xml", "none.xml.gz"];
    let all = ["import", "iati", "-q"].iter().chain(&names);
    let said = run_expecting(here, 2, all.clone());
    for name in names {
        assert!(said.err.contains(&format!("{name} ")), "{}", said.err);
    }
    fs::write(here.join("three.xml"), sample(3)).unwrap();
    let said = run_expecting(here, 0, all.chain(&["three.xml"]));
    for name in names {
        assert!(said.err.contains(&format!("{name} ")), "{}", said.err);
    }
    assert_eq!(count(here), 3);
}

#[test]
fn a_folder_of_files() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data/deeper");
    fs::create_dir_all(&data).unwrap();
    fs::write(data.join("three.xml"), sample(3)).unwrap();
    fs::write(data.join("notes.txt"), "not for us").unwrap();
    let said = run_expecting(folder.path(), 0, ["import", "iati", "data", "--json"]);
    assert_eq!(said.out.lines().count(), 1, "{}", said.out);
    assert_eq!(count(folder.path()), 3);
}

#[test]
fn a_binary_file() {
    let folder = tempfile::tempdir().unwrap();
    let bytes: Vec<u8> = (0..100_000_u32)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    fs::write(folder.path().join("noise.xml"), bytes).unwrap();
    let said = run_expecting(folder.path(), 4, ["import", "iati", "noise.xml"]);
    assert!(said.err.contains("noise.xml"), "{}", said.err);
    assert_eq!(count(folder.path()), 0);
}

#[test]
fn a_bomb_of_entities() {
    let folder = tempfile::tempdir().unwrap();
    let mut bomb =
        String::from("<?xml version=\"1.0\"?>\n<!DOCTYPE iati-activities [<!ENTITY a0 \"boom\">\n");
    for n in 1..20 {
        let below = format!("&a{};", n - 1).repeat(10);
        bomb.push_str(&format!("<!ENTITY a{n} \"{below}\">\n"));
    }
    bomb.push_str("]>\n<iati-activities version=\"2.03\">\n");
    bomb.push_str(&activity(1).replace("Digs and keeps wells.", "&a19;"));
    bomb.push_str(&activity(2));
    bomb.push_str("</iati-activities>\n");
    fs::write(folder.path().join("bomb.xml"), bomb).unwrap();
    let said = rsr_tests::run(folder.path(), ["import", "iati", "bomb.xml"]);
    assert!(
        matches!(said.code, 0 | 4),
        "code {}: {}",
        said.code,
        said.err
    );
    assert!(said.err.contains("bomb.xml"), "{}", said.err);
    assert!(
        said.err.contains("entit"),
        "the entity is not named: {}",
        said.err
    );
}

#[test]
fn ten_thousand_levels_of_elements() {
    let folder = tempfile::tempdir().unwrap();
    let deep = format!("{}{}", "<x>".repeat(10_000), "</x>".repeat(10_000));
    let text = sample(2).replacen("</iati-activity>", &format!("{deep}</iati-activity>"), 1);
    fs::write(folder.path().join("deep.xml"), text).unwrap();
    let said = rsr_tests::run(folder.path(), ["import", "iati", "deep.xml"]);
    assert!(
        matches!(said.code, 0 | 4),
        "code {}: {}",
        said.code,
        said.err
    );
    assert!(said.err.contains("deep"), "{}", said.err);
}

#[test]
fn a_file_cut_off_in_the_middle_keeps_what_came_before() {
    let folder = tempfile::tempdir().unwrap();
    let whole = sample(3);
    let cut = whole.rfind("<participating-org").unwrap();
    fs::write(folder.path().join("cut.xml"), whole.get(..cut).unwrap()).unwrap();
    let said = run_expecting(folder.path(), 4, ["import", "iati", "cut.xml"]);
    assert!(said.err.contains("cut.xml"), "{}", said.err);
    assert_eq!(count(folder.path()), 2);
}

#[test]
fn strict_stops_at_the_first_broken_activity() {
    let folder = tempfile::tempdir().unwrap();
    let blank = activity(7).replace("XX-TEST-7", " ");
    let text = sample(1).replace(
        "</iati-activities>",
        &format!("{blank}{}</iati-activities>", activity(9)),
    );
    fs::write(folder.path().join("blank.xml"), text).unwrap();
    let lenient = run_expecting(folder.path(), 0, ["import", "iati", "blank.xml", "--json"]);
    assert!(
        lenient.out.contains("\"read\":3") && lenient.out.contains("\"skipped\":1"),
        "{}",
        lenient.out
    );
    let strict = tempfile::tempdir().unwrap();
    fs::copy(
        folder.path().join("blank.xml"),
        strict.path().join("blank.xml"),
    )
    .unwrap();
    let said = run_expecting(
        strict.path(),
        4,
        ["import", "iati", "blank.xml", "--strict"],
    );
    assert!(
        said.err.contains("blank.xml:"),
        "file and line are named: {}",
        said.err
    );
}

#[test]
fn a_locked_database() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.xml"), sample(1)).unwrap();
    fs::write(folder.path().join("b.xml"), sample(5)).unwrap();
    run_expecting(folder.path(), 0, ["import", "iati", "a.xml"]);
    let held = rusqlite::Connection::open(folder.path().join("rsr.db")).unwrap();
    held.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let mut command = rsr(folder.path());
    let said: rsr_tests::Said = command
        .env("RSR_DATABASE_BUSY_TIMEOUT", "100ms")
        .args(["import", "iati", "b.xml"])
        .output()
        .unwrap()
        .into();
    assert_eq!(said.code, 3, "{}", said.err);
    check_one_line(
        &said
            .err
            .lines()
            .filter(|line| !line.starts_with("warning"))
            .collect::<String>(),
        "lock",
    );
    held.execute_batch("ROLLBACK").unwrap();
    assert_eq!(count(folder.path()), 1, "as it was");
}

#[test]
fn a_full_disk() {
    let folder = tempfile::tempdir().unwrap();
    let small = folder.path().join("small");
    fs::create_dir(&small).unwrap();
    fs::write(folder.path().join("many.xml"), sample(20_000)).unwrap();
    let mounted = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=3m", "tmpfs"])
        .arg(&small)
        .output()
        .is_ok_and(|done| done.status.success());
    if !mounted {
        left_out("a full disk: mounting a small tmpfs needs root");
        return;
    }
    let said = rsr_tests::run(
        folder.path(),
        [
            "import",
            "iati",
            "many.xml",
            "--database",
            "sqlite://small/rsr.db",
        ],
    );
    let kept = rusqlite::Connection::open(small.join("rsr.db")).and_then(|database| {
        database.query_row("SELECT count(*) FROM projects", [], |row| {
            row.get::<_, i64>(0)
        })
    });
    let health = rusqlite::Connection::open(small.join("rsr.db")).and_then(|database| {
        database.query_row("PRAGMA quick_check", [], |row| row.get::<_, String>(0))
    });
    let unmounted = Command::new("umount")
        .arg(&small)
        .status()
        .unwrap()
        .success();
    assert!(unmounted, "the small disk can be taken away again");
    assert_eq!(said.code, 4, "{}", said.err);
    assert!(said.err.contains("full"), "{}", said.err);
    assert!(!said.err.contains("panicked"), "{}", said.err);
    assert_eq!(health.unwrap(), "ok");
    assert!(kept.unwrap() < 20_000, "not all of it fitted");
}

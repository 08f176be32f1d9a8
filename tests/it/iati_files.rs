//! Files of activities cut, joined, sieved, upgraded and counted by the program.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rsr_testkit::{iati_data, left_out};
use rsr_tests::{Said, rsr, run, run_expecting};
use serde_json::Value;

use crate::real_files::xmllint;

/// Larger than any file these tests read.
const FILE_MAX: rsr_base::ByteSize = rsr_base::ByteSize::from_mib(256);

/// The real files whose names end like this, without broken ones and organisation files.
fn real(ending: &str) -> Vec<PathBuf> {
    let folder = iati_data().map(|data| data.join("real"));
    let Some(folder) = folder.filter(|folder| folder.is_dir()) else {
        left_out("cutting and joining real files: set RSR_IATI_DATA to the folder that has `real`");
        return Vec::new();
    };
    let mut paths: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            let name = path.to_string_lossy();
            name.ends_with(ending)
                && !["invalid", "notwellformed", "organisation"]
                    .iter()
                    .any(|word| name.contains(word))
        })
        .collect();
    paths.sort();
    paths
}

fn text(path: &Path) -> String {
    rsr_base::read_file_at_most(path, FILE_MAX).unwrap()
}

/// The activities of a file, each from `<iati-activity` to the end of its end tag, as a plain search finds them.
fn activities(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(start) = rest
        .find("<iati-activity ")
        .into_iter()
        .chain(rest.find("<iati-activity>"))
        .min()
    {
        let end = rest.find("</iati-activity>").unwrap() + "</iati-activity>".len();
        found.push(rest.get(start..end).unwrap());
        rest = rest.get(end..).unwrap();
    }
    found
}

fn json(said: &Said) -> Value {
    serde_json::from_str(&said.out).unwrap_or_else(|error| panic!("{error}: {}", said.out))
}

/// A name that the program takes as an argument.
fn name(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn what_was_cut_and_joined_is_what_it_was() {
    for path in real("-2.03.xml") {
        let folder = tempfile::tempdir().unwrap();
        let here = folder.path();
        let file = name(&path);
        let said = run_expecting(
            here,
            0,
            [
                "iati",
                "split",
                file,
                "--max-bytes",
                "300KB",
                "-o",
                "part.xml",
                "--json",
            ],
        );
        let split = json(&said);
        let files = split["files"].as_array().unwrap();
        for part in files {
            let path = here.join(part["file"].as_str().unwrap());
            xmllint(&path).unwrap_or_else(|said| panic!("{file}: {}\n{said}", path.display()));
            let content = text(&path);
            assert_eq!(part["bytes"], content.len(), "{file}");
            assert_eq!(part["activities"], activities(&content).len(), "{file}");
            assert!(
                content.len() <= 300_000 || part["activities"] == 1,
                "{file}"
            );
        }
        let names = files.iter().map(|part| part["file"].as_str().unwrap());
        let merge = ["iati", "merge", "-o", "whole.xml.gz"].into_iter();
        run_expecting(here, 0, merge.chain(names));
        // Read as it is compressed, and written plainly.
        let said = run_expecting(here, 0, ["iati", "merge", "whole.xml.gz"]);
        let original = text(&path);
        assert_eq!(activities(&said.out), activities(&original), "{file}");
        assert_eq!(split["activities"], activities(&original).len(), "{file}");
        let left: Vec<_> = fs::read_dir(here)
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .filter(|name| name.to_string_lossy().contains(".part"))
            .collect();
        assert!(left.is_empty(), "{left:?}");
    }
}

#[test]
fn a_sieve_keeps_activities_as_they_are_written() {
    for path in real("-2.03.xml") {
        let folder = tempfile::tempdir().unwrap();
        let here = folder.path();
        let original = text(&path);
        let all = activities(&original);
        let expected: Vec<_> = all
            .iter()
            .filter(|activity| activity.contains("<activity-status code=\"2\""))
            .copied()
            .collect();
        let said = run(
            here,
            [
                "iati",
                "filter",
                name(&path),
                "--status",
                "2",
                "-o",
                "out.xml",
            ],
        );
        let rest = run(
            here,
            [
                "iati",
                "filter",
                name(&path),
                "--status",
                "2",
                "--invert",
                "-o",
                "rest.xml",
            ],
        );
        let mut n = 0;
        for (said, file, is_there) in [
            (said, "out.xml", !expected.is_empty()),
            (rest, "rest.xml", expected.len() < all.len()),
        ] {
            let file = here.join(file);
            assert_eq!(said.code, if is_there { 0 } else { 2 }, "{}", said.err);
            assert_eq!(file.exists(), is_there);
            if is_there {
                xmllint(&file).unwrap_or_else(|said| panic!("{}: {said}", path.display()));
                n += activities(&text(&file)).len();
            }
        }
        assert_eq!(n, all.len(), "{}", path.display());
        if !expected.is_empty() {
            let out = text(&here.join("out.xml"));
            assert_eq!(activities(&out), expected, "{}", path.display());
        }
    }
}

#[test]
fn old_versions_become_valid_2_03() {
    for ending in [
        "-1.01.xml",
        "-1.00.xml",
        "-noversion.xml",
        "-2.01.xml",
        "-2.02.xml",
    ] {
        for path in real(ending) {
            let folder = tempfile::tempdir().unwrap();
            let said = run(
                folder.path(),
                ["iati", "upgrade", name(&path), "-o", "out.xml", "--json"],
            );
            if said.code == 2 {
                assert!(said.err.contains("nothing was written"), "{}", said.err);
                continue;
            }
            assert_eq!(said.code, 0, "{}", said.err);
            let out = folder.path().join("out.xml");
            xmllint(&out).unwrap_or_else(|said| panic!("{}: {said}", path.display()));
            let report = json(&said);
            let n = |key: &str| report[key].as_u64().unwrap();
            assert_eq!(n("read"), n("written") + n("left_out") + n("skipped"));
            assert_eq!(activities(&text(&out)).len() as u64, n("written"));
            if ending.starts_with("-2") {
                assert_eq!(n("written"), n("read"), "{}", path.display());
            }
            // With their gaps all of them are there.
            let gaps = ["iati", "upgrade", name(&path), "--keep-gaps", "-q"];
            let said = run_expecting(folder.path(), 0, gaps);
            assert_eq!(activities(&said.out).len() as u64, n("read") - n("skipped"));
        }
    }
}

const TWO: &str = r#"<?xml version="1.0"?>
<iati-activities version="2.03" xmlns:x="urn:x">
  <iati-activity default-currency="EUR" hierarchy="1"><iati-identifier>XM-1</iati-identifier>
    <reporting-org ref="XM" type="22"><narrative>Us</narrative></reporting-org><activity-status code="2"/>
    <activity-date type="2" iso-date="2021-05-01"/><recipient-country code="KE"/><sector code="14030"/>
    <transaction><transaction-type code="3"/><value>0.1</value></transaction>
    <transaction><transaction-type code="3"/><value>0.2</value></transaction>
    <transaction><transaction-type code="3"/><value currency="USD">5.50</value><sector vocabulary="2" code="140"/></transaction>
    <transaction><transaction-type code="2"/><value>12,5</value></transaction><x:more/></iati-activity>
  <iati-activity><iati-identifier>XM-2</iati-identifier></iati-activity>
</iati-activities>"#;

const LEVELS: &str = r#"<iati-activities version="2.03">
  <iati-activity hierarchy="1"><iati-identifier>XM-P</iati-identifier>
    <transaction><transaction-type code="3"/><value currency="EUR">100</value></transaction></iati-activity>
  <iati-activity hierarchy="2"><iati-identifier>XM-C</iati-identifier>
    <transaction><transaction-type code="3"/><value currency="EUR">60</value></transaction></iati-activity>
</iati-activities>"#;

#[test]
fn counts_and_sums_are_exact() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    fs::write(here.join("two.xml"), TWO).unwrap();
    let stats = json(&run_expecting(
        here,
        0,
        ["iati", "stats", "two.xml", "--json"],
    ));
    assert_eq!(stats["activities"], 2);
    assert_eq!(stats["bytes"], TWO.len());
    assert_eq!(stats["by_version"], serde_json::json!({"2.03": 2}));
    assert_eq!(
        stats["by_reporting_org"],
        serde_json::json!({"XM": 1, "": 1})
    );
    assert_eq!(stats["by_status"], serde_json::json!({"2": 1, "": 1}));
    assert_eq!(
        stats["by_start_year"],
        serde_json::json!({"2021": 1, "": 1})
    );
    assert_eq!(stats["by_country"], serde_json::json!({"KE": 1}));
    assert_eq!(
        stats["by_sector"],
        serde_json::json!({"1:14030": 1, "2:140": 1})
    );
    assert_eq!(
        stats["transactions"],
        serde_json::json!([
            {"level": "1", "type": "2", "currency": "EUR", "count": 1, "sum": "0", "without_amount": 1},
            {"level": "1", "type": "3", "currency": "EUR", "count": 2, "sum": "0.3", "without_amount": 0},
            {"level": "1", "type": "3", "currency": "USD", "count": 1, "sum": "5.5", "without_amount": 0},
        ])
    );
    // What a parent and its child report may be the same money: sums stay on one level.
    fs::write(here.join("levels.xml"), LEVELS).unwrap();
    let levels = json(&run_expecting(
        here,
        0,
        ["iati", "stats", "levels.xml", "--json"],
    ));
    let sums: Vec<_> = levels["transactions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|sum| (sum["level"].as_str().unwrap(), sum["sum"].as_str().unwrap()))
        .collect();
    assert_eq!(sums, [("1", "100"), ("2", "60")]);
    let largest = &stats["largest"];
    assert_eq!(
        (largest["identifier"].as_str(), largest["line"].as_u64()),
        (Some("XM-1"), Some(3))
    );
    let size = activities(TWO)[0].len();
    assert_eq!(largest["bytes"], size, "from start tag to end tag");
    let said = run_expecting(here, 0, ["iati", "stats", "two.xml"]);
    assert!(said.out.contains("2 activities in 1 files"), "{}", said.out);
}

#[test]
fn standard_input_and_output_do_as_well() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    fs::write(here.join("two.xml"), TWO).unwrap();
    for command in [
        &["iati", "merge", "-"][..],
        &[
            "iati",
            "filter",
            "-",
            "--identifier",
            "XM-1",
            "--identifier",
            "XM-2",
        ],
    ] {
        let input = fs::File::open(here.join("two.xml")).unwrap();
        let said: Said = rsr(here)
            .args(command)
            .stdin(Stdio::from(input))
            .output()
            .unwrap()
            .into();
        assert_eq!(said.code, 0, "{}", said.err);
        assert_eq!(activities(&said.out), activities(TWO), "{command:?}");
        assert!(said.out.contains("xmlns:x=\"urn:x\""), "{}", said.out);
    }
    // Without a name there is nothing to number.
    let said: Said = rsr(here)
        .args(["iati", "split", "-"])
        .stdin(fs::File::open(here.join("two.xml")).unwrap())
        .output()
        .unwrap()
        .into();
    assert_eq!(said.code, 2, "{}", said.err);
    assert!(said.err.contains("-o FILE"), "{}", said.err);
}

#[test]
fn what_cannot_be_done_is_said_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    fs::write(here.join("two.xml"), TWO).unwrap();
    fs::write(here.join("old.xml"), TWO.replace("2.03", "1.04")).unwrap();
    let cut = TWO.get(..TWO.len() - 60).unwrap();
    fs::write(here.join("cut.xml"), cut).unwrap();
    fs::create_dir(here.join("folder")).unwrap();
    let before = fs::read_dir(here).unwrap().count();
    for (code, word, command) in [
        (
            2,
            "--upgrade",
            &["iati", "merge", "two.xml", "old.xml", "-o", "out.xml"][..],
        ),
        (
            4,
            "cut.xml:",
            &["iati", "merge", "two.xml", "cut.xml", "-o", "out.xml"],
        ),
        (
            4,
            "cut.xml:",
            &["iati", "split", "cut.xml", "-o", "out.xml"],
        ),
        (
            4,
            "cut.xml:",
            &[
                "iati", "filter", "cut.xml", "--status", "2", "-o", "out.xml",
            ],
        ),
        (
            4,
            "cut.xml",
            &["iati", "upgrade", "cut.xml", "-o", "out.xml"],
        ),
        (4, "cut.xml", &["iati", "stats", "cut.xml"]),
        (
            2,
            "folder is a folder",
            &["iati", "merge", "two.xml", "-o", "folder"],
        ),
        (
            2,
            "does not exist",
            &["iati", "merge", "two.xml", "-o", "nowhere/out.xml"],
        ),
        (2, "nowhere.xml", &["iati", "stats", "nowhere.xml"]),
        (
            2,
            "nothing was written",
            &[
                "iati",
                "filter",
                "two.xml",
                "--country",
                "XX",
                "-o",
                "out.xml",
            ],
        ),
        (
            2,
            "--active-from",
            &["iati", "filter", "two.xml", "--active-from", "2020-13-01"],
        ),
        (2, "needs", &["iati", "filter", "two.xml"]),
        (2, "add -o FILE", &["iati", "merge", "two.xml", "--json"]),
    ] {
        let said = run_expecting(here, code, command);
        let last = said.err.lines().last().unwrap_or_default();
        assert!(last.contains(word), "{command:?}: {}", said.err);
        assert!(!said.err.contains("panicked"), "{}", said.err);
    }
    assert_eq!(
        fs::read_dir(here).unwrap().count(),
        before,
        "nothing is left behind"
    );
}

#[test]
fn an_interrupt_leaves_nothing_half_written() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    for command in [
        &["iati", "merge", "-", "-o", "out.xml"][..],
        &["iati", "upgrade", "-", "-o", "out.xml"],
        &["iati", "split", "-", "-o", "out.xml"],
    ] {
        let mut child = rsr(here)
            .args(command)
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // It waits for more input; the interrupt is heard at its end.
        let mut input = child.stdin.take().unwrap();
        input.write_all(TWO.as_bytes().get(..200).unwrap()).unwrap();
        let id = child.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-INT", &id])
                .status()
                .unwrap()
                .success()
        );
        drop(input);
        let said: Said = child.wait_with_output().unwrap().into();
        assert!(
            matches!(said.code, 4 | -1),
            "{command:?}: {} {}",
            said.code,
            said.err
        );
        assert_eq!(fs::read_dir(here).unwrap().count(), 0, "{command:?}");
    }
}

#[test]
fn what_a_killed_process_left_is_removed_by_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    fs::write(here.join("two.xml"), TWO).unwrap();
    // No process has this number: it is larger than the kernel gives.
    let left = here.join(".out.xml.4194999-0.part");
    let other = here.join(".other.xml.4194999-0.part");
    let running = here.join(format!(".out.xml.{}-0.part", std::process::id()));
    for file in [&left, &other, &running] {
        fs::write(file, "half").unwrap();
    }
    run_expecting(here, 0, ["iati", "merge", "two.xml", "-o", "out.xml"]);
    assert!(!left.exists(), "its process is gone");
    assert!(other.exists() && running.exists(), "others are left alone");
}

#[test]
fn many_files_are_checked_in_their_order_each_with_its_own_verdict() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let organisations = "<iati-organisations version=\"2.03\"/>";
    fs::create_dir(here.join("all")).unwrap();
    for nth in 0..90 {
        let text = match nth % 3 {
            0 => TWO.to_owned(),
            1 => TWO.repeat(40).replacen("<?xml version=\"1.0\"?>", "", 39),
            _ => organisations.to_owned(),
        };
        fs::write(here.join(format!("all/{nth:03}.xml")), text).unwrap();
    }
    let said = run_expecting(here, 4, ["validate", "iati", "all", "--json"]);
    let lines: Vec<Value> = said
        .out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 90);
    for (nth, line) in lines.iter().enumerate() {
        assert_eq!(line["file"], format!("all/{nth:03}.xml"));
        let kind = if nth % 3 == 2 {
            "iati-organisations"
        } else {
            "iati-activities"
        };
        assert_eq!(line["fileType"], kind);
    }
    // The same as one by one.
    let one = run(here, ["validate", "iati", "all/003.xml"]);
    let many = run(here, ["validate", "iati", "all"]);
    let lines: Vec<_> = many
        .out
        .lines()
        .filter(|line| line.starts_with("all/003.xml:"))
        .collect();
    assert_eq!(lines, one.out.lines().collect::<Vec<_>>());
    let verdicts = many.err.lines().filter(|line| line.contains("valid: "));
    assert_eq!(verdicts.count(), 90, "{}", many.err);
}

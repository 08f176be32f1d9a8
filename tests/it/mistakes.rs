//! Mistakes that newcomers make, and what they are answered with: a line that names the thing and the way out, and the
//! exit code that goes with it. The answers are kept in a file, so that a change of any of them is seen.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use rsr_tests::documents::read;
use rsr_tests::serving::Server;
use rsr_tests::{Said, rsr_path, run_expecting, workspace};

/// Each is typed into a shell in a folder with a demo's database, `activities.xml` (whole) and some odd files.
const TYPED: &[&str] = &[
    // commands and flags
    "rsr",
    "rsr improt iati activities.xml",
    "rsr import activities.xml",
    "rsr import iati",
    "rsr export iatti",
    "rsr serve --port 9000",
    "rsr memory",
    "rsr project tree",
    "rsr project tree seven",
    "rsr project tree 99999",
    "rsr project tree 1 --max-depth 0",
    "rsr project tree 1 --max-depth -2",
    "rsr aggregate",
    "rsr aggregate --project 99999",
    "rsr aggregate --all --project 1",
    "rsr audit --project 99999",
    "rsr jobs retry 99999",
    "rsr jobs list --state done",
    "rsr demo --projects 0",
    "rsr settings show --format yaml",
    // paths and files
    "rsr import iati nowhere.xml",
    "rsr import iati empty/",
    "rsr import iati notes.txt",
    "rsr import iati cut.xml",
    "rsr import iati page.html",
    "rsr import iati fake.xml.gz",
    "rsr import iati rsr.db",
    "rsr import iati organisations.xml",
    "rsr validate iati nowhere.xml",
    "rsr validate iati cut.xml",
    "rsr export iati -o nowhere/out.xml",
    "rsr export iati -o empty",
    "rsr export iati --project 99999 -o out.xml",
    "rsr export iati --reporting-org NOBODY -o out.xml",
    // databases
    "rsr --database mine.db project check",
    "rsr --database sqlite://nowhere/rsr.db aggregate --all",
    "rsr --database sqlite://notes.txt aggregate --all",
    "rsr --database mysql://localhost/rsr aggregate --all",
    "rsr --database postgres://rsr:secret@127.0.0.1:1/rsr database status",
    "rsr database backup rsr.db",
    // settings
    "rsr --config nowhere.toml settings check",
    "rsr --config notes.txt settings check",
    "rsr --profile prod settings check",
    "RSR_CACHE_TTL=soon rsr settings check",
    "RSR_CACHE_TTL=-5 rsr settings check",
    "RSR_CACHE_MAX_SIZE=0 rsr settings check",
    "RSR_MEMORY_LIMIT=512MB rsr settings check",
    "RSR_MEMORY_LIMIT=lots rsr settings check",
    "RSR_CACHE_TTTL=60 rsr settings check",
    "RSR_LISTEN=localhost rsr settings check",
    "RSR_LISTEN=0.0.0.0:8000 rsr serve",
    "rsr --config unknown-key.toml settings check",
    // the running service, which is not there
    "rsr cache stats",
    "rsr deletions cleanup --dry-run",
    "rsr memory health-check",
    "rsr memory check-leaks --json",
    "rsr completions csh",
];

/// Asked of a service over the same database.
const ASKED: &[(&str, &str, &str)] = &[
    ("GET", "/api/v1/project/1/", ""),
    ("GET", "/api/v1/projects/99999/", ""),
    ("GET", "/api/v1/projects/one/", ""),
    ("GET", "/api/v1/projects/1/children/?limit=0", ""),
    ("GET", "/api/v1/projects/1/children/?limit=ten", ""),
    (
        "GET",
        "/api/v1/projects/1/children/?max_depth=99999999999",
        "",
    ),
    ("GET", "/api/v1/projects/1/children/?cursor=forged", ""),
    ("GET", "/api/v1/projects/1/children/?colour=blue", ""),
    ("GET", "/api/v1/projects/1/children/?sort=colour", ""),
    ("GET", "/api/v1/projects/1/children/?limit=5&limit=6", ""),
    ("POST", "/api/v1/projects/", "{"),
    ("POST", "/api/v1/projects/", "[]"),
    ("POST", "/api/v1/projects/", "{}"),
    ("POST", "/api/v1/projects/", r#"{"title":""}"#),
    ("POST", "/api/v1/projects/", r#"{"titel":"Wells"}"#),
    (
        "POST",
        "/api/v1/projects/",
        r#"{"title":"Wells","parent":99999}"#,
    ),
    ("POST", "/api/v1/periods/99999/updates/", r#"{"value":"1"}"#),
    ("PATCH", "/api/v1/projects/1/", r#"{"parent":1}"#),
    ("PUT", "/api/v1/projects/1/", "{}"),
    ("DELETE", "/api/v1/projects/99999/", ""),
    ("POST", "/api/v1/jobs/99999/retry/", ""),
];

#[test]
fn every_mistake_is_answered_with_the_way_out() {
    let folder = tempfile::tempdir().unwrap();
    prepare(folder.path());
    let mut answers = String::new();
    for typed in TYPED {
        let said = shell(folder.path(), typed);
        assert!(!said.err.contains("panicked"), "{typed}: {}", said.err);
        assert!(said.code != 101 && said.code >= 0, "{typed}: {}", said.code);
        write!(
            answers,
            "$ {typed}\n{}{}[exit {}]\n\n",
            said.out, said.err, said.code
        )
        .unwrap();
    }
    let server = Server::start(folder.path(), &[]);
    for (method, path, body) in ASKED {
        let answer = server.send_json(method, path, body);
        assert!(answer.status < 500, "{method} {path}: {}", answer.body);
        writeln!(
            answers,
            "> {method} {path} {body}\n{}\n",
            outward(&answer.body)
        )
        .unwrap();
    }
    compare(&settled(&answers, folder.path()));
}

/// The parts of a problem that people read; the request's id differs each time.
fn outward(body: &str) -> String {
    let problem: serde_json::Value = serde_json::from_str(body).unwrap_or_default();
    let part = |name: &str| {
        problem
            .get(name)
            .map(ToString::to_string)
            .unwrap_or_default()
    };
    if problem.get("status").is_none() {
        return format!("(no problem) {}", body.chars().take(80).collect::<String>());
    }
    format!(
        "{} {}\n{}\n{}",
        part("status"),
        part("title"),
        part("detail"),
        part("field")
    )
    .trim_end()
    .to_owned()
}

fn prepare(folder: &Path) {
    run_expecting(folder, 0, ["demo", "--once", "--listen", "127.0.0.1:0"]);
    let fixture = workspace().join("tests/fixtures/documents/FOLDER/activities.xml");
    let whole = read(&fixture);
    let half: String = whole.chars().take(whole.len() * 2 / 3).collect();
    for (name, text) in [
        ("activities.xml", whole.as_str()),
        ("cut.xml", &half),
        ("notes.txt", "remember the milk\n"),
        (
            "page.html",
            "<!DOCTYPE html><html><body><p>Not found<br></body></html>",
        ),
        ("fake.xml.gz", "<iati-activities/>"),
        ("unknown-key.toml", "[cache]\nttll = 60\n"),
        (
            "organisations.xml",
            "<iati-organisations version=\"2.03\"><iati-organisation/></iati-organisations>",
        ),
    ] {
        fs::write(folder.join(name), text).unwrap();
    }
    fs::create_dir(folder.join("empty")).unwrap();
}

fn shell(folder: &Path, typed: &str) -> Said {
    let programs = rsr_path().parent().unwrap().to_owned();
    let mut shell = Command::new("timeout");
    shell
        .args(["60", "bash", "-c"])
        .arg(format!("PATH={}:$PATH\n{typed}", programs.display()))
        .current_dir(folder)
        .env("XDG_RUNTIME_DIR", folder)
        .env("HOME", folder)
        .stdin(Stdio::null());
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("RSR_") {
            shell.env_remove(name);
        }
    }
    shell.output().unwrap().into()
}

/// Without what differs from run to run: the folder, and trailing blanks.
fn settled(answers: &str, folder: &Path) -> String {
    let folder = folder.to_string_lossy();
    let mut text = String::new();
    for line in answers.replace(&*folder, "FOLDER").lines() {
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[track_caller]
fn compare(answers: &str) {
    let path = workspace().join("tests/fixtures/mistakes/answers.txt");
    if std::env::vars_os().any(|(name, _)| name == "RSR_BLESS") {
        fs::write(path, answers).unwrap();
        return;
    }
    let kept = read(&path);
    let differing = answers
        .split("\n\n")
        .zip(kept.split("\n\n"))
        .find(|(now, then)| now != then);
    if let Some((now, then)) = differing {
        panic!("answered:\n{now}\n\nuntil now:\n{then}\n\nRSR_BLESS=1 keeps the new answers");
    }
    assert_eq!(
        answers.len(),
        kept.len(),
        "answers were added or taken away"
    );
}

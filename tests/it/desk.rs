//! The buttons of administration, pressed in a real Chromium, and what each of them leaves behind; a leak on the page.

use std::fs;
use std::net::TcpListener;
use std::process::{Child, Stdio};
use std::time::SystemTime;

use rsr_base::system_clock;
use rsr_tests::serving::ask;
use rsr_tests::{rsr, run_expecting};
use serde_json::Value;
use xtask::browser::Browser;

use crate::dashboard::{DESKTOP, axe, judge, open, stage, text};

const TOKEN: &str = "a-token-for-this-test";

/// A question was answered: the dialog can only be closed.
const ANSWERED: &str = "document.querySelector('#dialog').open && document.querySelector('#dialog-no').textContent === 'Close'";

fn free() -> String {
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    free.local_addr().unwrap().to_string()
}

/// A page of the admin listener, with a token typed in.
struct Desk<'a> {
    browser: &'a Browser,
}

impl<'a> Desk<'a> {
    fn open(browser: &'a Browser, admin: &str) -> Self {
        open(browser, admin, "/", DESKTOP);
        browser
            .run(&format!("document.querySelector('#token').value = '{TOKEN}'; document.querySelector('#token-form button').click()"))
            .unwrap();
        browser
            .until("document.querySelector('#token-state').textContent === 'the token is good'")
            .unwrap();
        Self { browser }
    }

    /// Presses the button of this name within an element.
    #[track_caller]
    fn press(&self, within: &str, name: &str) {
        let press = format!(
            "const button = [...document.querySelectorAll('{within} button')].find((button) => button.offsetParent && button.textContent === '{name}'); if (!button) return 'none'; button.click(); return ''"
        );
        assert_eq!(text(self.browser, &press), "", "{within} has no {name}");
    }

    /// Waits until the dialog says this.
    #[track_caller]
    fn hears(&self, said: &str) {
        let said = format!(
            "document.querySelector('#dialog').open && document.querySelector('#dialog-text').textContent.includes('{said}')"
        );
        self.browser.until(&said).unwrap();
    }

    /// Waits until an element shows this.
    #[track_caller]
    fn sees(&self, within: &str, shown: &str) {
        let shown = format!(
            "document.querySelector('{within}').textContent.replace(/\\s+/g, ' ').includes('{shown}')"
        );
        self.browser.until(&shown).unwrap();
    }
}

#[test]
fn what_expired_what_is_stale_and_what_was_given_up_is_cleaned_up_by_button() {
    let admin = free();
    let variables = [
        ("RSR_ADMIN_LISTEN", admin.as_str()),
        ("RSR_API_TOKEN", TOKEN),
        ("RSR_CACHE_TTL", "0.5"),
    ];
    let Some((folder, server, browser)) = stage("20", &variables) else {
        return;
    };
    // A job that was given up, and an entry that expires at once.
    let database = rusqlite::Connection::open(folder.path().join("rsr.db")).unwrap();
    let given_up = "INSERT INTO jobs (period_id, root_period_id, state, attempts, reason, created_ms, changed_ms)
        SELECT MIN(id), MIN(id), 'maxxed', 5, 'the sum was too large', 1, 1 FROM periods";
    assert_eq!(database.execute(given_up, []).unwrap(), 1);
    assert_eq!(server.get("/api/v1/projects/1/").status, 200);

    let desk = Desk::open(&browser, &admin);
    let entries = |n: &str| {
        format!(
            "[...document.querySelectorAll('#caches tbody tr')].find((row) => row.cells[0].textContent === 'project-summaries').cells[4].textContent.startsWith('{n} ')"
        )
    };
    desk.press("#caches", "Findings");
    desk.hears("caches");
    desk.press("#dialog", "Close");
    browser.until(&entries("1")).unwrap();
    // What has not expired yet stays.
    let clock = system_clock();
    let would_go = || {
        let asked = ["cache", "cleanup", "--dry-run", "--json"];
        let said = run_expecting(folder.path(), 0, asked).out;
        serde_json::from_str::<Value>(&said).unwrap()["removed"].as_u64()
    };
    while would_go() == Some(0) {
        assert!(clock.elapsed().as_secs() < 30, "nothing expires");
    }
    desk.press("#caches", "Clean up");
    desk.hears("project-summaries");
    desk.press("#dialog", "Do it");
    browser.until(ANSWERED).unwrap();
    desk.press("#dialog", "Close");
    browser.until(&entries("0")).unwrap();

    desk.press("#deletions", "Clean up");
    desk.hears("What would go");
    desk.press("#dialog", "Do it");
    desk.hears("removed");
    desk.press("#dialog", "Close");

    desk.press("#queue", "Jobs that were given up");
    desk.hears("the sum was too large");
    desk.press("#dialog", "Try again");
    desk.hears("scheduled");
    desk.press("#dialog", "Close");
    // What was given up stays as it was; another job for the same period does the work.
    let jobs = server.get("/api/v1/jobs/?limit=1000").body;
    let jobs: Vec<Value> = serde_json::from_str(&jobs).unwrap();
    let is_again =
        |job: &&Value| job["period"] == 1 && job["created"].as_str() > Some("1970-01-01T00:00:01Z");
    let again = jobs.iter().find(is_again);
    let again = again.unwrap_or_else(|| panic!("no new job: {jobs:#?}"));
    assert!(
        ["scheduled", "running", "finished"].contains(&again["state"].as_str().unwrap()),
        "{again:#}"
    );

    assert_eq!(browser.complaints().unwrap(), Vec::<String>::new());
    let (code, log) = server.stop();
    assert_eq!(code, 0);
    for told in ["caches swept", "deletion tracker swept"] {
        let line = log.lines().find(|line| line.contains(told));
        let line = line.unwrap_or_else(|| panic!("nothing of {told}:\n{log}"));
        assert!(line.contains("caller="), "who did it is not told: {line}");
    }
}

#[test]
fn a_heap_profile_is_begun_ended_and_deleted_by_button() {
    let admin = free();
    let profiles = tempfile::tempdir().unwrap();
    let place = profiles.path().join("kept");
    let place_text = place.to_string_lossy();
    let variables = [
        ("RSR_ADMIN_LISTEN", admin.as_str()),
        ("RSR_API_TOKEN", TOKEN),
        ("RSR_PROFILING_ENABLED", "true"),
        ("RSR_PROFILING_OUTPUT_DIR", &place_text),
    ];
    let Some((_folder, _server, browser)) = stage("20", &variables) else {
        return;
    };
    let kept = || -> Vec<_> {
        let files = fs::read_dir(&place).into_iter().flatten().flatten();
        let paths = files.map(|file| file.path());
        paths.filter(|path| path.is_file()).collect()
    };
    let desk = Desk::open(&browser, &admin);
    desk.press("#desk", "Start, 10 minutes");
    desk.hears("profile id");
    desk.press("#dialog", "Close");
    desk.press("#desk", "Running and kept");
    desk.hears("1 under way, 0 kept");
    desk.press("#dialog", "Stop");
    desk.hears("written");
    desk.press("#dialog", "Close");
    assert!(!kept().is_empty(), "the profile is a file");
    desk.press("#desk", "Running and kept");
    desk.hears("0 under way");
    assert!(
        !text(
            &browser,
            "return document.querySelector('#dialog-text').textContent"
        )
        .contains(" 0 kept")
    );
    desk.press("#dialog", "Close");
    // It becomes older than profiles are kept.
    for path in kept() {
        let file = fs::File::options().write(true).open(path).unwrap();
        file.set_modified(SystemTime::UNIX_EPOCH).unwrap();
    }
    desk.press("#desk", "Clean up");
    desk.hears("Delete profiles");
    desk.press("#dialog", "Do it");
    desk.hears("removed");
    desk.press("#dialog", "Close");
    assert_eq!(
        kept(),
        Vec::<std::path::PathBuf>::new(),
        "old profiles stay"
    );
    assert_eq!(browser.complaints().unwrap(), Vec::<String>::new());
}

/// The demo with its leak.
struct Leaking(Child);

impl Drop for Leaking {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

#[test]
fn a_leak_comes_onto_the_open_page_with_its_call_site_and_is_taken_note_of() {
    let Some(browser) = Browser::start().unwrap() else {
        rsr_testkit::left_out("chromedriver is not there: no leak was looked at");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let (address, admin) = (free(), free());
    let demo = rsr(folder.path())
        .args(["demo", "--leak", "--projects", "20", "--listen", &address])
        .envs([("RSR_ADMIN_LISTEN", &*admin), ("RSR_API_TOKEN", TOKEN)])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let _demo = Leaking(demo);
    let clock = system_clock();
    while ask(&admin, "/health/live").is_err() {
        assert!(clock.elapsed().as_secs() < 60, "the demo does not serve");
        std::thread::yield_now();
    }
    let desk = Desk::open(&browser, &admin);
    // Without a reload: the page follows. Two minutes are what the demonstration promises, each question waits a quarter.
    let named = "[...document.querySelectorAll('#leaks [data-finding] .site')].some((site) => site.textContent.includes('keep_every_invoice'))";
    assert!(
        (0..6).any(|_again| browser.until(named).is_ok()),
        "the page does not name the place: {}",
        text(
            &browser,
            "return document.querySelector('#leaks').innerText"
        )
    );
    let evidence = text(
        &browser,
        "return document.querySelector('#leaks [data-finding] .stack').textContent",
    );
    assert!(
        evidence.contains("demo/leak.rs:"),
        "file and line: {evidence}"
    );
    if let Some(axe) = axe() {
        judge(&browser, &axe, "an open finding");
    }

    desk.press("#leaks", "Take note of a finding");
    desk.hears("Nobody is told of it");
    browser
        .run("document.querySelector('#ack-note').value = 'it is a demonstration'")
        .unwrap();
    desk.press("#dialog", "Do it");
    desk.sees("#leaks", "taken note of");
    desk.press("#dialog", "Close");
    let known = run_expecting(folder.path(), 0, ["findings", "list", "--json"]).out;
    let known: Value = serde_json::from_str(&known).unwrap();
    assert!(
        known.to_string().contains("it is a demonstration"),
        "{known:#}"
    );

    desk.press("#leaks", "Reset");
    desk.hears("begin a new base");
    desk.press("#dialog", "Do it");
    desk.sees("#leaks", "too early to say");
    desk.press("#dialog", "Close");
    assert_eq!(browser.complaints().unwrap(), Vec::<String>::new());
}

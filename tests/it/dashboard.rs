//! The dashboard in a real Chromium: what it shows, that it follows, and that everybody can use it.

use std::time::Duration;

use rsr_base::{ByteSize, read_file_at_most, system_clock};
use rsr_tests::serving::Server;
use rsr_tests::{run_expecting, workspace};
use serde_json::Value;
use xtask::browser::{Browser, Screen};

pub(crate) const DESKTOP: Screen = Screen::new(1280, 900, false);
const DESKTOP_DARK: Screen = Screen::new(1280, 900, true);
const PHONE: Screen = Screen::new(360, 740, false);
const PHONE_DARK: Screen = Screen::new(320, 640, true);

/// A service over the demo's data; `None` where there is no browser to look at it.
pub(crate) fn stage(
    n_projects: &str,
    more: &[(&str, &str)],
) -> Option<(tempfile::TempDir, Server, Browser)> {
    let Some(browser) = Browser::start().unwrap() else {
        rsr_testkit::left_out("chromedriver is not there: the dashboard was not looked at");
        return None;
    };
    let folder = tempfile::tempdir().unwrap();
    let demo = ["demo", "--once", "--projects", n_projects];
    run_expecting(
        folder.path(),
        0,
        demo.iter().chain(&["--listen", "127.0.0.1:0"]),
    );
    let more = more
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let server = Server::start_with(folder.path(), &[], more);
    Some((folder, server, browser))
}

pub(crate) fn open(browser: &Browser, address: &str, path: &str, screen: Screen) {
    browser.look_with(screen).unwrap();
    browser.open(&format!("http://{address}{path}")).unwrap();
}

#[track_caller]
pub(crate) fn text(browser: &Browser, script: &str) -> String {
    match browser.run(script).unwrap() {
        Value::String(text) => text,
        other => other.to_string(),
    }
}

/// The rules of axe-core, where `cargo xtask test` could fetch it.
pub(crate) fn axe() -> Option<String> {
    let path = workspace().join("target/tools/axe-core/axe.min.js");
    let rules = read_file_at_most(&path, ByteSize::from_mib(4)).ok();
    if rules.is_none() {
        rsr_testkit::left_out(
            "axe-core is not there (npm is needed): contrast and names were not judged",
        );
    }
    rules
}

/// What axe-core finds wrong with the page that is open.
#[track_caller]
pub(crate) fn judge(browser: &Browser, axe: &str, what: &str) {
    browser.run(axe).unwrap();
    browser
        .run("window.judged = null; axe.run(document, {resultTypes: ['violations']}).then((r) => { window.judged = r.violations.map((v) => v.id + ': ' + v.nodes.map((n) => n.target + ' ' + n.failureSummary).join('; ')); });")
        .unwrap();
    browser.until("window.judged !== null").unwrap();
    let found = browser.run("return window.judged").unwrap();
    assert_eq!(found.as_array().map(Vec::len), Some(0), "{what}: {found:#}");
}

#[test]
fn it_shows_follows_and_searches_without_complaint() {
    let Some((_folder, server, browser)) = stage("120", &[]) else {
        return;
    };
    open(&browser, server.address(), "/", DESKTOP);
    browser
        .until("document.querySelector('#live').textContent === 'live'")
        .unwrap();
    // Live: the time of the status moves on by itself.
    let shown = text(
        &browser,
        "return document.querySelector('[data-live=status] time').textContent",
    );
    browser
        .until(&format!(
            "document.querySelector('[data-live=status] time').textContent !== '{shown}'"
        ))
        .unwrap();
    // Live: what others do is seen. A lookup changes the figures of a cache.
    assert_eq!(server.get("/api/v1/projects/1/").status, 200);
    browser
        .until("[...document.querySelectorAll('#caches tbody tr')].some((row) => row.cells[0].textContent === 'project-summaries' && row.cells[3].textContent === '1')")
        .unwrap();

    browser.run("document.querySelector('#q').value = 'Kitui'; document.querySelector('#projects form button').click()").unwrap();
    browser.until("document.querySelectorAll('#projects .tree > li').length > 0 && [...document.querySelectorAll('#projects .tree > li')].every((li) => li.textContent.includes('Kitui'))").unwrap();
    browser
        .run("document.querySelector('#projects details').open = true")
        .unwrap();
    browser.until("document.querySelector('#projects details .results td.num') && document.querySelector('#projects details .tree li')").unwrap();
    assert_eq!(browser.complaints().unwrap(), Vec::<String>::new());

    open(
        &browser,
        server.address(),
        "/dashboard/projects/1/",
        DESKTOP,
    );
    let page = text(&browser, "return document.body.innerText");
    for part in ["Water that lasts", "71.96 %", "80", "Below it"] {
        assert!(page.contains(part), "{part} is not on the page:\n{page}");
    }
    assert_eq!(browser.complaints().unwrap(), Vec::<String>::new());
}

#[test]
fn it_can_be_read_and_used_by_everybody_on_every_screen() {
    let Some((_folder, server, browser)) = stage("120", &[]) else {
        return;
    };
    for screen in [DESKTOP, DESKTOP_DARK, PHONE, PHONE_DARK] {
        for path in [
            "/",
            "/dashboard/projects/1/",
            "/dashboard/projects/?search=none",
            "/dashboard/flame/",
        ] {
            let what = format!("{path} at {screen:?}");
            open(&browser, server.address(), path, screen);
            let is_loaded = "[...document.querySelectorAll('div[data-load]')].every((place) => place.querySelector('div'))";
            browser.until(is_loaded).unwrap();
            let wider = browser
                .run("return document.documentElement.scrollWidth - innerWidth")
                .unwrap();
            assert_eq!(wider, 0, "{what} is wider than its screen");
            if let Some(axe) = axe() {
                judge(&browser, &axe, &what);
            }
        }
    }
    // By keyboard alone: the first stop leads past the head, and every stop is seen.
    open(&browser, server.address(), "/", DESKTOP);
    browser.press("\u{e004}").unwrap();
    let first = text(&browser, "return document.activeElement.textContent");
    assert_eq!(first, "To the figures");
    let mut stops = Vec::new();
    for _stop in 0..12 {
        browser.press("\u{e004}").unwrap();
        stops.push(text(&browser, "const at = document.activeElement; const box = at.getBoundingClientRect(); return getComputedStyle(at).outlineStyle === 'none' || box.width === 0 ? '' : (at.textContent || at.id)"));
    }
    assert!(stops.iter().all(|stop| !stop.is_empty()), "{stops:?}");
    assert!(stops.iter().any(|stop| stop == "24 hours"), "{stops:?}");
    assert_eq!(browser.complaints().unwrap(), Vec::<String>::new());
}

#[test]
fn its_figures_are_there_without_a_script() {
    let folder = tempfile::tempdir().unwrap();
    run_expecting(
        folder.path(),
        0,
        ["demo", "--once", "--listen", "127.0.0.1:0"],
    );
    let server = Server::start(folder.path(), &[]);
    // A line needs two readings of memory, a few seconds apart.
    let clock = system_clock();
    let asked = clock.elapsed();
    let page = loop {
        let page = server.get("/?range=day").body;
        if page.contains("<polyline") || clock.elapsed() - asked > Duration::from_secs(60) {
            break page;
        }
        std::thread::yield_now();
    };
    let body = page.split("<script").next().unwrap();
    for part in [
        "Memory in use",
        "<polyline",
        "Pressure",
        "project-summaries",
        "Deletions",
        "given up",
        "Leak indicators",
        "http-equiv=\"refresh\"",
        "action=\"/dashboard/projects/\"",
        "href=\"/dashboard/flame/\"",
    ] {
        assert!(body.contains(part), "{part} is not there");
    }
    assert!(
        !body.contains("data-post"),
        "buttons are on the admin listener alone"
    );
    for outside in ["src=", "@import", "https://", "url(http"] {
        assert!(
            !page.contains(outside),
            "{outside}: something from elsewhere"
        );
    }
    let found = server.get("/dashboard/projects/?search=Kitui").body;
    assert!(found.contains("Kitui") && !found.contains("Turkana"));
    let once = server.get("/dashboard/events/").body;
    assert!(once.starts_with("event: status\ndata: "), "{once}");
    assert_eq!(server.get("/?range=year").status, 400);
    assert_eq!(server.get("/dashboard/projects/99999/").status, 404);
}

#[test]
fn its_buttons_do_what_the_commands_do_and_only_with_the_token() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let admin = free.local_addr().unwrap().to_string();
    drop(free);
    let Some((_folder, server, browser)) = stage(
        "120",
        &[
            ("RSR_ADMIN_LISTEN", &admin),
            ("RSR_API_TOKEN", "a-token-for-this-test"),
        ],
    ) else {
        return;
    };
    let click = |name: &str| {
        browser
            .run(&format!("[...document.querySelectorAll('button')].find((button) => button.offsetParent && button.textContent === '{name}').click()"))
            .unwrap();
    };
    assert_eq!(server.get("/api/v1/projects/1/").status, 200);
    open(&browser, &admin, "/", DESKTOP);
    click("Clear");
    browser.until("document.querySelector('#dialog').open && document.querySelector('#dialog').textContent.includes('needs a token')").unwrap();
    click("Close");
    // The refusal is the browser's own line in the console.
    let refused = browser.complaints().unwrap();
    assert!(
        refused.iter().all(|line| line.contains("401")),
        "{refused:?}"
    );
    browser
        .run("document.querySelector('#token').value = 'a-token-for-this-test'; document.querySelector('#token-form button').click()")
        .unwrap();
    browser
        .until("document.querySelector('#token-state').textContent === 'the token is good'")
        .unwrap();
    click("Clear");
    browser.until("document.querySelector('#dialog').textContent.includes('What would go') && document.querySelector('#dialog').textContent.includes('project-summaries')").unwrap();
    let entries = "[...document.querySelectorAll('#caches tbody tr')].find((row) => row.cells[0].textContent === 'project-summaries').cells[4].textContent";
    assert!(
        text(&browser, &format!("return {entries}")).starts_with('1'),
        "asking what would go removes nothing"
    );
    if let Some(axe) = axe() {
        judge(&browser, &axe, "the dialog");
    }
    click("Do it");
    browser
        .until(&format!("{entries}.startsWith('0')"))
        .unwrap();
    click("Close");
    for (button, answer) in [
        ("Check now", "verdict"),
        ("Health check", "overall"),
        ("Advice", "profile"),
        ("Summary", "largest"),
        ("Update metrics", "scrape bytes"),
        ("Take note of a finding", "No indicator is open"),
        ("Jobs that were given up", "None was given up"),
    ] {
        click(button);
        browser.until(&format!("document.querySelector('#dialog').open && document.querySelector('#dialog-text').textContent.includes('{answer}')")).unwrap();
        click("Close");
    }
    assert_eq!(browser.complaints().unwrap(), Vec::<String>::new());
}

/// The flame graph, from the page of a service that holds something.
#[test]
fn the_flame_graph_is_clicked_through() {
    let Some((_folder, server, browser)) = stage("1500", &[("RSR_CACHE_MAX_SIZE", "5000")]) else {
        return;
    };
    // Enough answers in the caches for some allocations to be sampled.
    for id in 1..=1_500 {
        assert_eq!(
            server
                .get(&format!("/api/v1/projects/{id}/results/"))
                .status,
            200
        );
    }
    open(&browser, server.address(), "/dashboard/flame/", DESKTOP);
    let boxes = browser
        .run("return document.querySelectorAll('.flame g').length")
        .unwrap();
    assert!(
        boxes.as_u64() > Some(3),
        "{boxes} boxes: 1,500 answers of results are kept"
    );
    let shown = "[...document.querySelectorAll('.flame g')].filter((g) => !g.hasAttribute('hidden')).length";
    let all = browser.run(&format!("return {shown}")).unwrap();
    browser
        .run("document.querySelector('.flame g').focus()")
        .unwrap();
    browser.press("\u{e015}\u{e015}").unwrap();
    let depth = text(&browser, "return document.activeElement.dataset.d");
    assert_eq!(depth, "2", "two rows down by the arrow keys");
    browser.press("\u{e007}").unwrap();
    browser
        .until("document.activeElement.querySelector('rect').getAttribute('width') > 900")
        .unwrap();
    browser.press("\u{e00c}").unwrap();
    assert_eq!(browser.run(&format!("return {shown}")).unwrap(), all);
    assert_eq!(browser.complaints().unwrap(), Vec::<String>::new());
}

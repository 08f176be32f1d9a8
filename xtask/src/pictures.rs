//! `cargo xtask docs`: pictures of the dashboard, taken of a real service in a real browser.
//!
//! They are for people: two runs differ in times and bytes, so nobody compares them, and they are taken anew only where
//! one is missing or all are asked for.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::sync_channel;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use xtask::browser::{Browser, Screen};
use xtask::http;

use crate::workspace;

const FOLDER: &str = "docs/pictures";

/// Projects of the demo, and the longest time that asking for all of their results may take.
const N_PROJECTS: u32 = 1_500;
const FILL_MAX: Duration = Duration::from_secs(60);

/// Longest wait until the demo serves: its database is made first.
const START_MAX: Duration = Duration::from_secs(120);
/// Longest wait until the monitor has named the demo's leak.
const LEAK_MAX: Duration = Duration::from_secs(180);

/// A picture: its file, the page, the screen, and what is brought into view.
const PICTURES: [(&str, &str, Screen, &str); 6] = [
    ("dashboard.png", "/", Screen::new(1200, 900, false), "main"),
    (
        "dashboard-dark.png",
        "/",
        Screen::new(1200, 900, true),
        "main",
    ),
    ("leak.png", "/", Screen::new(1200, 700, false), "#leaks"),
    ("heap.png", "/", Screen::new(1200, 700, true), "#heap"),
    (
        "project.png",
        "/dashboard/projects/1/",
        Screen::new(1200, 700, false),
        "main",
    ),
    ("phone.png", "/", Screen::new(390, 800, true), "main"),
];

/// Which pictures the docs have not.
pub(crate) fn missing() -> Vec<&'static str> {
    let folder = workspace::root().join(FOLDER);
    PICTURES
        .iter()
        .map(|(name, ..)| *name)
        .filter(|name| !folder.join(name).is_file())
        .collect()
}

/// A demo that ends with this value.
struct Demo(Child);

impl Drop for Demo {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Takes all of them; says where it cannot.
pub(crate) fn take(program: &Path) -> Result<()> {
    let Some(browser) = Browser::start()? else {
        println!("no pictures were taken: chromedriver is not installed (Debian: chromium-driver)");
        return Ok(());
    };
    let root = workspace::root();
    let place = root.join("target/pictures");
    if place.exists() {
        std::fs::remove_dir_all(&place)?;
    }
    std::fs::create_dir_all(&place)?;
    let (_demo, address) = demo(program, &place)?;
    fill(address)?;
    leak_is_named(address)?;
    std::fs::create_dir_all(root.join(FOLDER))?;
    for (name, page, screen, view) in PICTURES {
        browser.look_with(screen)?;
        browser.open(&format!("http://{address}{page}"))?;
        browser.until("[...document.querySelectorAll('div[data-load]')].every((place) => place.querySelector('div')) && (!document.querySelector('[data-live]') || document.querySelector('#live').textContent === 'live')")?;
        browser.run(&format!(
            "const at = document.querySelector('{view}'); if ('{view}' !== 'main') at.scrollIntoView({{behavior: 'instant'}});"
        ))?;
        std::fs::write(root.join(FOLDER).join(name), browser.picture()?)?;
        println!("took {FOLDER}/{name}");
    }
    Ok(())
}

/// Asks for answers that are kept, so that the heap has something to show.
fn fill(address: SocketAddr) -> Result<()> {
    let started = Instant::now();
    for id in 1..=N_PROJECTS {
        ensure!(
            started.elapsed() < FILL_MAX,
            "{id} of {N_PROJECTS} answers took {FILL_MAX:?}: is the machine busy?"
        );
        let path = format!("/api/v1/projects/{id}/results/");
        let status = http::ask(address, "GET", &path, "")?.status;
        ensure!(status == 200, "the demo answered {path} with {status}");
    }
    Ok(())
}

/// Waits until the page names what leaks.
fn leak_is_named(address: SocketAddr) -> Result<()> {
    let started = Instant::now();
    println!("waiting until the demo's leak is found: up to {LEAK_MAX:?}");
    loop {
        let page = http::ask(address, "GET", "/", "")?;
        if String::from_utf8_lossy(&page.body).contains("keep_every_invoice") {
            return Ok(());
        }
        ensure!(
            started.elapsed() < LEAK_MAX,
            "the leak of the demo was not named within {LEAK_MAX:?}: does `rsr memory check-leaks` name it?"
        );
        std::thread::sleep(Duration::from_secs(1));
    }
}

fn demo(program: &Path, place: &Path) -> Result<(Demo, SocketAddr)> {
    let mut child = Command::new(program)
        .args(["demo", "--leak", "--listen", "127.0.0.1:0", "--projects"])
        .arg(N_PROJECTS.to_string())
        .envs([
            ("RSR_CACHE_MAX_SIZE", "5000"),
            ("RSR_MEMORY_LIMIT", "384MiB"),
        ])
        .env("XDG_RUNTIME_DIR", place)
        .current_dir(place)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .context("cannot start rsr")?;
    let said = child.stdout.take().context("it was asked for as a pipe")?;
    let demo = Demo(child);
    let (sender, receiver) = sync_channel(1);
    std::thread::spawn(move || {
        // It is read to its end, so that the demo never waits for a reader.
        for line in BufReader::new(said).lines().map_while(Result::ok) {
            let named = line.strip_prefix("dashboard").map(str::trim);
            if let Some(address) = named.and_then(|text| text.strip_prefix("http://")) {
                drop(sender.try_send(address.trim_end_matches('/').parse()));
            }
        }
    });
    let address = receiver.recv_timeout(START_MAX).with_context(|| {
        format!("the demo named no dashboard within {START_MAX:?}: see what `rsr demo` prints")
    })??;
    // It names the page a moment before it answers.
    let started = Instant::now();
    while let Err(error) = http::ask(address, "GET", "/health/live", "") {
        ensure!(started.elapsed() < START_MAX, "{error:#}");
        std::thread::sleep(Duration::from_millis(100));
    }
    Ok((demo, address))
}

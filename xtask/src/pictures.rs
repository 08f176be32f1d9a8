//! `cargo xtask docs`: pictures of the dashboard, taken of a real service in a real browser.
//!
//! They are for people: two runs differ in times and bytes, so nobody compares them, and they are taken anew only where
//! one is missing or all are asked for.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result};
use xtask::browser::{Browser, Screen};

use crate::{run, workspace};

const FOLDER: &str = "docs/pictures";

/// A picture: its file, the page, the screen, and what is brought into view.
const PICTURES: [(&str, &str, Screen, &str); 4] = [
    ("dashboard.png", "/", Screen::new(1200, 800, false), "main"),
    ("heap.png", "/", Screen::new(1200, 800, true), "#heap"),
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
pub(crate) fn take() -> Result<()> {
    let Some(browser) = Browser::start()? else {
        println!("no pictures were taken: chromedriver is not installed (Debian: chromium-driver)");
        return Ok(());
    };
    let root = workspace::root();
    let build = [
        "build",
        "--release",
        "--locked",
        "--quiet",
        "--package",
        "rsr",
    ];
    anyhow::ensure!(run::passes(run::cargo(&build))?, "rsr does not build");
    let place = root.join("target/pictures");
    if place.exists() {
        std::fs::remove_dir_all(&place)?;
    }
    std::fs::create_dir_all(&place)?;
    let (_demo, address) = demo(&root, &place)?;
    browser.open(&format!("http://{address}/health/live"))?;
    // Answers that are kept, so that the heap has something to show.
    browser.run("window.n = 0; (async () => { for (let id = 1; id <= 1500; id++) { await (await fetch('/api/v1/projects/' + id + '/results/')).text(); window.n = id; } })()")?;
    browser.until("window.n === 1500")?;
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

fn demo(root: &Path, place: &Path) -> Result<(Demo, String)> {
    let mut child = Command::new(root.join("target/release/rsr"))
        .args(["demo", "--projects", "1500", "--listen", "127.0.0.1:0"])
        .envs([
            ("RSR_CACHE_MAX_SIZE", "5000"),
            ("RSR_MEMORY_LIMIT", "128MiB"),
        ])
        .env("XDG_RUNTIME_DIR", place)
        .current_dir(place)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .context("cannot start rsr")?;
    let said = child.stdout.take().context("it was asked for as a pipe")?;
    let demo = Demo(child);
    let mut lines = BufReader::new(said).lines().map_while(Result::ok);
    let address = lines
        .by_ref()
        .find_map(|line| {
            let (_, rest) = line.split_once("serving on http://")?;
            rest.split_whitespace().next().map(str::to_owned)
        })
        .context("the demo ended before it served")?;
    std::thread::spawn(move || lines.for_each(drop));
    Ok((demo, address))
}

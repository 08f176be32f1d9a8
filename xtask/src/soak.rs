//! `cargo xtask soak`: the service under load in little memory, for as long as asked for.
//!
//! The stories are modules of `tests/it/soak`, which run shortly with every test run. What they saw goes into
//! `docs/reference/soak.md`.

use std::fmt::Write as _;
use std::fs;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::{proof, run, workspace};

/// Each story, and the test that tells it.
const STORIES: [(&str, &str); 2] = [
    ("crowd", "soak::twenty_clients"),
    ("mixed", "soak::mixed_traffic"),
];

/// Runs one story, or both, for so many minutes each; answers whether all of their lines hold.
pub(crate) fn run(minutes: f64, only: Option<&str>, as_json: bool) -> Result<bool> {
    let known = STORIES.map(|(name, _)| name);
    if let Some(only) = only {
        ensure!(
            known.contains(&only),
            "--only {only}: known are {}",
            known.join(", ")
        );
    }
    ensure!(minutes > 0.0, "--minutes {minutes}: must be above 0");
    run::build_rsr()?;
    let results = workspace::root().join("target/soak");
    // What an earlier version of the program has left is another database.
    if results.exists() {
        fs::remove_dir_all(&results)?;
    }
    fs::create_dir_all(&results)?;
    let mut is_good = true;
    let mut told = Vec::new();
    for (name, filter) in STORIES {
        if only.is_some_and(|only| only != name) {
            continue;
        }
        let file = results.join(format!("{name}.json"));
        let mut test = run::stories(filter);
        test.env("RSR_SOAK_MINUTES", minutes.to_string());
        test.env("RSR_SOAK_RESULTS", &results);
        if as_json {
            // Standard output is for the lines of JSON alone.
            test.stdout(std::io::stderr());
        }
        is_good &= run::passes(test)?;
        let text = fs::read_to_string(&file)
            .with_context(|| format!("the story {name} ended before it had a result"))?;
        told.push(serde_json::from_str::<Value>(&text)?);
    }
    drop(fs::remove_file(results.join("forest.db")));
    if as_json {
        for story in &told {
            println!("{story}");
        }
    }
    if only.is_none() {
        proof::keep(
            "soak",
            proof::Record {
                promise: "under a hard limit of memory the service is never killed and answers nothing worse than 503 with \
                          Retry-After; afterwards it is as before".to_owned(),
                command: format!("cargo xtask soak --minutes {minutes}"),
                tried: format!("{minutes} minutes each: {}; see soak.md", known.join(", ")),
                held: is_good,
                made: String::new(),
            },
        )?;
        let page = page(minutes, &told)?;
        fs::write(workspace::root().join("docs/reference/soak.md"), page)?;
    }
    Ok(is_good)
}

/// What was seen, as a page.
fn page(minutes: f64, told: &[Value]) -> Result<String> {
    let commit = run::output({
        let mut git = std::process::Command::new("git");
        git.args(["rev-parse", "--short", "HEAD"])
            .current_dir(workspace::root());
        git
    })?;
    let mut out = format!(
        "# Soak\n\nMade by `cargo xtask soak --minutes {minutes}` at commit {}; not changed by hand. Light answers (health, metrics) are timed by a client \
         that shares the machine with the server and with those that make the load, which go behind it (niceness 10), one every 20 ms on one kept connection, from the first byte of the request to the last of \
         the answer; the 99th percentile is over all of them. The heap is jemalloc's allocated bytes less what its thread caches keep ready, after `rsr cache clear`, the least of twelve readings, before and after the load; both come \
         after as long a time of the same load, three minutes at most, that nobody measures.\n",
        commit.trim()
    );
    for story in told {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        write!(
            out,
            "\n## {}\n\n{}.\n\n| what | seen | wanted | holds |\n|---|---|---|---|\n",
            text(&story["story"]),
            text(&story["about"])
        )?;
        for line in story["lines"].as_array().into_iter().flatten() {
            let holds = if line["holds"] == true { "yes" } else { "no" };
            writeln!(
                out,
                "| {} | {} | {} | {holds} |",
                text(&line["what"]),
                text(&line["seen"]),
                text(&line["wanted"])
            )?;
        }
    }
    Ok(out)
}

//! `cargo xtask bench NAME`: ours and its peers in one run.

use std::fs;
use std::process::Command;
use std::time::SystemTime;

use anyhow::{Context, Result, bail};
use xtask::bench_page;

use crate::{run, workspace};

/// A name that people type, and the bench binaries behind it.
const BENCHES: [(&str, &[(&str, &str)]); 8] = [
    (
        "cache",
        &[
            ("rsr-cache", "speed"),
            ("rsr-cache", "bytes"),
            ("rsr-deletion", "tracker"),
        ],
    ),
    ("hierarchy", &[("rsr-store", "hierarchy")]),
    (
        "aggregation",
        &[
            ("rsr-aggregation", "aggregation"),
            ("rsr-aggregation", "databases"),
        ],
    ),
    ("iati", &[("rsr-iati", "iati")]),
    ("leaks", &[("rsr-monitoring", "leaks")]),
    ("machines", &[("rsr-store", "machines")]),
    ("overhead", &[("rsr-monitoring", "overhead")]),
    ("service", &[("rsr-tests", "served")]),
];

/// Runs the benches of that name; answers whether they ended well.
///
/// A full run for people also writes `docs/reference/bench-NAME.md` (of `overhead`: `docs/reference/overhead.md`): the
/// table, and under it what `docs/notes/bench-NAME.md` says about the figures.
pub(crate) fn run(name: &str, quick: bool, json: bool, seed: Option<u64>) -> Result<bool> {
    let Some((_, binaries)) = BENCHES.iter().find(|(known, _)| *known == name) else {
        let known: Vec<_> = BENCHES.iter().map(|(known, _)| *known).collect();
        bail!(
            "there is no bench {name:?}: take one of {}",
            known.join(", ")
        );
    };
    if seed.is_some() && name != "leaks" {
        bail!("--seed: the bench {name} draws nothing by chance, only leaks does");
    }
    // The one that asks the real service asks the program as it is built by itself.
    let needs_program = binaries.iter().any(|(package, _)| *package == "rsr-tests");
    if needs_program {
        run::build_rsr()?;
    }
    let commands = binaries.iter().map(|(package, binary)| {
        let mut bench = run::cargo(&["bench", "--locked", "--quiet", "--all-features"]);
        bench.args(["--package", package, "--bench", binary, "--"]);
        bench.args(quick.then_some("--quick"));
        if let Some(seed) = seed {
            bench.args(["--seed", &seed.to_string()]);
        }
        bench
    });
    if quick || json {
        let mut is_good = true;
        for mut bench in commands {
            bench.args(json.then_some("--json"));
            is_good &= run::passes(bench)?;
        }
        return Ok(is_good);
    }
    let mut rows = Vec::new();
    for mut bench in commands {
        bench.arg("--json");
        rows.extend(bench_page::rows(&run::output(bench)?)?);
    }
    let root = workspace::root();
    let notes = root.join(format!("docs/notes/bench-{name}.md"));
    let notes = if notes.is_file() {
        fs::read_to_string(&notes).with_context(|| notes.display().to_string())?
    } else {
        String::new()
    };
    let page = bench_page::page(name, &made()?, &rows, &notes);
    // What monitoring costs is a promise to users, not a race: its page has a name of its own.
    let target = root.join(match name {
        "overhead" => "docs/reference/overhead.md".to_owned(),
        _ => format!("docs/reference/bench-{name}.md"),
    });
    fs::create_dir_all(root.join("docs/reference"))?;
    fs::write(&target, &page).with_context(|| target.display().to_string())?;
    print!("{page}");
    eprintln!("written to {}", target.display());
    Ok(true)
}

/// When, where and at which commit: `on 2026-01-31 at commit 1234abc on 2 × Some CPU`.
pub(crate) fn made() -> Result<String> {
    let mut log = Command::new("git");
    log.args(["rev-parse", "--short", "HEAD"])
        .current_dir(workspace::root());
    let commit = run::output(log)?;
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpuinfo
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map_or("an unnamed processor", |(_, model)| model.trim());
    let n_cores = std::thread::available_parallelism()?;
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
    Ok(format!(
        "on {} at commit {} on {n_cores} × {model}",
        date(since.as_secs() / 86_400),
        commit.trim()
    ))
}

/// A day as `YYYY-MM-DD`, from the days since 1970.
fn date(mut days: u64) -> String {
    let is_leap =
        |year: u64| year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400);
    let mut year = 1970;
    while days >= 365 + u64::from(is_leap(year)) {
        days -= 365 + u64::from(is_leap(year));
        year += 1;
    }
    let february = 28 + u64::from(is_leap(year));
    let mut month = 1;
    for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if days < length {
            break;
        }
        days -= length;
        month += 1;
    }
    format!("{year:04}-{month:02}-{:02}", days + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_dates() {
        for (days, expected) in [
            (0, "1970-01-01"),
            (59, "1970-03-01"),
            (11_016, "2000-02-29"),
            (19_782, "2024-02-29"),
            (20_453, "2025-12-31"),
        ] {
            assert_eq!(date(days), expected);
        }
    }
}

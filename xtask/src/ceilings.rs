//! `cargo xtask ceilings`: peak memory of the program as its input grows tenfold.
//!
//! Each step runs in a process of its own, which asks the kernel for the largest resident set of its only child.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use serde_json::json;
use xtask::big_file::Mould;

use crate::{bench, proof, run, workspace};

/// What a person sees of one measured step.
struct Row {
    scenario: String,
    n: u64,
    peak_bytes: u64,
    limit_bytes: u64,
}

const MIB: u64 = 1 << 20;

/// Bytes of one text of one activity, just under the limit that the settings give.
const FIELD_BYTES: usize = 15_000_000;

/// Most that one field of [`FIELD_BYTES`] may take in a process that also stores it: the text as it was read, as XML, and
/// as the database binds and assembles it, beside what an import takes anyway.
const FIELD_LIMIT: u64 = 88 * MIB;

/// Published ceilings: resident bytes of the whole process, code and allocator included.
const LIMIT: u64 = 64 * MIB;

/// Runs the scenarios; answers whether every peak is under its ceiling.
pub(crate) fn run(repetitions: usize, as_json: bool) -> Result<bool> {
    let program = run::build_rsr()?;
    let data = data()?;
    let mould = Mould::of_folder(&data.join("real"))?;
    let folder = workspace::root().join("target/ceilings");
    let mut rows = Vec::new();
    for times in [repetitions.div_ceil(10), repetitions] {
        if folder.exists() {
            fs::remove_dir_all(&folder).context("cannot empty target/ceilings")?;
        }
        fs::create_dir_all(&folder)?;
        let input = folder.join("big.xml");
        let bytes = mould.write(BufWriter::new(File::create(&input)?), times)?;
        eprintln!(
            "{times} repetitions: {} activities, {bytes} bytes",
            mould.len() * times
        );
        let n = u64::try_from(mould.len() * times)?;
        for (scenario, arguments) in [
            ("import-iati", &["import", "iati", "big.xml"][..]),
            ("aggregate-all", &["aggregate", "--all"]),
            ("export-iati", &["export", "iati", "-o", "out.xml"]),
            ("validate-iati", &["validate", "iati", "big.xml"]),
            ("iati-stats", &["iati", "stats", "big.xml"]),
            (
                "iati-split",
                &["iati", "split", "big.xml", "-o", "part.xml"],
            ),
            (
                "iati-filter",
                &[
                    "iati", "filter", "big.xml", "--status", "2", "-o", "some.xml",
                ],
            ),
            (
                "iati-upgrade",
                &["iati", "upgrade", "big.xml", "-o", "new.xml", "--no-split"],
            ),
        ] {
            let peak_bytes = measured(&program, &folder, arguments)?;
            let row = Row {
                scenario: scenario.to_owned(),
                n,
                peak_bytes,
                limit_bytes: LIMIT,
            };
            print(&row, as_json);
            rows.push(row);
        }
    }
    rows.extend(large_field(&program, &folder, as_json)?);
    rows.extend(many_activities(&program, &folder, as_json)?);
    rows.extend(served_trees(as_json)?);
    fs::remove_dir_all(&folder).context("cannot remove target/ceilings")?;
    let held = rows.iter().all(|row| row.peak_bytes <= row.limit_bytes);
    publish(&rows, repetitions, held)?;
    Ok(held)
}

/// Writes the page of ceilings and the record of this run.
fn publish(rows: &[Row], repetitions: usize, held: bool) -> Result<()> {
    let made = bench::made()?;
    let mut page = format!(
        "# Ceilings of memory\n\nMade by `cargo xtask ceilings` {made}; not changed by hand. Peak resident bytes of the whole \
         process, as the kernel counts them; for the service (`…-memory`) what it takes beyond what it holds while nobody \
         asks.\n\n| scenario | items | peak, MiB | ceiling, MiB | |\n|---|---|---|---|---|\n"
    );
    let hundredths = |bytes: u64| {
        let hundredths = bytes * 100 / MIB;
        format!("{}.{:02}", hundredths / 100, hundredths % 100)
    };
    for row in rows {
        let mark = if row.peak_bytes <= row.limit_bytes {
            "holds"
        } else {
            "**over**"
        };
        writeln!(
            page,
            "| {} | {} | {} | {} | {mark} |",
            row.scenario,
            row.n,
            hundredths(row.peak_bytes),
            hundredths(row.limit_bytes)
        )?;
    }
    let path = workspace::root().join("docs/reference/ceilings.md");
    fs::write(&path, page).with_context(|| path.display().to_string())?;
    proof::keep(
        "ceilings",
        proof::Record {
            promise: "memory stays under its ceiling as the input grows tenfold".to_owned(),
            command: "cargo xtask ceilings".to_owned(),
            tried: format!(
                "{} measurements: real files {repetitions} times over, a million activities, trees of a million projects on both \
                 databases; see ceilings.md",
                rows.len()
            ),
            held,
            made: String::new(),
        },
    )
}

/// One activity whose description is as large as a field may be: through the database, and past it.
fn large_field(program: &Path, folder: &Path, as_json: bool) -> Result<Vec<Row>> {
    let text = "word ".repeat(FIELD_BYTES / 5);
    let file = format!(
        "<iati-activities version=\"2.03\"><iati-activity><iati-identifier>XX-FIELD-1</iati-identifier>\
         <reporting-org ref=\"XX-FIELD\" type=\"22\"><narrative>Wells</narrative></reporting-org>\
         <title><narrative>W</narrative></title><description><narrative>{text}</narrative></description>\
         <participating-org role=\"4\"><narrative>Wells</narrative></participating-org><activity-status code=\"2\"/>\
         <activity-date type=\"2\" iso-date=\"2024-01-01\"/></iati-activity></iati-activities>"
    );
    fs::write(folder.join("field.xml"), file)?;
    let database = ["--database", "sqlite://field.db"];
    let mut rows = Vec::new();
    for (scenario, limit_bytes, arguments) in [
        (
            "field-import",
            FIELD_LIMIT,
            &["import", "iati", "field.xml"][..],
        ),
        (
            "field-export",
            FIELD_LIMIT,
            &["export", "iati", "-o", "out.xml"],
        ),
        ("field-validate", LIMIT, &["validate", "iati", "field.xml"]),
        (
            "field-merge",
            LIMIT,
            &["iati", "merge", "field.xml", "-o", "out.xml"],
        ),
        ("field-stats", LIMIT, &["iati", "stats", "field.xml"]),
    ] {
        let arguments: Vec<&str> = arguments.iter().chain(&database).copied().collect();
        let row = Row {
            scenario: scenario.to_owned(),
            n: 1,
            peak_bytes: measured(program, folder, &arguments)?,
            limit_bytes,
        };
        print(&row, as_json);
        rows.push(row);
    }
    Ok(rows)
}

/// Reading, writing and validating many small activities: a hundred times as many may take 2 MB more.
fn many_activities(program: &Path, folder: &Path, as_json: bool) -> Result<Vec<Row>> {
    const FEW: u64 = 10_000;
    const MANY: u64 = 1_000_000;
    const MORE: u64 = 2_000_000;
    let scenarios = [
        ("many-read", &["iati", "stats", "many.xml"][..]),
        (
            "many-written",
            &["iati", "upgrade", "many.xml", "-o", "out.xml", "--no-split"],
        ),
        ("many-validated", &["validate", "iati", "many.xml"]),
    ];
    let mut peaks = Vec::new();
    for n in [FEW, MANY] {
        let mut out = BufWriter::new(File::create(folder.join("many.xml"))?);
        writeln!(out, "<iati-activities version=\"2.03\">")?;
        for i in 0..n {
            writeln!(
                out,
                "<iati-activity><iati-identifier>XX-MANY-{i}</iati-identifier>\
                 <reporting-org ref=\"XX-MANY\" type=\"22\"><narrative>Wells</narrative></reporting-org>\
                 <title><narrative>Well {i}</narrative></title><description><narrative>Deep</narrative></description>\
                 <participating-org role=\"4\"><narrative>Wells</narrative></participating-org>\
                 <activity-status code=\"2\"/><activity-date type=\"2\" iso-date=\"2024-01-01\"/></iati-activity>"
            )?;
        }
        writeln!(out, "</iati-activities>")?;
        out.flush()?;
        for (scenario, arguments) in scenarios {
            peaks.push((scenario, n, measured(program, folder, arguments)?));
        }
    }
    let few = |scenario| {
        let first = peaks.iter().find(|(known, ..)| *known == scenario);
        first.map_or(0, |(_, _, peak)| *peak)
    };
    let rows: Vec<Row> = peaks
        .iter()
        .map(|&(scenario, n, peak_bytes)| Row {
            scenario: scenario.to_owned(),
            n,
            peak_bytes,
            limit_bytes: if n == FEW {
                LIMIT
            } else {
                few(scenario) + MORE
            },
        })
        .collect();
    rows.iter().for_each(|row| print(row, as_json));
    Ok(rows)
}

/// Trees of a hundred thousand and a million projects, read through the service over each database: bytes that the service
/// takes beyond those it holds while nobody asks.
fn served_trees(as_json: bool) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for size in [&["--quick"][..], &[]] {
        let mut bench = run::cargo(&["bench", "--locked", "--quiet", "--all-features"]);
        bench.args(["--package", "rsr-tests", "--bench", "served", "--"]);
        bench.args(["--ceilings", "--json"]).args(size);
        for line in run::output(bench)?.lines() {
            let Ok(line) = serde_json::from_str::<serde_json::Value>(line) else {
                continue;
            };
            let number = |name: &str| line[name].as_u64().with_context(|| format!("no {name}"));
            let row = Row {
                scenario: line["scenario"].as_str().context("no scenario")?.to_owned(),
                n: number("n")?,
                peak_bytes: number("peak_bytes")?,
                limit_bytes: number("limit_bytes")?,
            };
            print(&row, as_json);
            rows.push(row);
        }
    }
    Ok(rows)
}

fn print(row: &Row, as_json: bool) {
    if as_json {
        let line = json!({
            "scenario": row.scenario, "n": row.n, "peak_bytes": row.peak_bytes, "limit_bytes": row.limit_bytes,
        });
        println!("{line}");
    } else {
        let mark = if row.peak_bytes <= row.limit_bytes {
            "ok"
        } else {
            "OVER"
        };
        println!(
            "{:<24} {:>9} items  peak {:>6} KiB of {:>6} KiB  {mark}",
            row.scenario,
            row.n,
            row.peak_bytes >> 10,
            row.limit_bytes >> 10
        );
    }
}

/// The folder of real files; measuring without it would say nothing.
fn data() -> Result<PathBuf> {
    if let Some(named) = std::env::var_os("RSR_IATI_DATA") {
        return Ok(named.into());
    }
    let root = workspace::root();
    let found = root
        .ancestors()
        .map(|above| above.join("shared/iati"))
        .find(|folder| folder.is_dir());
    found.context("real IATI files are needed: set RSR_IATI_DATA to the folder that has `real`")
}

/// Runs one command in a process of our own, so that its child is the only one the kernel accounts.
fn measured(program: &Path, folder: &Path, arguments: &[&str]) -> Result<u64> {
    let mut probe = Command::new(std::env::current_exe()?);
    probe
        .arg("measure-peak")
        .arg(program)
        .args(arguments)
        .current_dir(folder);
    let text = run::output(probe)?;
    text.trim()
        .parse()
        .with_context(|| format!("no number of bytes: {text}"))
}

/// The child half of [`measured`]: prints the peak resident bytes of the command.
pub(crate) fn measure_peak(command: &[String]) -> Result<bool> {
    let Some((program, arguments)) = command.split_first() else {
        bail!("nothing to measure")
    };
    let status = Command::new(program)
        .args(arguments)
        .stdout(Stdio::null())
        .status()?;
    ensure!(
        matches!(status.code(), Some(0 | 1)),
        "{} ended with {status}",
        command.join(" ")
    );
    let usage = nix::sys::resource::getrusage(nix::sys::resource::UsageWho::RUSAGE_CHILDREN)?;
    println!("{}", u64::try_from(usage.max_rss())? << 10);
    Ok(true)
}

//! `cargo xtask ceilings`: peak memory of the program as its input grows tenfold.
//!
//! Each step runs in a process of its own, which asks the kernel for the largest resident set of its only child.

use std::fs::{self, File};
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use serde_json::json;
use xtask::big_file::Mould;

use crate::{run, workspace};

/// What a person sees of one measured step.
struct Row {
    scenario: &'static str,
    n: u64,
    peak_bytes: u64,
    limit_bytes: u64,
}

const MIB: u64 = 1 << 20;

/// Published ceilings: resident bytes of the whole process, code and allocator included.
const LIMIT: u64 = 64 * MIB;

/// Runs the scenarios; answers whether every peak is under its ceiling.
pub(crate) fn run(repetitions: usize, as_json: bool) -> Result<bool> {
    let program = built_program()?;
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
        ] {
            let peak_bytes = measured(&program, &folder, arguments)?;
            let row = Row {
                scenario,
                n,
                peak_bytes,
                limit_bytes: LIMIT,
            };
            print(&row, as_json);
            rows.push(row);
        }
    }
    fs::remove_dir_all(&folder).context("cannot remove target/ceilings")?;
    Ok(rows.iter().all(|row| row.peak_bytes <= row.limit_bytes))
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
            "{:<16} {:>9} activities  peak {:>6} KiB of {:>6} KiB  {mark}",
            row.scenario,
            row.n,
            row.peak_bytes >> 10,
            row.limit_bytes >> 10
        );
    }
}

fn built_program() -> Result<PathBuf> {
    let built = run::passes(run::cargo(&[
        "build",
        "--release",
        "--locked",
        "--quiet",
        "--package",
        "rsr",
    ]))?;
    ensure!(built, "rsr does not build");
    Ok(workspace::root().join("target/release/rsr"))
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

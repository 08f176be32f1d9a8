//! `cargo xtask fuzz TARGET`: libFuzzer on the targets of rsr-iati, with the stable compiler.
//!
//! What cargo-fuzz does with `--sanitizer none`, without having to install it: coverage comes from flags that the stable
//! compiler has, libFuzzer from the crate `libfuzzer-sys`. There is no `unsafe` code for a sanitizer to find.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::{run, workspace};

/// The targets, as they are named in the fuzz folder's manifest.
const TARGETS: [&str; 3] = ["read", "round_trip", "validate"];

/// Coverage as libFuzzer wants it, and every assertion.
const FLAGS: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1 -Cdebug-assertions --cfg fuzzing";

/// Longer inputs find little more and take longer.
const BYTES_MAX: u32 = 16 * 1024;

/// A target that needs more has found something.
const RESIDENT_MIB_MAX: u32 = 512;

/// Runs one target, or all of them one after the other, for so many seconds each; answers whether nothing was found.
///
/// What is found lies in `crates/rsr-iati/fuzz/artifacts/TARGET/`. The corpus grows in `target/fuzz/corpus/TARGET`; it
/// begins with the small files of the IATI test data, where there are any, and the crate's own fixtures.
pub(crate) fn run(target: &str, seconds: u32) -> Result<bool> {
    let targets: Vec<&str> = match target {
        "all" => TARGETS.to_vec(),
        one if TARGETS.contains(&one) => vec![one],
        other => bail!(
            "there is no fuzz target {other:?}: take all or one of {}",
            TARGETS.join(", ")
        ),
    };
    let built = build()?;
    let root = workspace::root();
    let folder = root.join("crates/rsr-iati/fuzz");
    let mut is_good = true;
    for target in targets {
        let artifacts = folder.join("artifacts").join(target);
        let corpus = root.join("target/fuzz/corpus").join(target);
        for folder in [&artifacts, &corpus] {
            fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
        }
        let mut fuzz = Command::new(built.join(target));
        fuzz.arg(&corpus)
            .arg(root.join("crates/rsr-iati/tests/fixtures"))
            .args(workspace::iati_data())
            .arg(format!("-max_total_time={seconds}"))
            .arg(format!("-max_len={BYTES_MAX}"))
            .arg(format!("-rss_limit_mb={RESIDENT_MIB_MAX}"))
            .args(["-timeout=10", "-print_final_stats=1"])
            .arg(format!("-artifact_prefix={}/", artifacts.display()));
        is_good &= run::passes(fuzz)?;
    }
    Ok(is_good)
}

/// Builds the targets; gives the folder they are in.
fn build() -> Result<PathBuf> {
    let mut rustc = Command::new("rustc");
    rustc.arg("-vV");
    let host = run::output(rustc)?;
    let host = host
        .lines()
        .find_map(|line| line.strip_prefix("host: "))
        .context("rustc does not name its host")?;
    let root = workspace::root();
    let target = root.join("target/fuzz");
    let mut cargo = run::cargo(&["build", "--release", "--quiet", "--target", host]);
    // With a target named, build scripts are spared the flags.
    cargo
        .arg("--manifest-path")
        .arg(root.join("crates/rsr-iati/fuzz/Cargo.toml"))
        .arg("--target-dir")
        .arg(&target)
        .env("RUSTFLAGS", FLAGS);
    ensure!(run::passes(cargo)?, "the fuzz targets do not build");
    Ok(target.join(host).join("release"))
}

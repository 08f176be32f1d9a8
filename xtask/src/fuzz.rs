//! `cargo xtask fuzz TARGET`: libFuzzer on whatever reads what others wrote, with the stable compiler.
//!
//! What cargo-fuzz does with `--sanitizer none`, without having to install it: coverage comes from flags that the stable
//! compiler has, libFuzzer from the crate `libfuzzer-sys`. There is no `unsafe` code for a sanitizer to find.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::{proof, run, workspace};

/// Targets as their folder's manifest names them, with what their corpus begins with beside that folder's own.
struct Targets {
    folder: &'static str,
    names: &'static [&'static str],
    fixtures: &'static str,
    /// Whether the small files of the IATI test data are a beginning too.
    of_iati: bool,
}

const TARGETS: [Targets; 2] = [
    Targets {
        folder: "crates/rsr-iati/fuzz",
        names: &["read", "round_trip", "validate"],
        fixtures: "crates/rsr-iati/tests/fixtures",
        of_iati: true,
    },
    Targets {
        folder: "tests/fuzz",
        names: &["cursor", "query", "settings"],
        fixtures: "tests/fuzz/seeds",
        of_iati: false,
    },
];

/// Coverage as libFuzzer wants it, and every assertion.
const FLAGS: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1 -Cdebug-assertions --cfg fuzzing";

/// What shorter ones see is not worth a record.
const SECONDS_OF_A_FULL_RUN: u32 = 60;

/// Longer inputs find little more and take longer.
const BYTES_MAX: u32 = 16 * 1024;

/// A target that needs more has found something.
const RESIDENT_MIB_MAX: u32 = 512;

/// Runs one target, or all of them one after the other, for so many seconds each; answers whether nothing was found.
///
/// What is found lies in `artifacts/TARGET/` beside the targets. The corpus grows in `target/fuzz/corpus/TARGET`.
pub(crate) fn run(target: &str, seconds: u32) -> Result<bool> {
    let known: Vec<&str> = TARGETS.iter().flat_map(|all| all.names).copied().collect();
    ensure!(
        target == "all" || known.contains(&target),
        "there is no fuzz target {target:?}: take all or one of {}",
        known.join(", ")
    );
    let mut is_good = true;
    for targets in &TARGETS {
        let wanted = targets
            .names
            .iter()
            .filter(|name| target == "all" || **name == target);
        let wanted: Vec<&str> = wanted.copied().collect();
        if wanted.is_empty() {
            continue;
        }
        let built = build(targets.folder)?;
        for name in wanted {
            is_good &= targets.run(name, &built, seconds)?;
        }
    }
    if target == "all" && seconds >= SECONDS_OF_A_FULL_RUN {
        proof::keep(
            "fuzz",
            proof::Record {
                promise: "whatever bytes come in, the readers answer, refuse or find; nothing panics, hangs or grows".to_owned(),
                command: format!("cargo xtask fuzz all --seconds {seconds}"),
                tried: format!("{seconds} s each: {}", known.join(", ")),
                held: is_good,
                made: String::new(),
            },
        )?;
    }
    Ok(is_good)
}

impl Targets {
    fn run(&self, name: &str, built: &Path, seconds: u32) -> Result<bool> {
        let root = workspace::root();
        let artifacts = root.join(self.folder).join("artifacts").join(name);
        let corpus = root.join("target/fuzz/corpus").join(name);
        for folder in [&artifacts, &corpus] {
            fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
        }
        let mut fuzz = Command::new(built.join(name));
        fuzz.arg(&corpus).arg(root.join(self.fixtures));
        if self.of_iati {
            fuzz.args(workspace::iati_data());
        }
        fuzz.arg(format!("-max_total_time={seconds}"))
            .arg(format!("-max_len={BYTES_MAX}"))
            .arg(format!("-rss_limit_mb={RESIDENT_MIB_MAX}"))
            .args(["-timeout=10", "-print_final_stats=1"])
            .arg(format!("-artifact_prefix={}/", artifacts.display()));
        run::passes(fuzz)
    }
}

/// Builds the targets of a folder; gives the folder they are in.
fn build(folder: &str) -> Result<PathBuf> {
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
        .arg(root.join(folder).join("Cargo.toml"))
        .arg("--target-dir")
        .arg(&target)
        .env("RUSTFLAGS", FLAGS);
    ensure!(run::passes(cargo)?, "the fuzz targets do not build");
    Ok(target.join(host).join("release"))
}

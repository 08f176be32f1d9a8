//! Validating, beside `xmllint --stream --schema`, and on two threads.

use std::fs::File;
use std::num::NonZero;
use std::path::Path;
use std::process::{Command, Stdio};

use rsr_iati::validate::{Options, validate, validate_parallel};
use rsr_testkit::Bench;

use super::Input;
use super::measure::{Peak, pairs, peak_of, peak_of_child, quiet_pairs};

/// All that is published in IATI, about.
const ALL_OF_IATI_MEGABYTES: f64 = 20_000.0;

pub(super) fn run(bench: &Bench, input: &Input, rounds: usize) {
    let rate = |seconds: f64| input.megabytes / seconds;
    let Some(schema) = input.schema.as_deref() else {
        return rsr_testkit::left_out("validating beside xmllint: no IATI schemas");
    };
    let schema_only = schema_only();
    let everything = Options::default();
    let peer = || {
        assert!(
            xmllint(schema, &input.path).status().unwrap().success(),
            "xmllint finds it valid"
        );
    };
    for (case, options) in [
        ("validate-xsd", &schema_only),
        ("validate-xsd-rules-codelists", &everything),
    ] {
        if bench.wants(case) {
            let [ours, peer] = pairs(rounds, || one(&input.path, options), peer);
            bench.more(
                case,
                "xmllint --stream --schema",
                "MB/s",
                rate(ours),
                rate(peer),
            );
        }
    }
    if bench.wants("validate-two-threads") {
        let [ours, peer] = quiet_pairs(
            rounds,
            || two(&input.path),
            || one(&input.path, &everything),
        );
        bench.more(
            "validate-two-threads",
            "ours on one thread",
            "MB/s",
            rate(ours),
            rate(peer),
        );
    }
    if bench.wants("validate-two-processes") {
        let [ours, peer] = quiet_pairs(rounds, || two(&input.path), || processes(input));
        let peer_is = "two processes, one thread each";
        bench.more(
            "validate-two-processes",
            peer_is,
            "MB/s",
            rate(ours),
            2.0 * rate(peer),
        );
    }
    if bench.wants("all-of-iati") {
        let [ours, _] = quiet_pairs(rounds, || two(&input.path), || {});
        let seconds = ALL_OF_IATI_MEGABYTES / rate(ours);
        bench.less("all-of-iati", "the goal", "s", seconds, 60.0);
    }
    if bench.wants("all-of-iati-xmllint") {
        let [ours, peer] = pairs(rounds, || two(&input.path), peer);
        let peer_is = "xmllint --stream --schema";
        bench.more(
            "all-of-iati-xmllint",
            peer_is,
            "MB/s",
            rate(ours),
            rate(peer),
        );
    }
    for (case, arguments, goal) in [
        ("validate-peak", ["--validate", "1"], 16.0),
        ("all-of-iati-peak", ["--validate", "2"], 64.0),
    ] {
        if bench.wants(case) {
            let Peak(peak) = peak_of_child(&arguments, input);
            bench.less(case, "the goal", "MB", peak, goal);
        }
    }
    if bench.wants("validate-peak-xmllint") {
        let Peak(ours) = peak_of_child(&["--validate", "1"], input);
        let Peak(peer) = peak_of(&mut xmllint(schema, &input.path));
        bench.less(
            "validate-peak-xmllint",
            "xmllint --stream --schema",
            "MB",
            ours,
            peer,
        );
    }
}

fn schema_only() -> Options {
    let mut options = Options::default();
    options.codelists = false;
    options.rules = None;
    options.duplicates = false;
    options
}

fn xmllint(schema: &Path, file: &Path) -> Command {
    let mut command = Command::new("xmllint");
    command
        .args(["--noout", "--nonet", "--stream", "--schema"])
        .arg(schema)
        .arg(file)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

fn one(file: &Path, options: &Options) {
    let summary = validate(File::open(file).unwrap(), options, &mut |_| {});
    assert!(summary.is_valid(), "{summary:?}");
}

fn two(file: &Path) {
    parallel(file, 2);
}

/// The whole file by each of two processes, side by side: what the machine has to give to two that share nothing.
fn processes(input: &Input) {
    let start = || {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .arg("--child")
            .arg(&input.path)
            .args(["--validate", "1"]);
        command.spawn().unwrap()
    };
    for mut child in [start(), start()] {
        let status = child.wait().unwrap();
        assert!(status.success(), "a process ended with {status}");
    }
}

/// Everything on so many threads.
pub(super) fn parallel(file: &Path, n_threads: usize) {
    let n_threads = NonZero::new(n_threads).unwrap();
    let file = File::open(file).unwrap();
    let summary = validate_parallel(file, &Options::default(), n_threads, &mut |_| {});
    assert!(summary.is_valid(), "{summary:?}");
}

//! Validation beside `xmllint --stream --schema`, on one big file made of real ones.
//!
//! `--quick` takes a smaller file, `--json` prints a line a case: `bench, case, ours, peer, peer_name, unit, ratio`.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::cast_precision_loss,
    clippy::disallowed_methods,
    reason = "a bench prints, divides, and reads its own arguments and files"
)]

use std::error::Error;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use rsr_base::{Clock as _, SystemClock};
use rsr_iati::validate::{Options, Summary, validate};
use rsr_testkit::iati_data;

/// Valid files of version 2.03 from different publishers.
const PARTS: [&str; 5] = [
    "dportal-page31-periods-dimensions-2.03.xml",
    "cabei-results-2.03.xml",
    "worldbank-sv-2.03.xml",
    "beis-rs-newton-hierarchy-2.03.xml",
    "dportal-page109-unhcr-undp-results-2.03.xml",
];

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let has = |flag: &str| arguments.iter().any(|argument| argument == flag);
    let Some(data) = iati_data() else {
        eprintln!("left out: no IATI data");
        return Ok(());
    };
    let folder = tempfile::tempdir()?;
    let big = folder.path().join("big.xml");
    let bytes = build(&data, &big, if has("--quick") { 4 } else { 24 })?;
    let schema = data.join("schemas/2.03/iati-activities-schema.xsd");
    let rate = |seconds: f64| bytes as f64 / 1e6 / seconds;

    let mut schema_only = Options::default();
    schema_only.codelists = false;
    schema_only.rules = None;
    schema_only.duplicates = false;
    let everything = Options::default();

    let [mut peer, mut xsd, mut all] = [f64::INFINITY; 3];
    for _ in 0..3 {
        peer = peer.min(seconds(|| xmllint(&schema, &big))?);
        xsd = xsd.min(seconds(|| ours(&big, &schema_only))?);
        all = all.min(seconds(|| ours(&big, &everything))?);
    }
    for (case, ours) in [("validate-xsd", xsd), ("validate-xsd-rules-codelists", all)] {
        let (ours, peer) = (rate(ours), rate(peer));
        let ratio = ours / peer;
        if has("--json") {
            println!(
                "{{\"bench\":\"iati\",\"case\":\"{case}\",\"ours\":{ours:.1},\"peer\":{peer:.1},\
                 \"peer_name\":\"xmllint --stream --schema\",\"unit\":\"MB/s\",\"ratio\":{ratio:.2}}}"
            );
        } else {
            println!("{case:32} {ours:7.1} MB/s   xmllint {peer:7.1} MB/s   ratio {ratio:.2}");
        }
    }
    Ok(())
}

/// Wall time of one run.
fn seconds(run: impl FnOnce() -> Result<(), Box<dyn Error>>) -> Result<f64, Box<dyn Error>> {
    let clock = SystemClock::new();
    run()?;
    Ok(clock.elapsed().as_secs_f64())
}

fn xmllint(schema: &Path, file: &Path) -> Result<(), Box<dyn Error>> {
    let mut command = Command::new("xmllint");
    command
        .args(["--noout", "--nonet", "--stream", "--schema"])
        .arg(schema)
        .arg(file);
    let status = command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()?;
    if status.success() {
        Ok(())
    } else {
        Err("xmllint finds the file invalid".into())
    }
}

fn ours(file: &Path, options: &Options) -> Result<(), Box<dyn Error>> {
    let summary: Summary = validate(File::open(file)?, options, &mut |_| {});
    if summary.is_valid() {
        Ok(())
    } else {
        Err("we find the file invalid".into())
    }
}

/// Writes the activities of all parts again and again, each time with other identifiers; gives the size.
fn build(data: &Path, target: &Path, rounds: usize) -> Result<u64, Box<dyn Error>> {
    let mut out = BufWriter::new(File::create(target)?);
    let mut end = String::new();
    let texts = PARTS
        .iter()
        .map(|part| std::fs::read_to_string(data.join("real").join(part)))
        .collect::<Result<Vec<_>, _>>()?;
    for round in 0..rounds {
        for (place, text) in texts.iter().enumerate() {
            let from = text
                .find("<iati-activity ")
                .or_else(|| text.find("<iati-activity>"))
                .ok_or("no activity")?;
            let close = "</iati-activity>";
            let to = text.rfind(close).ok_or("no activity")? + close.len();
            if round == 0 && place == 0 {
                out.write_all(text.get(..from).unwrap_or_default().as_bytes())?;
                text.get(to..).unwrap_or_default().clone_into(&mut end);
            }
            let name = format!("<iati-identifier>R{round}-{place}-");
            out.write_all(
                text.get(from..to)
                    .unwrap_or_default()
                    .replace("<iati-identifier>", &name)
                    .as_bytes(),
            )?;
            out.write_all(b"\n")?;
        }
    }
    out.write_all(end.as_bytes())?;
    out.flush()?;
    Ok(std::fs::metadata(target)?.len())
}

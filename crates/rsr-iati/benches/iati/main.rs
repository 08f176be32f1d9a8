//! Reading, writing and validating IATI, ours beside its peers, in one run.
//!
//! `cargo bench -p rsr-iati --bench iati -- [--quick] [--json] [CASE]`. The input is made of the real files of 2.03, every
//! activity again and again under new identifiers until the file is large; without them, of activities made here.
#![expect(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::cast_precision_loss,
    reason = "a bench measures real time and stops at the first surprise"
)]

mod measure;
mod reading;
mod validating;
mod writing;

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use rsr_iati::lossless::RawReader;
use rsr_testkit::{Bench, iati_data};

/// The big file.
struct Input {
    path: PathBuf,
    megabytes: f64,
    /// The schema of 2.03, where this machine has it.
    schema: Option<PathBuf>,
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let Some(at) = arguments.iter().position(|argument| argument == "--child") {
        return child(&arguments[at + 1..]);
    }
    let bench = Bench::from_args("iati");
    let (megabytes, rounds) = if bench.is_quick() { (16, 3) } else { (274, 7) };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("big.xml");
    let bytes = make(&path, megabytes * 1_000_000);
    let input = Input {
        path,
        megabytes: bytes as f64 / 1e6,
        schema: iati_data().map(|data| data.join("schemas/2.03/iati-activities-schema.xsd")),
    };
    reading::run(&bench, &input, rounds);
    validating::run(&bench, &input, rounds);
    writing::run(&bench, &input, rounds);
}

/// One piece of work in a process of its own, whose memory is watched.
fn child(arguments: &[String]) {
    let [path, work, rest @ ..] = arguments else {
        unreachable!("a file and what to do with it")
    };
    let number = || rest.first().map_or(1, |n| n.parse().unwrap());
    let input = Input {
        path: PathBuf::from(path),
        megabytes: 0.0,
        schema: None,
    };
    match work.as_str() {
        "--read" => {
            reading::typed_reads_from(File::open(path).unwrap());
        }
        "--validate" => validating::parallel(&input.path, number()),
        "--write" => writing::write_many(&input, number()),
        other => unreachable!("no such work: {other}"),
    }
}

/// Writes real activities, again and again with new identifiers, until the file is that large; gives its size.
fn make(target: &Path, size: usize) -> usize {
    let mut activities = Vec::new();
    for path in real_files() {
        let mut reader = RawReader::new(File::open(path).unwrap());
        while reader.next_activity().unwrap().is_some() {
            let mut text = String::new();
            while let Some(piece) = reader.next_piece().unwrap() {
                text.push_str(&piece);
            }
            activities.push(text);
        }
    }
    if activities.is_empty() {
        activities.push(MADE_UP.to_owned());
    }
    let mut out = BufWriter::new(File::create(target).unwrap());
    let mut written = 0;
    let mut put = |text: &str| {
        out.write_all(text.as_bytes()).unwrap();
        written += text.len();
        written
    };
    put(HEAD);
    for n in 0.. {
        let text: &String = &activities[n % activities.len()];
        let written = match text.split_once("</iati-identifier>") {
            Some((before, after)) => {
                put(before);
                put(&format!("-{n}</iati-identifier>"));
                put(after)
            }
            None => put(text),
        };
        put("\n");
        if written >= size {
            break;
        }
    }
    let written = put("</iati-activities>\n");
    out.flush().unwrap();
    written
}

/// Valid files of activities of 2.03.
fn real_files() -> Vec<PathBuf> {
    let Some(entries) = iati_data().and_then(|data| std::fs::read_dir(data.join("real")).ok())
    else {
        return Vec::new();
    };
    let mut files: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect();
    files.retain(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.ends_with("2.03.xml") && !name.contains("organisation") && !name.contains("invalid")
    });
    files.sort();
    files
}

const HEAD: &str = "<iati-activities version=\"2.03\" xmlns:dstore=\"http://d-portal.org/xmlns/dstore\" \
     xmlns:iati-activities=\"http://d-portal.org/xmlns/iati-activities\" xmlns:usg=\"https://explorer.usaid.gov\">\n";

const MADE_UP: &str = "<iati-activity><iati-identifier>XM-1</iati-identifier>\
    <reporting-org ref=\"XM\" type=\"22\"><narrative>Wells for all</narrative></reporting-org>\
    <title><narrative>A well</narrative></title><description><narrative>It is deep.</narrative></description>\
    <participating-org role=\"1\"/><activity-status code=\"2\"/>\
    <activity-date type=\"2\" iso-date=\"2020-01-01\"/></iati-activity>";

//! The same work on PostgreSQL and on SQLite: real files in, rolled up, and out again; and how its time grows.
//!
//! `cargo bench -p rsr-store --bench machines -- [--quick] [--json] [CASE]`. The server is one of the bench's own, and waits
//! for its disk as servers do. Each round takes new databases, and the two take turns. Growth is the exponent between the
//! real files and four times as many, each time under other identifiers; the growth of reading is in the bench `hierarchy`.
#![expect(
    clippy::expect_used,
    reason = "a bench that cannot go on says so, and prints figures to a few digits"
)]

use std::io::{Cursor, sink};
use std::path::Path;
use std::sync::atomic::AtomicBool;

use rsr_base::{ByteSize, read_at_most, system_clock};
use rsr_iati::export::{ExportOptions, export};
use rsr_settings::Settings;
use rsr_store::{ActivityFilter, Store};
use rsr_testkit::{Bench, PostgresServer, iati_data, left_out};

/// What a server writes where nobody sets anything.
const CONF: &str =
    "fsync = on\nsynchronous_commit = on\nfull_page_writes = on\nshared_buffers = 128MB";
/// How many times the real files the larger run takes in.
const MORE: usize = 4;
const FILE_MAX: ByteSize = ByteSize::from_mib(256);

const STEPS: [&str; 3] = ["import", "aggregate", "export"];
const GROWTH: [&str; 3] = ["import-growth", "aggregate-growth", "export-growth"];

fn main() {
    let bench = Bench::from_args("machines");
    let Some(data) = iati_data() else {
        left_out(
            "the bench of machines: there is no IATI test data, name its folder in RSR_IATI_DATA",
        );
        return;
    };
    let Some(server) = PostgresServer::start(CONF, "") else {
        return;
    };
    let files = read(&data.join("real"));
    let n_rounds = if bench.is_quick() { 1 } else { 5 };
    let mut all = Vec::new();
    for nth in 0..n_rounds {
        all.push(in_turn(&server, &format!("round_{nth}"), &files));
    }
    for (nth, step) in STEPS.into_iter().enumerate() {
        let mut of_step: Vec<_> = all.iter().map(|round| round[nth]).collect();
        of_step.sort_by(|one, other| (one.0 / one.1).total_cmp(&(other.0 / other.1)));
        let (ours, peer) = of_step[of_step.len() / 2];
        if bench.wants(step) {
            bench.less(step, "SQLite", "s", ours, peer);
        }
    }
    if !GROWTH.iter().any(|case| bench.wants(case)) {
        return;
    }
    let many: Vec<_> = (0..MORE).flat_map(|nth| renamed(&files, nth)).collect();
    let large = in_turn(&server, "large", &many);
    #[expect(clippy::cast_precision_loss, reason = "a small number")]
    let exponent = |many: f64, few: f64| (many / few).log(MORE as f64);
    for (nth, case) in GROWTH.into_iter().enumerate() {
        let of_step = all.iter().map(|round| round[nth]);
        let mut few: Vec<_> = of_step.collect();
        few.sort_by(|one, other| one.0.total_cmp(&other.0));
        let (ours, peer) = few[few.len() / 2];
        if bench.wants(case) {
            let (ours, peer) = (exponent(large[nth].0, ours), exponent(large[nth].1, peer));
            bench.less(case, "SQLite", "exponent", ours, peer);
        }
    }
}

/// Seconds of each step on PostgreSQL and on SQLite.
fn in_turn(server: &PostgresServer, name: &str, files: &[(String, Vec<u8>)]) -> [(f64, f64); 3] {
    let folder = tempfile::tempdir().expect("a temporary folder");
    server.create(name);
    let ours = open(&server.url(name));
    let peer = open(&format!(
        "sqlite://{}",
        folder.path().join("rsr.db").display()
    ));
    [
        (
            time(|| take_in(&ours, files)),
            time(|| take_in(&peer, files)),
        ),
        (time(|| roll_up(&ours)), time(|| roll_up(&peer))),
        (time(|| write_out(&ours)), time(|| write_out(&peer))),
    ]
}

fn open(url: &str) -> Store {
    let mut settings = Settings::default().database;
    settings.url = url.parse().expect("an address");
    Store::open(&settings, system_clock()).expect("a new database")
}

fn take_in(store: &Store, files: &[(String, Vec<u8>)]) {
    let mut importer = store
        .importer(&Settings::default().iati)
        .expect("a new run");
    let cancel = AtomicBool::new(false);
    for (nth, (name, bytes)) in files.iter().enumerate() {
        importer.expect_more(nth + 1 < files.len());
        let taken = importer.file(name, Cursor::new(bytes), false, &cancel, &mut |_note| {});
        taken.expect("the database takes it");
    }
    importer.finish(&mut |_note| {}).expect("all can be linked");
}

fn roll_up(store: &Store) {
    let mut after = None;
    loop {
        let snapshot = store.snapshot().expect("a connection is free");
        let roots = snapshot.roots_with_periods(after, 500).expect("roots");
        drop(snapshot);
        after = roots.last().copied();
        if after.is_none() {
            return;
        }
        for root in roots {
            store.roll_up(root).expect("the tree can be rolled up");
        }
    }
}

fn write_out(store: &Store) {
    let snapshot = store.snapshot().expect("a connection is free");
    let mut omit = |_omission: rsr_store::Omission<'_>| {};
    let chunk = Settings::default().iati.export_chunk_size;
    let mut source = snapshot.activities(&ActivityFilter::default(), chunk, &mut omit);
    export(
        &mut source,
        sink(),
        &ExportOptions::default(),
        &mut |_note| {},
    )
    .expect("an export");
}

fn time(work: impl FnOnce()) -> f64 {
    let clock = system_clock();
    let start = clock.elapsed();
    work();
    (clock.elapsed() - start).as_secs_f64()
}

fn read(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = std::fs::read_dir(folder).expect("the folder of real files");
    let mut files: Vec<_> = entries
        .filter_map(Result::ok)
        .filter(|entry| entry.path().extension().is_some_and(|kind| kind == "xml"))
        .map(|entry| {
            let file = std::fs::File::open(entry.path()).expect("a readable file");
            let bytes = read_at_most(file, FILE_MAX).expect("a file of some megabytes");
            (entry.file_name().to_string_lossy().into_owned(), bytes)
        })
        .collect();
    files.sort();
    files
}

/// The same files with a mark at each identifier and each link, so that they make trees of their own.
fn renamed(files: &[(String, Vec<u8>)], nth: usize) -> Vec<(String, Vec<u8>)> {
    let mark = format!("-COPY-{nth}");
    files
        .iter()
        .map(|(name, bytes)| {
            let mut out = Vec::with_capacity(bytes.len());
            let mut rest = &bytes[..];
            while let Some(tag) = rest.iter().position(|byte| *byte == b'<') {
                let (before, from) = rest.split_at(tag);
                out.extend_from_slice(before);
                let end = from
                    .iter()
                    .position(|byte| *byte == b'>')
                    .map_or(from.len(), |end| end + 1);
                let (tag, after) = from.split_at(end);
                let link = tag
                    .starts_with(b"<related-activity")
                    .then(|| end_of_ref(tag))
                    .flatten();
                let place = if tag.starts_with(b"</iati-identifier") {
                    Some(0)
                } else {
                    link
                };
                let (head, tail) = tag.split_at(place.unwrap_or(0));
                out.extend_from_slice(head);
                if place.is_some() {
                    out.extend_from_slice(mark.as_bytes());
                }
                out.extend_from_slice(tail);
                rest = after;
            }
            out.extend_from_slice(rest);
            (format!("{nth}-{name}"), out)
        })
        .collect()
}

/// Where the value of a link's `ref` ends.
fn end_of_ref(tag: &[u8]) -> Option<usize> {
    let start = tag.windows(5).position(|some| some == b" ref=")? + 5;
    let quote = *tag.get(start)?;
    let value = tag.get(start + 1..)?;
    Some(start + 1 + value.iter().position(|byte| *byte == quote)?)
}

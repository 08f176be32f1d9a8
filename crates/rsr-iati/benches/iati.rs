//! Reading and writing IATI, ours beside its peers, in one run.
//!
//! `cargo bench -p rsr-iati --bench iati -- [--quick] [--json]`. The input is made of the real files of 2.0x, repeated
//! until it is large; without them, of activities made here.
#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::cast_precision_loss,
    reason = "a bench prints, measures real time and stops at the first surprise"
)]

use std::fmt::Write as _;
use std::fs::File;
use std::hint::black_box;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use quick_xml::events::{BytesEnd, BytesStart, BytesText, Event as XmlEvent};
use rsr_iati::lossless::RawReader;
use rsr_iati::model::{ActivityElement, ActivityHead};
use rsr_iati::reader::{ActivityReader, Event};
use rsr_iati::writer::{FileOptions, FileWriter, Gaps};
use rsr_iati::xml::{Reader, Token};

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let has = |flag: &str| arguments.iter().any(|argument| argument == flag);
    let megabytes = if has("--quick") { 32 } else { 274 };
    let report = Report {
        json: has("--json"),
        rounds: if has("--quick") { 3 } else { 5 },
    };
    let input = big_file(megabytes * 1_000_000);
    if !report.json {
        println!("{:.0} MB of activities", input.len() as f64 / 1e6);
    }
    reading(&report, &input);
    writing(&report, &input);
}

fn reading(report: &Report, input: &str) {
    let bytes = input.len() as f64 / 1e6;
    let peer = report.measure(|| quick_xml_reads(input.as_bytes()));
    let case = |name: &str, time: Duration| {
        report.print(
            name,
            bytes / time.as_secs_f64(),
            bytes / peer.as_secs_f64(),
            "quick-xml",
            "MB/s",
        );
    };
    case(
        "read-xml",
        report.measure(|| cursor_reads(input.as_bytes())),
    );
    case(
        "read-typed",
        report.measure(|| typed_reads(input.as_bytes())),
    );
    case("read-raw", report.measure(|| raw_reads(input.as_bytes())));
}

fn writing(report: &Report, input: &str) {
    let activities = some_activities(input, 2_000);
    let n = activities.len() as f64;
    let mut options = FileOptions::default();
    options.gaps = Gaps::Write;
    let peer = report.measure(|| quick_xml_writes(&activities));
    let ours = report.measure(|| writes(&activities, &options));
    let rate = |time: Duration| n / time.as_secs_f64();
    report.print(
        "write",
        rate(ours),
        rate(peer),
        "quick-xml writer",
        "activities/s",
    );
    options.gaps = Gaps::Refuse;
    let ours = report.measure(|| writes(&activities, &options));
    report.print(
        "write-checked",
        rate(ours),
        rate(peer),
        "quick-xml writer",
        "activities/s",
    );
}

struct Report {
    json: bool,
    rounds: usize,
}

impl Report {
    /// The fastest of several rounds: noise only ever adds.
    fn measure<T>(&self, mut work: impl FnMut() -> T) -> Duration {
        let mut best = Duration::MAX;
        for _ in 0..self.rounds {
            let start = Instant::now();
            black_box(work());
            best = best.min(start.elapsed());
        }
        best
    }

    fn print(&self, case: &str, ours: f64, peer: f64, peer_name: &str, unit: &str) {
        let ratio = ours / peer;
        if self.json {
            println!(
                "{{\"bench\":\"iati\",\"case\":\"{case}\",\"ours\":{ours:.1},\"peer\":{peer:.1},\
                 \"peer_name\":\"{peer_name}\",\"unit\":\"{unit}\",\"ratio\":{ratio:.3}}}"
            );
        } else {
            println!(
                "{case:<14} {ours:>10.0} {unit:<13} {peer_name} {peer:>10.0}  ratio {ratio:.2}"
            );
        }
    }
}

/// Every attribute and text, with quick-xml alone.
fn quick_xml_reads(input: &[u8]) -> usize {
    let mut reader = quick_xml::Reader::from_reader(input);
    let mut buffer = Vec::new();
    let mut n = 0;
    loop {
        match reader.read_event_into(&mut buffer).unwrap() {
            XmlEvent::Eof => return n,
            XmlEvent::Start(tag) | XmlEvent::Empty(tag) => {
                for attribute in tag.attributes() {
                    n += attribute.unwrap().value.len();
                }
            }
            XmlEvent::Text(text) => n += text.len(),
            _ => {}
        }
        buffer.clear();
    }
}

fn cursor_reads(input: &[u8]) -> usize {
    let mut reader = Reader::new(input);
    let mut n = 0;
    loop {
        match reader.advance().unwrap() {
            Token::Done => return n,
            Token::Start => {
                n += reader
                    .attributes()
                    .map(|attribute| attribute.value.len())
                    .sum::<usize>();
            }
            Token::Text => n += reader.text().len(),
            Token::End => {}
        }
    }
}

fn typed_reads(input: &[u8]) -> usize {
    let mut reader = ActivityReader::new(input);
    let mut n = 0;
    while let Some(event) = reader.next_event().unwrap() {
        black_box(&event);
        n += 1;
    }
    n
}

fn raw_reads(input: &[u8]) -> usize {
    let mut reader = RawReader::new(input);
    let mut n = 0;
    while reader.next_activity().unwrap().is_some() {
        while let Some(piece) = reader.next_piece().unwrap() {
            n += piece.len();
        }
    }
    n
}

type Activity = (ActivityHead, Vec<ActivityElement>);

fn writes(activities: &[Activity], options: &FileOptions) -> u64 {
    let mut file = FileWriter::new(io::sink(), options);
    for (head, elements) in activities {
        let mut activity = file.activity(head);
        for element in elements {
            activity.element(element).unwrap();
        }
        activity.end().unwrap();
    }
    file.n_bytes()
}

/// The same elements, as flat as the peer can have them: names, attributes and texts ready to be written.
fn quick_xml_writes(activities: &[Activity]) -> usize {
    let mut out = quick_xml::Writer::new(io::sink());
    let mut n = 0;
    for (_, elements) in activities {
        out.write_event(XmlEvent::Start(BytesStart::new("iati-activity")))
            .unwrap();
        for element in elements {
            n += write_with_peer(&mut out, element);
        }
        out.write_event(XmlEvent::End(BytesEnd::new("iati-activity")))
            .unwrap();
    }
    n
}

fn write_with_peer(out: &mut quick_xml::Writer<io::Sink>, element: &ActivityElement) -> usize {
    use rsr_iati::model::Narrative;
    let narratives = |out: &mut quick_xml::Writer<io::Sink>, list: &[Narrative]| {
        for narrative in list {
            let mut tag = BytesStart::new("narrative");
            if let Some(language) = &narrative.language {
                tag.push_attribute(("xml:lang", language.as_str()));
            }
            out.write_event(XmlEvent::Start(tag)).unwrap();
            out.write_event(XmlEvent::Text(BytesText::new(&narrative.text)))
                .unwrap();
            out.write_event(XmlEvent::End(BytesEnd::new("narrative")))
                .unwrap();
        }
    };
    let name = element.name();
    let mut tag = BytesStart::new(name);
    let mut attribute = |key: &str, value: Option<&str>| {
        if let Some(value) = value {
            tag.push_attribute((key, value));
        }
    };
    let list: &[Narrative] = match element {
        ActivityElement::Identifier(identifier) => {
            out.write_event(XmlEvent::Start(tag)).unwrap();
            out.write_event(XmlEvent::Text(BytesText::new(&identifier.text)))
                .unwrap();
            out.write_event(XmlEvent::End(BytesEnd::new(name))).unwrap();
            return 1;
        }
        ActivityElement::Title(title) => &title.narratives,
        ActivityElement::Description(description) => {
            attribute("type", description.kind.as_deref());
            &description.narratives
        }
        ActivityElement::ReportingOrg(org) => {
            attribute("ref", org.reference.as_deref());
            attribute("type", org.kind.as_deref());
            &org.narratives
        }
        ActivityElement::ParticipatingOrg(org) => {
            attribute("ref", org.reference.as_deref());
            attribute("type", org.kind.as_deref());
            attribute("role", org.role.as_deref());
            &org.narratives
        }
        ActivityElement::ActivityDate(date) => {
            attribute("type", date.kind.as_deref());
            attribute("iso-date", date.date.as_ref().map(|date| date.as_str()));
            &date.narratives
        }
        ActivityElement::ActivityStatus(coded) => {
            attribute("code", coded.code.as_deref());
            &[]
        }
        ActivityElement::RecipientCountry(country) => {
            attribute("code", country.code.as_deref());
            attribute(
                "percentage",
                country
                    .percentage
                    .as_ref()
                    .map(|percentage| percentage.as_str()),
            );
            &country.narratives
        }
        ActivityElement::Sector(sector) => {
            attribute("vocabulary", sector.vocabulary.as_deref());
            attribute("code", sector.code.as_deref());
            attribute(
                "percentage",
                sector
                    .percentage
                    .as_ref()
                    .map(|percentage| percentage.as_str()),
            );
            &sector.narratives
        }
        _ => return 0,
    };
    out.write_event(XmlEvent::Start(tag)).unwrap();
    narratives(out, list);
    out.write_event(XmlEvent::End(BytesEnd::new(name))).unwrap();
    1
}

/// Whether the peer can write it.
fn is_simple(element: &ActivityElement) -> bool {
    write_with_peer(&mut quick_xml::Writer::new(io::sink()), element) > 0
}

/// Activities of about 20 elements.
fn some_activities(input: &str, n: usize) -> Vec<Activity> {
    let mut reader = ActivityReader::new(input.as_bytes());
    let mut all: Vec<Activity> = Vec::new();
    while let Some(event) = reader.next_event().unwrap() {
        match event {
            Event::ActivityStart(head, _) if all.len() == n => {
                drop(head);
                break;
            }
            Event::ActivityStart(head, _) => all.push((head, Vec::new())),
            Event::Element(element, _) => {
                if let Some((_, elements)) = all.last_mut()
                    && elements.len() < 20
                    && is_simple(&element)
                {
                    elements.push(element);
                }
            }
            _ => {}
        }
    }
    for (_, elements) in &mut all {
        elements.sort_by_key(ActivityElement::rank);
    }
    // All that is required, so that each of them is taken.
    all.retain(|(_, elements)| {
        let mut file = FileWriter::new(io::sink(), &FileOptions::default());
        let mut activity = file.activity(&ActivityHead::default());
        elements
            .iter()
            .all(|element| activity.element(element).is_ok())
            && activity.end().is_ok()
    });
    all
}

/// Real activities, repeated with new identifiers until the file is that large.
fn big_file(size: usize) -> String {
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
    let mut file = String::with_capacity(size + (1 << 20));
    file.push_str(
        "<iati-activities version=\"2.03\" xmlns:dstore=\"http://d-portal.org/xmlns/dstore\" \
         xmlns:iati-activities=\"http://d-portal.org/xmlns/iati-activities\">\n",
    );
    for n in 0.. {
        if file.len() >= size {
            break;
        }
        let text: &String = &activities[n % activities.len()];
        match text.split_once("</iati-identifier>") {
            Some((before, after)) => {
                writeln!(file, "{before}-{n}</iati-identifier>{after}").unwrap();
            }
            None => file.push_str(text),
        }
    }
    file.push_str("</iati-activities>\n");
    file
}

fn real_files() -> Vec<PathBuf> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let shared = || {
        here.ancestors()
            .map(|above| above.join("shared/iati"))
            .find(|folder| folder.is_dir())
    };
    let Some(data) = std::env::var_os("RSR_IATI_DATA")
        .map(PathBuf::from)
        .or_else(shared)
    else {
        return Vec::new();
    };
    let Ok(entries) = std::fs::read_dir(data.join("real")) else {
        return Vec::new();
    };
    let mut files: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect();
    files.retain(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.ends_with("2.03.xml") && !name.contains("organisation")
    });
    files.sort();
    files
}

const MADE_UP: &str = "<iati-activity><iati-identifier>XM-1</iati-identifier>\
    <reporting-org ref=\"XM\" type=\"22\"><narrative>Wells for all</narrative></reporting-org>\
    <title><narrative>A well</narrative></title><description><narrative>It is deep.</narrative></description>\
    <participating-org role=\"1\"/><activity-status code=\"2\"/>\
    <activity-date type=\"2\" iso-date=\"2020-01-01\"/></iati-activity>";

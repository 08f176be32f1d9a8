//! Reading every attribute and text.

use std::fs::File;
use std::hint::black_box;
use std::path::Path;
use std::process::{Command, Stdio};

use quick_xml::events::Event as XmlEvent;
use rsr_iati::lossless::RawReader;
use rsr_iati::reader::ActivityReader;
use rsr_iati::xml::{Reader, Token};
use rsr_testkit::{Bench, left_out};

use super::Input;
use super::measure::{Peak, pairs, peak_of_child};

/// A way to read a file that is in memory.
type Reads = fn(&[u8]) -> usize;

/// What lxml is asked to do: the same as everyone, in the way its documentation advises for large files.
const LXML: &str = "
import sys
from lxml import etree
n = 0
for event, element in etree.iterparse(sys.argv[1], events=('start', 'end')):
    if event == 'start':
        for value in element.attrib.values():
            n += len(value)
    else:
        n += len(element.text or '')
        if element.tag == 'iati-activity':
            element.clear()
            while element.getprevious() is not None:
                del element.getparent()[0]
";

pub(super) fn run(bench: &Bench, input: &Input, rounds: usize) {
    let rate = |seconds: f64| input.megabytes / seconds;
    let bytes = std::fs::read(&input.path).unwrap();
    let cases: [(&'static str, Reads); 3] = [
        ("read-cursor", cursor_reads),
        ("read-typed", typed_reads),
        ("read-raw", raw_reads),
    ];
    for (case, ours) in cases {
        if bench.wants(case) {
            let [ours, peer] = pairs(
                rounds,
                || {
                    black_box(ours(&bytes));
                },
                || {
                    black_box(quick_xml_reads(&bytes));
                },
            );
            bench.more(case, "quick-xml alone", "MB/s", rate(ours), rate(peer));
        }
    }
    drop(bytes);
    let typed = || {
        typed_reads_from(File::open(&input.path).unwrap());
    };
    if bench.wants("read-typed-xmllint") {
        let [ours, peer] = pairs(rounds, typed, || {
            succeeds(
                Command::new("xmllint")
                    .args(["--noout", "--nonet", "--stream"])
                    .arg(&input.path),
            );
        });
        bench.more(
            "read-typed-xmllint",
            "xmllint --stream",
            "MB/s",
            rate(ours),
            rate(peer),
        );
    }
    if bench.wants("read-typed-lxml") {
        if has_lxml() {
            let [ours, peer] = pairs(rounds.min(3), typed, || succeeds(&mut lxml(&input.path)));
            bench.more(
                "read-typed-lxml",
                "lxml iterparse",
                "MB/s",
                rate(ours),
                rate(peer),
            );
        } else {
            left_out("reading beside lxml: python3 has no lxml here (pip install lxml)");
        }
    }
    if bench.wants("read-typed-peak") {
        let Peak(peak) = peak_of_child(&["--read"], input);
        bench.less("read-typed-peak", "the goal", "MB", peak, 16.0);
    }
}

fn has_lxml() -> bool {
    let mut python = Command::new("python3");
    python.args(["-c", "import lxml"]).stderr(Stdio::null());
    python.status().is_ok_and(|status| status.success())
}

fn lxml(file: &Path) -> Command {
    let mut python = Command::new("python3");
    python.args(["-c", LXML]).arg(file);
    python
}

fn succeeds(command: &mut Command) {
    let status = command.stdout(Stdio::null()).status().unwrap();
    assert!(status.success(), "{command:?} ended with {status}");
}

pub(super) fn typed_reads_from(read: impl std::io::Read + Send) -> usize {
    let mut reader = ActivityReader::new(read);
    let mut n = 0;
    while let Some(event) = reader.next_event().unwrap() {
        black_box(&event);
        n += 1;
    }
    n
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
    typed_reads_from(input)
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

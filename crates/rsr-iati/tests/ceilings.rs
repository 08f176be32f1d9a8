//! The memory promise: no file, honest or hostile, takes more than its elements ask for. One test, since the allocator
//! counts the whole process.

#![expect(
    clippy::print_stdout,
    clippy::indexing_slicing,
    reason = "a scenario prints its peak; the helpers are tests too"
)]

use std::io::{self, Read, Write};

use rsr_base::ByteSize;
use rsr_iati::export::{ActivitySource, ExportOptions, export, export_to_file};
use rsr_iati::lossless::filter;
use rsr_iati::model::{
    ActivityDate, ActivityElement, ActivityHead, Amount, Coded, Dated, Decimal, Description,
    Identifier, Narrative, ParticipatingOrg, ReportingOrg, TextBlock, Transaction,
};
use rsr_iati::reader::{ActivityReader, Counts, Event};
use rsr_testkit::{CountingAllocator, peak_of};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator::new();

/// A head, a piece again and again, a tail; never in memory.
struct Repeated<'a> {
    head: &'a [u8],
    piece: &'a [u8],
    tail: &'a [u8],
    n: u64,
    at: usize,
}

impl<'a> Repeated<'a> {
    fn new(head: &'a str, piece: &'a str, n: u64, tail: &'a str) -> Self {
        Self {
            head: head.as_bytes(),
            piece: piece.as_bytes(),
            tail: tail.as_bytes(),
            n,
            at: 0,
        }
    }
}

impl Read for Repeated<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let mut done = 0;
        while done < into.len() {
            let part = if !self.head.is_empty() {
                self.head
            } else if self.n > 0 {
                self.piece
            } else {
                self.tail
            };
            let left = &part[self.at.min(part.len())..];
            if left.is_empty() {
                if part == self.tail && self.n == 0 && self.head.is_empty() {
                    break;
                }
                self.at = 0;
                if self.head.is_empty() {
                    self.n -= 1;
                } else {
                    self.head = b"";
                }
                continue;
            }
            let n = left.len().min(into.len() - done);
            into[done..done + n].copy_from_slice(&left[..n]);
            done += n;
            self.at += n;
        }
        Ok(done)
    }
}

const HEAD: &str =
    "<iati-activities version='2.03'><iati-activity><iati-identifier>A</iati-identifier>";
const TAIL: &str = "</iati-activity><iati-activity><iati-identifier>B</iati-identifier></iati-activity></iati-activities>";
const TRANSACTION: &str = "<transaction><transaction-type code='3'/><transaction-date iso-date='2020-01-01'/>\
    <value value-date='2020-01-01'>100.00</value></transaction>\n";

/// Reads to the end: activities and findings counted, and what ended it, if anything did.
fn read(input: impl Read + Send) -> (Counts, u64, String) {
    let mut reader = ActivityReader::new(input);
    let mut n_elements = 0;
    let ended = loop {
        match reader.next_event() {
            Ok(Some(Event::Element(..))) => n_elements += 1,
            Ok(Some(Event::ActivitySkipped(finding))) => println!("    {finding}"),
            Ok(Some(_)) => {}
            Ok(None) => break String::new(),
            Err(error) => break error.to_string(),
        }
        drop(reader.take_findings());
    };
    (reader.counts(), n_elements, ended)
}

/// Holds the peak of `work` to `limit`.
#[track_caller]
fn check<T>(scenario: &str, limit: ByteSize, work: impl FnOnce() -> T) -> T {
    let (result, peak) = peak_of(&ALLOCATOR, work);
    println!("{scenario}: {peak} of {limit}");
    assert!(peak <= limit, "{scenario}: {peak}, limit {limit}");
    result
}

/// Activities without end, all alike.
struct Many(u64, usize);

impl ActivitySource for Many {
    type Error = io::Error;

    fn next_activity(&mut self) -> io::Result<Option<ActivityHead>> {
        self.1 = 0;
        self.0 = match self.0.checked_sub(1) {
            Some(left) => left,
            None => return Ok(None),
        };
        Ok(Some(ActivityHead::default()))
    }

    fn next_element(&mut self) -> io::Result<Option<ActivityElement>> {
        self.1 += 1;
        let narratives = vec![Narrative::new("Water for all")];
        Ok(Some(match self.1 {
            1 => ActivityElement::Identifier(Identifier::new(format!("XM-{}", self.0))),
            2 => ActivityElement::ReportingOrg(ReportingOrg {
                reference: Some("XM".to_owned()),
                kind: Some("22".to_owned()),
                narratives,
                ..ReportingOrg::default()
            }),
            3 => ActivityElement::Title(TextBlock::new("Wells")),
            4 => ActivityElement::Description(Description {
                narratives,
                ..Description::default()
            }),
            5 => ActivityElement::ParticipatingOrg(ParticipatingOrg {
                role: Some("1".to_owned()),
                ..ParticipatingOrg::default()
            }),
            6 => ActivityElement::ActivityStatus(Coded::new("2")),
            7 => ActivityElement::ActivityDate(ActivityDate {
                kind: Some("2".to_owned()),
                date: Some("2020-01-01".into()),
                ..ActivityDate::default()
            }),
            8..=20 => ActivityElement::Transaction(Transaction {
                kind: Some(Coded::new("3")),
                date: Some(Dated::new("2020-01-01")),
                value: Some(Amount {
                    value_date: Some("2020-01-01".into()),
                    amount: Decimal::new("100.00"),
                    ..Amount::default()
                }),
                ..Transaction::default()
            }),
            _ => return Ok(None),
        }))
    }
}

#[test]
fn memory_stays_under_its_ceilings() {
    let mib = ByteSize::from_mib;

    let n = 120_000_000 / TRANSACTION.len() as u64;
    let (counts, n_elements, ended) = check("one activity of 120 MB", mib(1), || {
        read(Repeated::new(HEAD, TRANSACTION, n, TAIL))
    });
    assert_eq!((counts.n_read, n_elements, ended.as_str()), (2, n + 2, ""));

    let big = "<description><narrative>";
    let end = "</narrative></description>";
    let (head, tail) = (format!("{HEAD}{big}"), format!("{end}{TAIL}"));
    let (counts, _, ended) = check("100 MB in one text", mib(40), || {
        read(Repeated::new(&head, "abcdefghij", 10_000_000, &tail))
    });
    assert_eq!(
        (counts.n_read, counts.n_skipped, ended.as_str()),
        (2, 1, ""),
        "that activity is skipped, the next one is read"
    );

    let (head, tail) = (format!("{HEAD}<!--"), format!("-->{TAIL}"));
    let (counts, _, ended) = check("20 MB in one comment", mib(1), || {
        read(Repeated::new(&head, "abcdefghij", 2_000_000, &tail))
    });
    assert_eq!((counts.n_read, ended.as_str()), (2, ""));

    let head = "<iati-activities version='2.03'><iati-activity";
    let (_, _, ended) = check("a million attributes", mib(1), || {
        read(Repeated::new(head, " a='1'", 1_000_000, ">"))
    });
    assert!(
        ended.contains("number of attributes of one element is over the limit of 256"),
        "{ended}"
    );

    let (_, _, ended) = check("an attribute of 100 MB", mib(80), || {
        let head = "<iati-activities version='2.03'><iati-activity default-currency='";
        read(Repeated::new(
            head,
            "abcdefghij",
            10_000_000,
            "'/></iati-activities>",
        ))
    });
    assert!(ended.contains("over the limit of 16777216"), "{ended}");

    let (_, _, ended) = check("10,000 nested elements", mib(1), || {
        read(Repeated::new(HEAD, "<a>", 10_000, ""))
    });
    assert!(
        ended.contains("the depth of elements is over the limit of 128"),
        "{ended}"
    );

    let (counts, _, ended) = check("many unknown attributes and texts", mib(2), || {
        read(Repeated::new(
            HEAD,
            "<budget x='1'>y</budget>",
            1_000_000,
            TAIL,
        ))
    });
    assert_eq!((counts.n_findings, ended.as_str()), (2_000_000, ""));

    let (_, _, ended) = check("a million namespaces", mib(2), || {
        read(Repeated::new(HEAD, "<a xmlns:b='c'>", 1_000_000, TAIL))
    });
    assert!(ended.contains("limit"), "{ended}");

    check("100,000 activities filtered", mib(1), || {
        let piece = "<iati-activity><iati-identifier>A</iati-identifier><title/></iati-activity>";
        let input = Repeated::new(
            "<iati-activities version='2.03'>",
            piece,
            100_000,
            "</iati-activities>",
        );
        filter(input, io::sink(), &mut |_| true).unwrap()
    });

    let mut bomb = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    let zeros = vec![b' '; 1 << 16];
    for _ in 0..1000 {
        bomb.write_all(&zeros).unwrap();
    }
    let bomb = bomb.finish().unwrap();
    let (_, _, ended) = check("a gzip bomb", mib(1), || read(&bomb[..]));
    assert!(ended.contains("there is no element in it"), "{ended}");

    let options = ExportOptions::default();
    let peak = |n| {
        peak_of(&ALLOCATOR, || {
            export(&mut Many(n, 0), io::sink(), &options, &mut |_| {}).unwrap()
        })
        .1
    };
    let (few, many) = (peak(100), peak(10_000));
    println!("exports: 100 activities {few}, 10,000 activities {many}");
    assert!(
        many <= few + ByteSize::from_kib(16) && many < mib(1),
        "{few}, {many}"
    );

    let folder = tempfile::tempdir().unwrap();
    let mut options = ExportOptions::default();
    options.split = mib(1);
    let summary = check("an export to split files", mib(1), || {
        export_to_file(
            &mut Many(2_000, 0),
            &folder.path().join("out.xml"),
            &options,
            &mut |_| {},
        )
        .unwrap()
    });
    assert!(summary.files.len() > 3, "{}", summary.files.len());
}

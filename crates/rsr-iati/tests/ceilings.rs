//! The memory promise: no file, honest or hostile, takes more than its elements ask for. One test, since the allocator
//! counts the whole process.

#![expect(
    clippy::print_stdout,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::missing_assert_message,
    reason = "a scenario prints its peak; the helpers are tests too"
)]

use std::collections::BTreeSet;
use std::io::{self, Read, Write};
use std::num::NonZero;

use rsr_base::ByteSize;
use rsr_iati::export::{ActivitySource, ExportOptions, export, export_to_file};
use rsr_iati::lossless::filter;
use rsr_iati::model::{
    ActivityDate, ActivityElement, ActivityHead, Amount, Coded, Dated, Decimal, Description,
    Identifier, Narrative, ParticipatingOrg, ReportingOrg, TextBlock, Transaction,
};
use rsr_iati::reader::{ActivityReader, Counts, Event};
use rsr_iati::validate::{Options, validate, validate_parallel};
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
/// Ends a start tag of an activity, and a second activity.
const FOLLOWED: &str = ">\n</iati-activity><iati-activity><iati-identifier>B</iati-identifier></iati-activity></iati-activities>";
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

    // Activities that go over a limit are skipped and told, the next ones are read.
    let skipped = |scenario: &str, limit, input: Repeated<'_>| {
        let (counts, _, ended) = check(scenario, limit, || read(input));
        let counts = (counts.n_read, counts.n_skipped);
        assert_eq!((counts, ended.as_str()), ((2, 1), ""), "{scenario}");
    };
    let million = Repeated::new(
        "<iati-activities version='2.03'><iati-activity",
        " a='1'",
        1_000_000,
        FOLLOWED,
    );
    skipped("a million attributes", mib(1), million);
    let (head, tail) = (format!("{HEAD}<title"), format!("/>{TAIL}"));
    skipped(
        "a million attributes on a child",
        mib(1),
        Repeated::new(&head, " a='1'", 1_000_000, &tail),
    );
    let head = "<iati-activities version='2.03'><iati-activity default-currency='";
    skipped(
        "an attribute of 100 MB",
        mib(48),
        Repeated::new(head, "abcdefghij", 10_000_000, &format!("'{FOLLOWED}")),
    );
    let tail = format!("{}{TAIL}", "</a>".repeat(10_000));
    skipped(
        "10,000 nested elements",
        mib(1),
        Repeated::new(HEAD, "<a>", 10_000, &tail),
    );
    let tail = format!("{}{TAIL}", "</a>".repeat(1_000_000));
    skipped(
        "a million namespaces",
        mib(2),
        Repeated::new(HEAD, "<a xmlns:b='c'>", 1_000_000, &tail),
    );
    let (head, tail) = (format!("{HEAD}<"), format!("/>{TAIL}"));
    skipped(
        "a name of 10 MB",
        mib(1),
        Repeated::new(&head, "abcdefghij", 1_000_000, &tail),
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

    hostile_input_is_validated();
    bad_activities_take_no_more_on_several_threads();
    a_long_text_is_held_twice_at_most();
    many_activities_take_what_ten_thousand_take();

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

/// A file of so many valid activities, each under an identifier of its own; never in memory.
struct Numbered {
    n: u64,
    last: u64,
    piece: String,
    at: usize,
}

impl Numbered {
    fn new(last: u64) -> Self {
        Self {
            n: 0,
            last,
            piece: "<iati-activities version='2.03'>".to_owned(),
            at: 0,
        }
    }
}

impl Read for Numbered {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.at == self.piece.len() {
            self.n += 1;
            self.at = 0;
            self.piece.clear();
            let n = self.n;
            if n <= self.last {
                self.piece.push_str(&format!(
                    "<iati-activity><iati-identifier>XX-{n}</iati-identifier>\
                     <reporting-org ref='XX' type='22'><narrative>Wells</narrative></reporting-org>\
                     <title><narrative>W</narrative></title><description><narrative>Deep</narrative></description>\
                     <participating-org role='4'/><activity-status code='2'/>\
                     <activity-date type='2' iso-date='2024-01-01'/></iati-activity>\n"
                ));
            } else if n == self.last + 1 {
                self.piece.push_str("</iati-activities>");
            }
        }
        let n = (&self.piece.as_bytes()[self.at..]).read(into)?;
        self.at += n;
        Ok(n)
    }
}

/// Reading, writing and validating: the peaks lie within 2 MB of each other. `cargo xtask ceilings` does it with a million.
fn many_activities_take_what_ten_thousand_take() {
    type Work = fn(u64);
    let works: [(&str, Work); 3] = [
        ("read", |n| {
            let (counts, ..) = read(Numbered::new(n));
            assert_eq!(counts.n_read, n);
        }),
        ("written", |n| {
            let options = ExportOptions::default();
            let summary = export(&mut Many(n, 0), io::sink(), &options, &mut |_| {}).unwrap();
            assert_eq!(summary.n_activities, n);
        }),
        ("validated", |n| {
            let summary = validate(Numbered::new(n), &Options::default(), &mut |_| {});
            assert_eq!((summary.n_subjects, summary.n_critical), (n, 0));
        }),
    ];
    for (what, work) in works {
        let peak = |n| peak_of(&ALLOCATOR, || work(n)).1;
        let (few, many) = (peak(10_000), peak(200_000));
        println!("{what}: 10,000 activities {few}, 200,000 activities {many}");
        assert!(many <= few + ByteSize::from_mib(2), "{what}: {few}, {many}");
    }
}

/// The validator has an answer to everything, in memory that does not grow with the input.
fn hostile_input_is_validated() {
    let mib = ByteSize::from_mib;
    let validated = |scenario: &str, limit, input: Repeated<'_>, expected: &str| {
        let (mut codes, mut n) = (BTreeSet::new(), 0_u64);
        let summary = check(scenario, limit, || {
            validate(input, &Options::default(), &mut |group| {
                n += group.findings.len() as u64 + group.n_left_out;
                codes.extend(group.findings.into_iter().map(|finding| finding.code));
            })
        });
        assert!(codes.contains(expected), "{scenario}: {codes:?}");
        assert_eq!(n, summary.n_critical + summary.n_error + summary.n_warning);
        assert_eq!(summary.n_subjects, 2, "{scenario}");
    };
    let n = 120_000_000 / TRANSACTION.len() as u64;
    validated(
        "validating one activity of 120 MB",
        mib(48), // what the rules keep of an activity, 16 MiB, and the room it grew in
        Repeated::new(HEAD, TRANSACTION, n, TAIL),
        "rules-too-large",
    );
    let inside = |element: &str| (format!("{HEAD}<{element}>"), format!("</{element}>{TAIL}"));
    for (element, expected) in [
        ("iati-identifier", "rules-too-large"),
        ("activity-website", "schema-unknown-element"),
        ("no-such-element", "schema-unknown-element"),
    ] {
        let (head, tail) = inside(element);
        let scenario = format!("validating 100 MB in <{element}>");
        let input = Repeated::new(&head, "abcdefghij", 10_000_000, &tail);
        validated(&scenario, mib(40), input, expected);
    }
    let laughs = "<!DOCTYPE x [<!ENTITY a 'ha'><!ENTITY b '&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;'>]>\n";
    let external = "<!DOCTYPE x [<!ENTITY b SYSTEM 'file:///etc/passwd'>]>\n";
    let encoded = "<?xml version='1.0' encoding='klingon'?>\n";
    for (scenario, before, piece, expected) in [
        ("a million laughs", laughs, "&b;", "xml-undefined-entity"),
        (
            "a million external entities",
            external,
            "&b;",
            "xml-undefined-entity",
        ),
        ("a million NUL bytes", "", "\0", "xml-forbidden-character"),
        ("an unknown encoding", encoded, "x", "xml-unknown-encoding"),
    ] {
        let head = format!("{before}{HEAD}<description><narrative>");
        let tail = format!("</narrative></description>{TAIL}");
        let input = || Repeated::new(&head, piece, 1_000_000, &tail);
        validated(
            &format!("validating {scenario}"),
            mib(16),
            input(),
            expected,
        );
        // A megabyte of references that nobody defined is passed on as text, more than twice as long, beside what was read.
        let (counts, _, ended) = check(&format!("reading {scenario}"), mib(20), || read(input()));
        assert_eq!((counts.n_read, ended.as_str()), (2, ""), "{scenario}");
        assert!(counts.n_findings > 0, "{scenario}");
    }
    let (head, tail) = (
        format!("{HEAD}<contact-info><website>"),
        format!("</website></contact-info>{TAIL}"),
    );
    validated(
        "validating 100 MB of address",
        mib(6),
        Repeated::new(&head, "abcdefghij", 10_000_000, &tail),
        "schema-bad-value",
    );
    validated(
        "validating 10,000 nested elements",
        mib(2),
        Repeated::new(
            HEAD,
            "<a>",
            10_000,
            &format!("{}{TAIL}", "</a>".repeat(10_000)),
        ),
        "over-limit",
    );
    validated(
        "validating a million attributes",
        mib(2),
        Repeated::new(
            &format!("{HEAD}<title"),
            " a='1'",
            1_000_000,
            &format!("/>{TAIL}"),
        ),
        "over-limit",
    );
    validated(
        "validating a million attributes of an activity",
        mib(2),
        Repeated::new(
            "<iati-activities version='2.03'><iati-activity",
            " a='1'",
            1_000_000,
            FOLLOWED,
        ),
        "over-limit",
    );
}

/// Reading and writing a text of 15 MB.
fn a_long_text_is_held_twice_at_most() {
    let (head, tail) = (
        format!("{HEAD}<description><narrative>"),
        format!("</narrative></description>{TAIL}"),
    );
    let long = || Repeated::new(&head, "abcdefghij", 1_500_000, &tail);
    let mib = ByteSize::from_mib;
    let (counts, ..) = check("reading 15 MB in one text", mib(36), || read(long()));
    assert_eq!((counts.n_read, counts.n_skipped), (2, 0));

    let mut reader = ActivityReader::new(long());
    let mut description = None;
    while let Some(event) = reader.next_event().unwrap() {
        if let Event::Element(element @ ActivityElement::Description(_), _) = event {
            description = Some(element);
        }
    }
    let description = description.unwrap();
    let xml = check("15 MB as a fragment", mib(36), || description.to_xml());
    let again = check("a fragment of 15 MB read back", mib(36), || {
        ActivityElement::from_xml(&xml).unwrap()
    });
    assert!(again == description, "it is the same");

    let (head, tail) = (
        head.replace("2.03", "1.05").replace("<narrative>", ""),
        tail.replace("</narrative>", ""),
    );
    let (counts, ..) = check("upgrading 15 MB in one text", mib(52), || {
        read(Repeated::new(&head, "abcdefghij", 1_500_000, &tail))
    });
    assert_eq!((counts.n_read, counts.n_skipped), (2, 0));
}

/// Threads hold back what they found until it is its turn, and that is bounded.
fn bad_activities_take_no_more_on_several_threads() {
    // Nothing but findings: more than a hundred thousand.
    let activity = "<iati-activity><no-such/></iati-activity>\n";
    let n = 40_000;
    let input = Repeated::new(
        "<iati-activities version='2.03'>",
        activity,
        n,
        "</iati-activities>",
    );
    let two = NonZero::new(2).unwrap();
    let mut n_shown = 0_u64;
    let limit = ByteSize::from_mib(8);
    let summary = check("bad activities on two threads", limit, || {
        validate_parallel(input, &Options::default(), two, &mut |_| n_shown += 1)
    });
    assert_eq!((summary.n_subjects, n_shown), (n, n));
}

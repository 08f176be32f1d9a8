use super::*;

/// The groups as lines: identifier, title, codes.
fn groups(xml: &str) -> (Vec<String>, Summary) {
    let mut lines = Vec::new();
    let summary = validate(
        xml.as_bytes(),
        &Options {
            rules: None,
            ..Options::default()
        },
        &mut |group| {
            let codes: Vec<_> = group
                .findings
                .iter()
                .map(|f| format!("{}@{}", f.code, f.line()))
                .collect();
            lines.push(format!(
                "{}|{}|{}",
                group.identifier,
                group.title,
                codes.join(" ")
            ));
        },
    );
    (lines, summary)
}

#[test]
fn findings_belong_to_their_activity() {
    let (lines, summary) = groups(
        "<iati-activities version='2.03' wrong=''>
        <iati-activity><iati-identifier> A-1 </iati-identifier><title><narrative>One</narrative><narrative>Un</narrative></title></iati-activity>
        <iati-activity><iati-identifier>A-2</iati-identifier></iati-activity>
        </iati-activities>",
    );
    assert_eq!(
        lines,
        [
            "A-1|One|schema-unexpected-element@2",
            "A-2||schema-missing-element@3",
            "file|File level errors|schema-unknown-attribute@1"
        ]
    );
    assert_eq!(
        (summary.n_critical, summary.n_subjects, summary.is_valid()),
        (3, 2, false)
    );
}

#[test]
fn white_space_between_pieces_of_a_text_counts() {
    let (lines, _) = groups(
        "<iati-activities version='2.03'>
        <iati-activity><iati-identifier><![CDATA[A-1]]> <![CDATA[2]]></iati-identifier>
        <title><narrative>One<!-- x --> <!-- y -->two</narrative></title>
        <crs-add><channel-code> <!-- x -->21039</channel-code></crs-add></iati-activity>
        </iati-activities>",
    );
    assert_eq!(
        lines,
        ["A-1 2|One two|schema-unexpected-element@3 9.16.1@4"]
    );
}

#[test]
fn broken_xml_is_a_finding_and_what_came_before_is_kept() {
    let (lines, summary) =
        groups("<iati-activities version='2.03'>\n<iati-activity><title/>\n</oops>");
    assert_eq!(
        lines,
        [
            "||schema-unexpected-element@2 schema-missing-element@2",
            "file|File level errors|xml-not-well-formed@3"
        ]
    );
    assert!(summary.is_cut_short);
    let (lines, _) = groups("no XML at all");
    assert_eq!(lines, ["file|File level errors|xml-not-well-formed@1"]);
}

#[test]
fn more_findings_than_fit_are_counted() {
    let attributes: String = (0..20).map(|n| format!(" a{n}=''")).collect();
    let xml = format!(
        "<iati-activities version='2.03'><iati-activity{attributes}></iati-activity></iati-activities>"
    );
    let options = Options {
        findings_max: 5,
        rules: None,
        ..Options::default()
    };
    let mut seen = Vec::new();
    let summary = validate(xml.as_bytes(), &options, &mut |group| {
        seen.push((group.findings.len(), group.n_left_out));
    });
    assert_eq!((seen, summary.n_critical), (vec![(5, 16)], 21));
}

#[test]
fn schema_codelists_and_rules_are_checked_in_one_reading() {
    let xml = "<iati-activities version='2.03'>
        <iati-activity default-currency='EUR' xml:lang='en'><iati-identifier>A-1</iati-identifier>
        <activity-status code='77'/>
        <activity-date type='1' iso-date='2024-02-01'/><activity-date type='3' iso-date='2024-01-01'/>
        </iati-activity>
        <iati-activity><iati-identifier>A-1</iati-identifier></iati-activity></iati-activities>";
    let mut codes = Vec::new();
    let summary = validate(xml.as_bytes(), &Options::default(), &mut |group| {
        codes.extend(
            group
                .findings
                .iter()
                .map(|f| format!("{}@{}", f.code, f.line())),
        );
    });
    for expected in [
        "schema-unexpected-element@3",
        "9.5.1@3",
        "11.1.2@4",
        "1.1.2@6",
    ] {
        assert!(
            codes.iter().any(|code| code == expected),
            "{expected} is not among {codes:?}"
        );
    }
    assert!(summary.n_critical > 0 && summary.n_error > 0 && summary.n_warning > 0);
    let old = xml.replace("2.03", "1.05");
    let mut codes = Vec::new();
    validate(old.as_bytes(), &Options::default(), &mut |group| {
        codes.extend(group.findings.into_iter().map(|f| f.code));
    });
    assert!(
        codes
            .iter()
            .all(|code| code.starts_with("schema-") || code == "1.1.2"),
        "rules are for 2.01 on: {codes:?}"
    );
}

#[test]
fn what_stands_before_a_tag_is_not_its_own() {
    let deep = "<a>".repeat(200) + &"</a>".repeat(200);
    let file = format!(
        "<?xml version='1.0' foo='1'?><iati-activities version='2.03'><!-- -- -->\
         <iati-activity>{deep}<title><!-- -- -->\x01</title></iati-activity></iati-activities><?a+b?>"
    );
    let mut paths = Vec::new();
    let _summary = validate(file.as_bytes(), &Options::default(), &mut |group| {
        for finding in group.findings {
            if finding.code.starts_with("xml-") || finding.code == "over-limit" {
                paths.push(format!(
                    "{} {}",
                    finding.code,
                    finding.path.replace("/a", "")
                ));
            }
        }
    });
    paths.sort();
    assert_eq!(
        paths,
        [
            "over-limit iati-activities/iati-activity",
            "xml-bad-instruction ",
            "xml-bad-instruction ",
            "xml-forbidden-character iati-activities/iati-activity/title",
            "xml-hyphens-in-comment iati-activities",
            "xml-hyphens-in-comment iati-activities/iati-activity/title",
        ]
    );
}

/// What is shown of a file, and the numbers.
type Shown = (Vec<Group>, Summary);

fn shown(read: impl FnOnce(&mut dyn FnMut(Group)) -> Summary) -> Shown {
    let mut groups = Vec::new();
    let summary = read(&mut |group| groups.push(group));
    (groups, summary)
}

/// Holds several threads with small parts to one.
#[track_caller]
fn check_in_parts(file: &[u8], what: &str) {
    check_in_parts_of(file, &[64, 1000, 30_000], what);
}

#[track_caller]
fn check_in_parts_of(file: &[u8], sizes: &[usize], what: &str) {
    let options = Options::default();
    let alone = shown(|sink| validate(file, &options, sink));
    for &part_bytes in sizes {
        let together =
            shown(|sink| parallel::in_parts(&mut { file }, &options, 3, part_bytes, sink));
        assert!(alone == together, "{what} in parts of {part_bytes}");
    }
}

#[test]
fn several_threads_find_what_one_finds() {
    let activity = |id: &str, inside: &str| {
        format!("<iati-activity>\n<iati-identifier>{id}</iati-identifier>{inside}</iati-activity>")
    };
    let many = |inside: &str| -> String {
        (0..40)
            .map(|n| activity(&format!("A-{n}"), inside) + "\n  ")
            .collect()
    };
    let bad = many("<activity-status code='99'/><no-such/>");
    for (what, middle) in [
        ("nothing else", String::new()),
        ("a repeated identifier", activity("A-3", "")),
        ("an extension", "<x:y xmlns:x='u'/>".to_owned()),
        ("stray text", "stray".to_owned()),
        ("an unknown element", "<nothing/>".to_owned()),
        ("a comment", format!("<!-- {} -->", activity("B", ""))),
        ("a comment with hyphens", "<!-- -- -->".to_owned()),
        ("a forbidden character", "&#1;\u{1}".to_owned()),
        (
            "a nested root",
            format!("<iati-activities>{}</iati-activities>", many("")),
        ),
        ("broken XML", "<a></b>".to_owned()),
        ("an early end", "</iati-activities>".to_owned()),
        (
            "a second root",
            "</iati-activities><iati-activities>".to_owned(),
        ),
        (
            "a deep activity",
            format!("<other>{}</other>", many("<title/>")),
        ),
        (
            "an element over a limit",
            "<a>".repeat(200) + &"</a>".repeat(200),
        ),
        ("much white space", " ".repeat(100) + "<title/>"),
        ("an end tag with a gap", format!("<title></title{}>", " ".repeat(2_000))),
        ("an end tag without an end", format!("<title></title{}", "x".repeat(200_000))),
        (
            "an identifier in pieces",
            "<iati-activity><iati-identifier><![CDATA[A-1]]> <![CDATA[2]]></iati-identifier></iati-activity>"
                .to_owned(),
        ),
    ] {
        for root in [
            "<?xml version='1.0'?>\n<iati-activities version='2.03'>\n",
            "<iati-activities version='1.05' xmlns:z='v'><!-- x -->",
            "<iati-activities nothing=''>",
            "<!-- <iati-activity > --><iati-activities version='2.02'> ",
            "<iati-activities version='1.05'><x:y xmlns:x='u'><iati-identifier zz=''/></x:y>",
            "<iati-activities version='2.03'><!-- -- --><?b+ c?>",
            "<other>",
        ] {
            let file = format!("{root}{bad}{middle}{bad}</iati-activities>");
            check_in_parts(file.as_bytes(), &format!("{what} in {root}"));
        }
    }
    let deep = "<a>".repeat(200) + &"</a>".repeat(200);
    let over_limit = format!("<iati-activities version='2.03'>{deep}{bad}</iati-activities>");
    check_in_parts(
        over_limit.as_bytes(),
        "an element over a limit before all activities",
    );
    let full = "<iati-activity/>".repeat(3_000);
    let full = format!("<iati-activities version='2.03'>{bad}{full}{bad}</iati-activities>");
    check_in_parts(full.as_bytes(), "more findings than are held");
    check_in_parts(b"", "nothing");
    check_in_parts(b"<iati-activities version='2.03'/>", "no activity");
    check_in_parts(bad.as_bytes(), "no root");
    let cut = format!("<iati-activities version='2.03'>{bad}<iati-activity><title>");
    check_in_parts(cut.as_bytes(), "cut short");
    let mut zip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut zip, cut.as_bytes()).unwrap();
    let zipped = zip.finish().unwrap();
    check_in_parts(&zipped, "zipped");
    check_in_parts(&zipped[..zipped.len() / 2], "a gzip stream cut in half");
    let mut twice = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut twice, &zipped).unwrap();
    check_in_parts(&twice.finish().unwrap(), "zipped twice");
    let wide: Vec<u8> = cut.encode_utf16().flat_map(u16::to_le_bytes).collect();
    check_in_parts(&wide, "UTF-16");
}

#[test]
fn several_threads_find_in_real_files_what_one_finds() {
    let Some(data) = rsr_testkit::iati_data() else {
        return rsr_testkit::left_out("real files in parts: no IATI data");
    };
    for entry in std::fs::read_dir(data.join("real")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "xml") {
            let open = || std::fs::File::open(&path).unwrap();
            let options = Options::default();
            let alone = shown(|sink| validate(open(), &options, sink));
            let together =
                shown(|sink| parallel::in_parts(&mut open(), &options, 2, 100_000, sink));
            assert!(alone == together, "{}", path.display());
        }
    }
}

#[test]
fn a_sink_that_panics_ends_all_threads() {
    let file = "<iati-activities version='2.03'>".to_owned() + &"<iati-activity/>".repeat(2_000);
    let told = std::panic::catch_unwind(|| {
        parallel::in_parts(
            &mut file.as_bytes(),
            &Options::default(),
            3,
            1_000,
            &mut |_| panic!("of the caller"),
        )
    });
    let fault = told.expect_err("the panic reaches the caller");
    assert_eq!(fault.downcast_ref(), Some(&"of the caller"));
}

/// Windows of the reader, and parts of the file, end anywhere in what is long.
#[test]
fn where_windows_end_changes_nothing() {
    let long = |open: &str, close: &str| {
        let piece = format!("{open}{}{close}\n", "a".repeat(1_000));
        piece.repeat(150)
    };
    let attributes: String = (0..300).map(|n| format!(" a{n}=''")).collect();
    let y = "y".repeat(9_000);
    let cases = [
        format!("<title>{}</title>", long("\x01", "")),
        format!("<title>{}</title>", long("\x01", "<!---->")),
        format!("<title/><q{attributes}>{}</q>", long("<b>\x01", "</b>")),
        format!("<title><!-- \x01{y} -- \x02 --></title>"),
        format!("<!-- \x01{y} \n--><title x='&#1;'></title>"),
    ];
    for (case, inside) in cases.iter().enumerate() {
        for pad in (0..140_000).step_by(20_011) {
            let pad = "x".repeat(pad);
            let file = format!(
                "<iati-activities version='1.05'>\n<iati-activity><!--{pad}--><title/></iati-activity>\
                 <iati-activity>{inside}</iati-activity><iati-activity><title/></iati-activity></iati-activities>"
            );
            let mut bytes = file.into_bytes();
            check_in_parts_of(&bytes, &[1_000, 1 << 19], &format!("case {case}"));
            // The same where it is the encoding that is wrong, now and then and always.
            for every in [3, 1] {
                let bad = bytes.iter_mut().filter(|b| **b == 1);
                bad.step_by(every).for_each(|b| *b = 0xff);
                check_in_parts_of(&bytes, &[1_000, 1 << 19], &format!("bytes of case {case}"));
            }
        }
    }
}

#[test]
fn elements_over_a_limit_that_touch_are_each_told() {
    let attributes: String = (0..300).map(|n| format!(" a{n}=''")).collect();
    let file = format!(
        "<iati-activities version='2.03'>{}</iati-activities>",
        format!("<iati-activity{attributes}/>").repeat(100)
    );
    let mut n_told = 0;
    let summary = validate(file.as_bytes(), &Options::default(), &mut |group| {
        let told = group.findings.iter();
        n_told += told.filter(|finding| finding.code == "over-limit").count();
    });
    assert_eq!((n_told, summary.n_subjects), (100, 100));
}

/// Where a character that is no UTF-8 stands is not moved by forbidden ones before it.
#[test]
fn what_is_wrong_is_found_where_it_stands() {
    let before = format!("<title>{}</title>", "\u{1}\n".repeat(50));
    let mut file = format!("<iati-activities version='2.03'><iati-activity>{before}<description>")
        .into_bytes();
    file.extend_from_slice(b"\xff</description></iati-activity></iati-activities>");
    let mut places = Vec::new();
    let _summary = validate(&file[..], &Options::default(), &mut |group| {
        let found = group.findings.iter();
        let found = found.filter(|finding| finding.code == "xml-wrong-encoding");
        places.extend(found.map(|finding| (finding.line(), finding.path.clone())));
    });
    let path = "iati-activities/iati-activity/description".to_owned();
    assert_eq!(places, [(51, path)]);
}

/// An encoding whose bytes below 128 mean now this, now that.
#[test]
fn what_cannot_be_cut_at_a_byte_is_read_whole() {
    let mut file =
        b"<?xml version='1.0' encoding='ISO-2022-JP'?><iati-activities version='1.05'>".to_vec();
    file.extend_from_slice(b"<iati-activity><!-- \x1b$B\n\x1b(J --></iati-activity>");
    for n in 0..60 {
        let activity = format!(
            "<iati-activity><iati-identifier>A\\{n}</iati-identifier><no-such/></iati-activity>"
        );
        file.extend_from_slice(activity.as_bytes());
    }
    file.extend_from_slice(b"</iati-activities>");
    check_in_parts(&file, "ISO-2022-JP");
}

/// The paths of what is found in deep elements with long names are long.
#[test]
fn findings_of_one_activity_are_kept_to_a_size() {
    let name = format!("x:{}", "a".repeat(1_000));
    let (open, close) = (
        format!("<{name}>").repeat(120),
        format!("</{name}>").repeat(120),
    );
    let titles = "<title zz=''/>".repeat(100);
    let activity = format!("<iati-activity>{open}{titles}{close}</iati-activity>");
    let root = "<iati-activities version='2.03' xmlns:x='u'>";
    let file = format!("{root}{activity}{activity}</iati-activities>");
    let mut n_bytes = Vec::new();
    let summary = validate(file.as_bytes(), &Options::default(), &mut |group| {
        n_bytes.push(group.findings.iter().map(run::held_bytes).sum::<usize>());
        assert!(
            group.n_left_out > 0 || n_bytes.len() > 2,
            "some are left out"
        );
    });
    assert!(summary.n_critical >= 200, "all are counted: {summary:?}");
    assert!(
        n_bytes
            .iter()
            .all(|n| *n < run::FINDINGS_BYTES_MAX + 200_000),
        "{n_bytes:?}"
    );
    check_in_parts(file.as_bytes(), "long paths");
}

/// Pieces of files; those that make trouble stand between those that a part may end with.
const PIECES: [&[u8]; 22] = [
    b"<iati-activity><iati-identifier>A</iati-identifier><title><narrative>T</narrative></title></iati-activity>",
    b"<iati-activity default-currency='X'><iati-identifier>B</iati-identifier></iati-activity>\n",
    b"<iati-activity>",
    b"</iati-activity>",
    b"\n\n",
    b"<title>",
    b"</title>",
    b"text",
    b"\x01",
    b"\xff\xfe",
    b"&#0;&nope;",
    b"<!-- <iati-activity></iati-activity> -->",
    b"<![CDATA[</iati-activity>]]>",
    b"<![CDATA[]]>",
    b"<?pi </iati-activity>?>",
    b"<x:y xmlns:x='urn:x'><iati-activity></iati-activity></x:y>",
    b"<no-such a='\x02>'/>",
    b"<a b='1' b='2'/>",
    b"</iati-activities>",
    b"<iati-activities>",
    b"<sector vocabulary='2' code='\xc3\xa9' percentage='50'/>",
    b"\xc3",
];

mod laws {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]

        #[test]
        fn several_threads_find_in_any_pieces_what_one_finds(
            order in prop::collection::vec(0_usize..PIECES.len(), 0..40),
            zip in any::<bool>(),
            cut in 0.0_f64..1.3,
            flip in prop::option::weighted(0.2, any::<prop::sample::Index>()),
            part_bytes in 16_usize..2_000,
        ) {
            let mut file = b"<iati-activities version='2.03'>\n".to_vec();
            for place in order {
                file.extend_from_slice(PIECES[place]);
            }
            file.extend_from_slice(b"</iati-activities>");
            if zip {
                let mut zip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
                std::io::Write::write_all(&mut zip, &file).unwrap();
                file = zip.finish().unwrap();
            }
            if let Some(at) = flip {
                let at = at.index(file.len());
                file[at] ^= 0x55;
            }
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "a share of a small number")]
            file.truncate((file.len() as f64 * cut) as usize);
            let options = Options::default();
            let alone = shown(|sink| validate(&file[..], &options, sink));
            let together = shown(|sink| parallel::in_parts(&mut &file[..], &options, 3, part_bytes, sink));
            prop_assert_eq!(alone, together);
        }

        /// Where a text of more than one piece is cut must not depend on how it came into the window.
        #[test]
        fn long_stray_text_is_quoted_alike_by_several_threads(
            before in 0_usize..40_000,
            n_blank in 0_usize..140_000,
            blank in prop::sample::select(vec![" ", "\n", "\t", "\r\n", "&#32;", "\u{e9}"]),
            is_cdata in any::<bool>(),
        ) {
            let text = format!("{}this has no place here, whatever comes", blank.repeat(n_blank / blank.len()));
            let text = if is_cdata { format!("<![CDATA[{text}]]>") } else { text };
            let padding = format!("<iati-activity><!--{}--></iati-activity>", "x".repeat(before));
            let stray = format!("<iati-activity><budget>{text}</budget></iati-activity>");
            let file = format!("<iati-activities version='2.03'>{padding}{stray}{padding}{stray}</iati-activities>");
            let options = Options::default();
            let alone = shown(|sink| validate(file.as_bytes(), &options, sink));
            let together = shown(|sink| parallel::in_parts(&mut file.as_bytes(), &options, 2, 1_000, sink));
            prop_assert_eq!(alone, together);
        }
    }
}

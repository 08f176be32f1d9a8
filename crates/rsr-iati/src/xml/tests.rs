//! Small cases of the cursor: what is accepted, what is noticed, what ends reading.

use std::fmt::Write as _;
use std::io::{Read, Write as _};

use super::{Limits, Reader, Token};

/// Reads to the end and writes down what was seen.
fn trace(input: impl Read) -> String {
    let limits = Limits {
        depth: 8,
        attributes: 4,
        name_bytes: 32,
        ..Limits::default()
    };
    let mut reader = Reader::with_limits(input, limits);
    let mut seen = String::new();
    loop {
        let token = reader.advance();
        for notice in reader.take_notices() {
            write!(seen, "!{} ", notice.kind.code()).unwrap();
        }
        match token {
            Ok(Token::Start) => {
                write!(seen, "<{}", reader.name()).unwrap();
                if let Some(namespace) = reader.namespace() {
                    write!(seen, "{{{namespace}}}").unwrap();
                }
                for attribute in reader.attributes() {
                    write!(seen, " {}={:?}", attribute.name, attribute.value).unwrap();
                }
                seen.push_str("> ");
            }
            Ok(Token::Text) if reader.text().is_empty() && seen.ends_with("\"\" ") => {}
            Ok(Token::Text) => write!(seen, "{:?} ", reader.text()).unwrap(),
            Ok(Token::End) => write!(seen, "</{}> ", reader.name()).unwrap(),
            Ok(Token::Done) => return seen + "done",
            Err(error) => {
                write!(seen, "error {error}").unwrap();
                return seen;
            }
        }
    }
}

/// A source that cannot be read.
struct Failing;

impl Read for Failing {
    fn read(&mut self, _into: &mut [u8]) -> std::io::Result<usize> {
        Err(std::io::Error::other("broken"))
    }
}

/// A source that gives a few bytes at a time.
struct Drip<'a>(&'a [u8], usize);

impl Read for Drip<'_> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let n = self.1.min(self.0.len()).min(into.len());
        let (now, later) = self.0.split_at(n);
        into[..n].copy_from_slice(now);
        self.0 = later;
        Ok(n)
    }
}

#[track_caller]
fn check(input: impl AsRef<[u8]>, expected: &str) {
    let input = input.as_ref();
    assert_eq!(trace(input), expected);
    assert_eq!(trace(Drip(input, 1)), expected, "one byte at a time");
}

#[test]
fn tags_text_and_attributes() {
    check("<a/>", "<a> </a> done");
    check(
        "<?xml version='1.0'?>\n<a b='1' c = \"2\" >x</a >\n",
        r#"<a b="1" c="2"> "x" </a> done"#,
    );
    check(
        "<a>x<!-- - > --><b/>y<?p q?></a>",
        r#"<a> "x" <b> </b> "y" </a> done"#,
    );
    check("<a b='x\ty\r\nz&#10;'/>", r#"<a b="x y z\n"> </a> done"#);
    check("<a>1\r\n2\r3\n</a>", r#"<a> "1\n2\n3\n" </a> done"#);
    check("<a>&lt;&amp;&#233;&#xE9;</a>", r#"<a> "<&éé" </a> done"#);
    check(
        "<a><![CDATA[<&amp;]]]]><![CDATA[>\r]]></a>",
        r#"<a> "<&amp;]]" ">\n" </a> done"#,
    );
    check("<a><![CDATA[]]></a>", r#"<a> "" </a> done"#);
    check(
        "<a><b>\u{1}</b><c d='\u{1}'/>\u{1}\u{1}</a>",
        r#"<a> <b> !xml-forbidden-character "�" </b> !xml-forbidden-character <c d="�"> </c> !xml-forbidden-character "��" </a> done"#,
    );
    check("<été/>", "<été> </été> done");
}

#[test]
fn namespaces() {
    check(
        "<a xmlns='u'><b xmlns=''/><c/></a>",
        "<a{u}> <b> </b> <c{u}> </c> </a> done",
    );
    check(
        "<a xmlns:p='u'><p:b p:c='1'/></a>",
        r#"<a> <p:b{u} p:c="1"> </p:b> </a> done"#,
    );
    check("<p:a/>", "!xml-undeclared-prefix <p:a> </p:a> done");
    check("<a xml:lang='fr'/>", r#"<a xml:lang="fr"> </a> done"#);
    check(
        "<a xmlns:p='u' xmlns:q='u' p:x='1' q:x='2'/>",
        "error line 1, column 36: not well-formed: the attribute q:x stands twice on one element",
    );
}

#[test]
fn what_is_survived_is_noticed() {
    check(
        "<a>x\u{1}y</a>",
        r#"<a> !xml-forbidden-character "x�y" </a> done"#,
    );
    check(
        "<a>&#0;</a>",
        r#"<a> !xml-forbidden-character "�" </a> done"#,
    );
    check(
        "<a b='&#xFFFF;'/>",
        r#"!xml-forbidden-character <a b="�"> </a> done"#,
    );
    check(
        "<a>&nbsp;</a>",
        r#"<a> !xml-undefined-entity "&nbsp;" </a> done"#,
    );
    check(b"<a>\xff</a>", r#"<a> !xml-wrong-encoding "�" </a> done"#);
    check(
        "<!DOCTYPE a [<!ENTITY x 'y>'>]><a>&x;</a>",
        r#"!xml-doctype <a> !xml-undefined-entity "&x;" </a> done"#,
    );
    check(
        " <?xml version='1.0'?><a/>",
        "!xml-late-declaration <a> </a> done",
    );
    for good in [
        "<?xml version='1.0'?>",
        "\u{feff}<?xml version = \"1.1\"\n encoding='utf-8' standalone='yes' ?>",
        "<?xml version='1.0' standalone='no'?><?b?><?c d='?'?><?xml-stylesheet href='x'?>",
    ] {
        check(format!("{good}<a/>"), "<a> </a> done");
    }
    check("<a/><?b?>", "<a> </a> done");
    // What was read before the input broke off comes before the trouble.
    let broken = Drip(b"<?xml version='1.0'?><?b?><a>", 7).chain(Failing);
    let mut reader = Reader::new(broken);
    assert_eq!(reader.advance().unwrap(), Token::Start);
    assert!(reader.advance().is_err(), "it cannot be read on");
    for bad in [
        "<?xml ?>",
        "<?xml vers ion='1.0'?>",
        "<?xml version='2.0'?>",
        "<?xml version=1.0?>",
        "<?xml version='1.0'encoding='utf-8'?>",
        "<?xml version='1.0' standalone='no' encoding='utf-8'?>",
        "<?xml version='1.0' standalone='maybe'?>",
        "<?xml version='1.0' more=''?>",
        "<?Xml version='1.0'?>",
        "<?xmlversion='1.0'?>",
        "<?b=c?>",
        "<!-- --><?b+ c?>",
    ] {
        check(format!("{bad}<a/>"), "!xml-bad-instruction <a> </a> done");
    }
    check(
        "<?xml version='1.0' encoding='klingon'?><a/>",
        "!xml-unknown-encoding <a> </a> done",
    );
    check(
        "<a><!-- x -- y --></a>",
        "<a> !xml-hyphens-in-comment </a> done",
    );
}

#[test]
fn what_is_not_well_formed_ends_reading_with_line_and_column() {
    check(
        "",
        "error line 1, column 1: not well-formed: this is not XML: there is no element in it",
    );
    check(
        "PK\u{3}",
        "error line 1, column 1: not well-formed: this is not XML: it does not begin with an element",
    );
    check(
        "<a>\n <b></a>",
        "<a> \"\\n \" <b> error line 2, column 5: not well-formed: the element b is closed by the end tag a",
    );
    check(
        "<a>\n",
        "<a> \"\\n\" error line 2, column 1: not well-formed: the input ends inside the element a",
    );
    check(
        "<a/><b/>",
        "<a> </a> error line 1, column 6: not well-formed: a second element after the end of the document",
    );
    check(
        "<a/>x",
        "<a> </a> error line 1, column 5: not well-formed: text after the end of the document",
    );
    check(
        "</a>",
        "error line 1, column 1: not well-formed: the end tag a closes nothing",
    );
    check(
        "<a b='1' b='2'/>",
        "error line 1, column 10: not well-formed: the attribute b stands twice on one element",
    );
    check(
        "<a b='<'/>",
        "error line 1, column 7: not well-formed: a < in an attribute value",
    );
    check(
        "<a b/>",
        "error line 1, column 4: not well-formed: an attribute has no value",
    );
    check(
        "<a b='1'c='2'/>",
        "error line 1, column 9: not well-formed: white space is expected before an attribute",
    );
    check(
        "<1/>",
        "error line 1, column 2: not well-formed: a name is expected here",
    );
    check(
        "<a>x & y</a>",
        "<a> error line 1, column 6: not well-formed: a bare &; write &amp;",
    );
    check(
        "<a>]]></a>",
        "<a> error line 1, column 4: not well-formed: ]]> stands outside of a CDATA section",
    );
    check(
        "<a><!-- x",
        "<a> error line 1, column 10: not well-formed: the input ends inside a comment",
    );
    check(
        "<a ",
        "error line 1, column 1: not well-formed: the input ends inside a tag",
    );
}

#[test]
fn an_element_over_a_limit_is_passed_over() {
    check(
        "<r><a b='' c='' d='' e='' f='>/'>x<a/><!-- </a> --><![CDATA[</a>]]></a><b/></r>",
        r#"<r> !over-limit "" <b> </b> </r> done"#,
    );
    check(
        format!("<r>{}{}<b/></r>", "<a>".repeat(9), "</a>".repeat(9)),
        &format!(
            r#"<r> {}!over-limit "" {}<b> </b> </r> done"#,
            "<a> ".repeat(7),
            "</a> ".repeat(7)
        ),
    );
    check(
        format!("<r><{}/>x</r>", "é".repeat(40)),
        r#"<r> !over-limit "" "x" </r> done"#,
    );
    check(
        format!("<r><a {}='1'/>x</r>", "b".repeat(40)),
        r#"<r> !over-limit "" "x" </r> done"#,
    );
    check(
        format!("<r><a xml:{}='1'/>x</r>", "b".repeat(30)),
        r#"<r> !over-limit "" "x" </r> done"#,
    );
    check(
        "<r><a b='' c='' d='' e='' f=''><b></r>",
        "<r> !over-limit \"\" error line 1, column 39: not well-formed: the input ends inside the element r",
    );
}

#[test]
fn the_notice_of_what_is_passed_over_says_where_and_why() {
    let limits = Limits {
        attributes: 1,
        ..Limits::default()
    };
    let mut reader = Reader::with_limits(&b"<r>\n <long b='' c=''/></r>"[..], limits);
    while reader.advance().unwrap() != Token::Done && !reader.has_notices() {}
    assert_eq!(reader.position().to_string(), "line 2, column 2");
    let notice = reader.take_notices().remove(0);
    assert_eq!(
        format!("{}: {}", notice.position, notice.kind),
        "line 2, column 2: the number of attributes of one element is over the limit of 1; <long> is passed over"
    );
}

#[test]
fn a_root_over_a_limit_ends_reading() {
    check(
        "<a b='' c='' d='' e='' f=''/>",
        "error line 1, column 24: the number of attributes of one element is over the limit of 4",
    );
    check(
        format!("<{}/>", "x".repeat(40)),
        "error line 1, column 2: the length of a name in bytes is over the limit of 32",
    );
}

#[test]
fn every_encoding_gives_the_same() {
    let text = "<?xml version='1.0'?><a>é€</a>";
    let expected = r#"<a> "é€" </a> done"#;
    let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
    check(text, expected);
    check([b"\xef\xbb\xbf", text.as_bytes()].concat(), expected);
    check([&[0xff, 0xfe], &little[..]].concat(), expected);
    check([&[0xfe, 0xff], &big[..]].concat(), expected);
    check(little, expected);
    check(big, expected);
    check(
        b"<?xml version='1.0' encoding='ISO-8859-1'?><a>\xe9\x80</a>",
        expected,
    );
}

#[test]
fn gzip_is_told_by_its_first_bytes() {
    let mut zip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    zip.write_all(b"<a>zip</a>").unwrap();
    let zipped = zip.finish().unwrap();
    check(&zipped, r#"<a> "zip" </a> done"#);
    let cut = trace(&zipped[..zipped.len() - 9]);
    assert!(
        cut.contains("error") && cut.contains("cannot be read"),
        "{cut}"
    );
}

#[test]
fn white_space_of_any_length_is_blank() {
    for (n, space) in (0..300).flat_map(|n| [(n, " "), (n, "\n"), (n, "\r\n")]) {
        let blank = space.repeat(n);
        let xml = format!("<a>{blank}<b/>{blank}x{blank}</a>");
        let mut reader = Reader::new(xml.as_bytes());
        let mut blanks = Vec::new();
        while reader.advance().unwrap() != Token::Done {
            if reader.token() == Token::Text {
                blanks.push((reader.is_blank(), reader.text().trim().is_empty()));
            }
        }
        let expected = if n == 0 { 1 } else { 2 };
        assert_eq!(blanks.len(), expected, "{n} of {space:?}");
        assert!(
            blanks.iter().all(|(is, has_to)| is == has_to),
            "{n} of {space:?}"
        );
        // Whoever takes no notice of it sees none.
        let mut reader = Reader::new(xml.as_bytes());
        let mut n_texts = 0;
        while reader.advance_past_blanks().unwrap() != Token::Done {
            n_texts += usize::from(reader.token() == Token::Text && !reader.is_blank());
        }
        assert_eq!(n_texts, 1, "{n} of {space:?}");
    }
}

#[test]
fn an_end_tag_is_looked_through_as_far_however_it_comes() {
    let limits = Limits::default();
    for (n, is_good) in [
        (1_000, true),
        (1_080, true),
        (1_100, false),
        (70_000, false),
    ] {
        let xml = format!("<a>{}</a{}>", "x".repeat(100), " ".repeat(n));
        let read_to_end = |mut reader: Reader<&[u8]>| {
            loop {
                match reader.advance() {
                    Ok(Token::Done) => return true,
                    Ok(_) => {}
                    Err(_) => return false,
                }
            }
        };
        assert_eq!(
            read_to_end(Reader::with_limits(xml.as_bytes(), limits)),
            is_good,
            "{n}"
        );
        assert_eq!(read_to_end(Reader::whole(xml)), is_good, "{n} at once");
    }
}

#[test]
fn long_text_comes_in_pieces_and_nothing_is_lost() {
    let long = "ab]]&amp;\r\n".repeat(40_000);
    let mut reader = Reader::new(std::io::Cursor::new(format!("<a>{long}</a>")));
    let mut text = String::new();
    while reader.advance().unwrap() != Token::Done {
        text.push_str(reader.text());
    }
    assert_eq!(text, "ab]]&\n".repeat(40_000));
}

#[test]
fn positions_are_those_of_libxml2() {
    let mut reader = Reader::new(&b"<a>\r\n\r<b\n c='1'>\n</b></a>"[..]);
    let mut lines = Vec::new();
    while reader.advance().unwrap() != Token::Done {
        if reader.token() == Token::Start {
            let (from, to) = (reader.position(), reader.end_position());
            lines.push((
                reader.name().to_owned(),
                from.line,
                from.column,
                to.line,
                from.offset,
            ));
        }
    }
    assert_eq!(
        lines,
        [("a".to_owned(), 1, 1, 1, 0), ("b".to_owned(), 2, 2, 3, 6)]
    );
}

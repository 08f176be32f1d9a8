//! The files. Each is written a piece at a time: most are larger than the memory that is allowed.

use std::io::{self, Write};

use flate2::Compression;
use flate2::write::GzEncoder;

const OPEN: &str = "<?xml version=\"1.0\"?>\n<iati-activities version=\"2.03\">\n";
const BAD: &str = "<iati-activity>\n<iati-identifier>XX-BAD</iati-identifier>\n";
/// Ends the bad activity; a good one follows.
const GOOD: &str = "\n</iati-activity>\n<iati-activity default-currency=\"EUR\">
<iati-identifier>XX-GOOD</iati-identifier>
<reporting-org ref=\"XX\" type=\"22\"><narrative>Wells for All</narrative></reporting-org>
<title><narrative>Wells</narrative></title>
<description><narrative>Deep.</narrative></description>
<participating-org role=\"4\" type=\"22\"><narrative>Wells for All</narrative></participating-org>
<activity-status code=\"2\"/>
<activity-date type=\"2\" iso-date=\"2024-01-01\"/>
</iati-activity>\n</iati-activities>\n";

/// A bad activity with `piece` so many times in it.
fn around(out: &mut dyn Write, before: &str, piece: &str, n: usize, after: &str) -> io::Result<()> {
    out.write_all(OPEN.as_bytes())?;
    out.write_all(BAD.as_bytes())?;
    repeated(out, before, piece, n, after)?;
    out.write_all(GOOD.as_bytes())
}

fn repeated(
    out: &mut dyn Write,
    before: &str,
    piece: &str,
    n: usize,
    after: &str,
) -> io::Result<()> {
    out.write_all(before.as_bytes())?;
    // Some thousand at once: a call for each would take longer than what is tested.
    let block = 4_096.min(n.max(1));
    let many = piece.repeat(block);
    for _ in 0..n / block {
        out.write_all(many.as_bytes())?;
    }
    out.write_all(piece.repeat(n % block).as_bytes())?;
    out.write_all(after.as_bytes())
}

/// A small file, as text.
fn small(declaration: &str, narrative: &str) -> String {
    format!(
        "{declaration}\n<iati-activities version=\"2.03\">\n{BAD}\
         <description><narrative>{narrative}</narrative></description>{GOOD}"
    )
}

pub(super) fn laughs(out: &mut dyn Write) -> io::Result<()> {
    let mut bomb =
        String::from("<?xml version=\"1.0\"?>\n<!DOCTYPE iati-activities [<!ENTITY a0 \"boom\">\n");
    for n in 1..20 {
        let below = format!("&a{};", n - 1).repeat(10);
        bomb.push_str(&format!("<!ENTITY a{n} \"{below}\">\n"));
    }
    bomb.push_str("]>");
    out.write_all(small(&bomb, "&a19;").as_bytes())
}

pub(super) fn external(out: &mut dyn Write) -> io::Result<()> {
    let declaration = "<!DOCTYPE iati-activities [<!ENTITY a SYSTEM \"file:///etc/passwd\">\n\
                       <!ENTITY % b SYSTEM \"http://127.0.0.1:1/x.dtd\"> %b; ]>";
    out.write_all(small(declaration, "&a;").as_bytes())
}

pub(super) fn huge_activity(out: &mut dyn Write) -> io::Result<()> {
    let transaction = "<transaction><transaction-type code=\"3\"/><transaction-date iso-date=\"2020-01-01\"/>\
                       <value value-date=\"2020-01-01\">100.00</value></transaction>\n";
    around(out, "", transaction, 120_000_000 / transaction.len(), "")
}

pub(super) fn huge_text(out: &mut dyn Write) -> io::Result<()> {
    let (before, after) = ("<description><narrative>", "</narrative></description>");
    around(out, before, "ten bytes ", 10_000_000, after)
}

/// As long as a text may be, nearly.
pub(super) fn long_text(out: &mut dyn Write) -> io::Result<()> {
    let (before, after) = ("<description><narrative>", "</narrative></description>");
    around(out, before, "ten bytes ", 1_500_000, after)
}

pub(super) fn deep(out: &mut dyn Write) -> io::Result<()> {
    around(out, "", "<x>", 10_000, &"</x>".repeat(10_000))
}

/// What is found has paths of 120 KB.
pub(super) fn long_paths(out: &mut dyn Write) -> io::Result<()> {
    let name = format!("x:{}", "a".repeat(1_000));
    let before = format!("<{name} xmlns:x=\"u\">") + &format!("<{name}>").repeat(119);
    let after = format!("</{name}>").repeat(120);
    around(out, &before, "<title zz=\"\"/>", 20_000, &after)
}

pub(super) fn attributes(out: &mut dyn Write) -> io::Result<()> {
    around(out, "<title", " a=\"1\"", 1_000_000, "/>")
}

pub(super) fn own_attributes(out: &mut dyn Write) -> io::Result<()> {
    out.write_all(OPEN.as_bytes())?;
    repeated(out, "<iati-activity", " a=\"1\"", 1_000_000, ">")?;
    out.write_all(GOOD.as_bytes())
}

pub(super) fn nothing_but_spaces(out: &mut dyn Write) -> io::Result<()> {
    let mut zip = GzEncoder::new(out, Compression::fast());
    repeated(&mut zip, "", "                ", 16 << 20, "")?;
    zip.finish().map(drop)
}

pub(super) fn bomb(out: &mut dyn Write) -> io::Result<()> {
    let mut zip = GzEncoder::new(out, Compression::fast());
    let (before, after) = ("<description><narrative>", "</narrative></description>");
    around(&mut zip, before, "                ", 16 << 20, after)?;
    zip.finish().map(drop)
}

/// Ends in the middle of the compressed stream, behind the first activity.
pub(super) fn truncated(out: &mut dyn Write) -> io::Result<()> {
    let mut zip = GzEncoder::new(Vec::new(), Compression::fast());
    zip.write_all(
        small("", "short")
            .replace("</iati-activities>", "")
            .as_bytes(),
    )?;
    // What does not repeat, so that the cut lies in it.
    let mut noise = rsr_testkit::Seeded::new(7);
    for _ in 0..10_000 {
        write!(zip, "<!-- {} -->", noise.below(u64::MAX))?;
    }
    zip.write_all(b"</iati-activities>")?;
    let whole = zip.finish()?;
    out.write_all(whole.get(..whole.len() - 5_000).unwrap_or_default())
}

fn utf16(text: &str, mark: bool) -> Vec<u8> {
    let mark = if mark { "\u{feff}" } else { "" };
    format!("{mark}{text}")
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect()
}

pub(super) fn utf16_with_mark(out: &mut dyn Write) -> io::Result<()> {
    let declaration = "<?xml version=\"1.0\" encoding=\"UTF-16\"?>";
    out.write_all(&utf16(&small(declaration, "Grüße"), true))
}

pub(super) fn utf16_without_mark(out: &mut dyn Write) -> io::Result<()> {
    let declaration = "<?xml version=\"1.0\" encoding=\"UTF-16LE\"?>";
    out.write_all(&utf16(&small(declaration, "Grüße"), false))
}

pub(super) fn latin1(out: &mut dyn Write) -> io::Result<()> {
    let text = small(
        "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>",
        "Gr\u{fc}\u{df}e",
    );
    let bytes: Vec<u8> = text
        .chars()
        .map(|c| u8::try_from(u32::from(c)).unwrap_or(b'?'))
        .collect();
    out.write_all(&bytes)
}

pub(super) fn wrong_bytes(out: &mut dyn Write) -> io::Result<()> {
    let text = small("<?xml version=\"1.0\" encoding=\"UTF-8\"?>", "Gr@@e");
    let bytes: Vec<u8> = text
        .bytes()
        .map(|b| if b == b'@' { 0xfc } else { b })
        .collect();
    out.write_all(&bytes)
}

pub(super) fn zeros(out: &mut dyn Write) -> io::Result<()> {
    let (before, after) = ("<description><narrative>", "</narrative></description>");
    around(out, before, "\0", 1_000_000, after)
}

pub(super) fn empty(_out: &mut dyn Write) -> io::Result<()> {
    Ok(())
}

pub(super) fn no_xml(out: &mut dyn Write) -> io::Result<()> {
    repeated(out, "", "id,title,amount\n1,Wells,5\n", 100_000, "")
}

pub(super) fn binary(out: &mut dyn Write) -> io::Result<()> {
    let mut noise = rsr_testkit::Seeded::new(11);
    for _ in 0..1_000_000 {
        out.write_all(&noise.below(u64::MAX).to_le_bytes())?;
    }
    Ok(())
}

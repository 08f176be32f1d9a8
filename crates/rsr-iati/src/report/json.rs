//! The official validator's report, written while the file is read.

use std::collections::BTreeMap;
use std::io::{self, Write};

use crate::schema::FileKind;
use crate::validate::{Group, Summary};

use super::{Finding, explain};

/// Writes one JSON object on one line: `errors` by activity, then category, then code; then `summary` and `valid`, which are known
/// at the end.
///
/// Every entry of an activity has `identifier`, `title` and `errors` by category; an error has `id`, `severity`,
/// `message` and a `context` entry for each place with `text`, `line` and `path`.
/// **Source:** `validationReport.schema.json` of the official validator; the keys about its own deployment are left out.
#[derive(Debug)]
pub struct JsonReport<W> {
    out: W,
    file: Option<String>,
    n_groups: u64,
    trouble: Option<io::Error>,
}

/// The findings of one code in one category.
type ByCode<'g> = BTreeMap<&'g str, Vec<&'g Finding>>;

impl<W: Write> JsonReport<W> {
    /// A report that is written to `out`.
    pub fn new(out: W) -> Self {
        Self {
            out,
            file: None,
            n_groups: 0,
            trouble: None,
        }
    }

    /// Adds a first key `file` with this name, for reports on several files, an object a line each.
    #[must_use]
    pub fn about(mut self, file: impl Into<String>) -> Self {
        self.file = Some(file.into());
        self
    }

    /// What comes before the first group.
    fn open(&mut self) -> io::Result<()> {
        self.out.write_all(b"{")?;
        if let Some(file) = &self.file {
            self.out.write_all(b"\"file\":")?;
            string(&mut self.out, file)?;
            self.out.write_all(b",")?;
        }
        self.out.write_all(b"\"errors\":[")
    }

    /// Writes the findings of one group. Trouble with writing is told by [`finish`](Self::finish).
    pub fn group(&mut self, group: &Group) {
        if self.trouble.is_none() {
            self.trouble = self.write(group).err();
        }
    }

    /// Writes the end and gives the writer back.
    ///
    /// # Errors
    ///
    /// Writing failed, now or earlier; the report is not complete then.
    pub fn finish(mut self, summary: &Summary) -> io::Result<W> {
        if let Some(trouble) = self.trouble {
            return Err(trouble);
        }
        if self.n_groups == 0 {
            self.open()?;
        }
        let out = &mut self.out;
        let kind = match summary.kind {
            Some(FileKind::Activities) => "\"iati-activities\"",
            Some(FileKind::Organisations) => "\"iati-organisations\"",
            None => "null",
        };
        write!(out, "],\"fileType\":{kind},\"iatiVersion\":")?;
        match summary.version {
            Some(version) => string(out, version.as_str())?,
            None => write!(out, "null")?,
        }
        let Summary {
            n_critical,
            n_error,
            n_warning,
            ..
        } = summary;
        write!(
            out,
            ",\"summary\":{{\"critical\":{n_critical},\"error\":{n_error},\"warning\":{n_warning}}}"
        )?;
        writeln!(out, ",\"valid\":{}}}", summary.is_valid())?;
        out.flush()?;
        Ok(self.out)
    }

    fn write(&mut self, group: &Group) -> io::Result<()> {
        let mut categories = BTreeMap::<&str, ByCode<'_>>::new();
        for finding in &group.findings {
            categories
                .entry(&finding.category)
                .or_default()
                .entry(&finding.code)
                .or_default()
                .push(finding);
        }
        if self.n_groups == 0 {
            self.open()?;
        } else {
            self.out.write_all(b",")?;
        }
        let out = &mut self.out;
        self.n_groups += 1;
        out.write_all(b"{\"identifier\":")?;
        string(out, &group.identifier)?;
        out.write_all(b",\"title\":")?;
        string(out, &group.title)?;
        if group.n_left_out > 0 {
            write!(out, ",\"leftOut\":{}", group.n_left_out)?;
        }
        out.write_all(b",\"errors\":[")?;
        for (place, (category, codes)) in categories.iter().enumerate() {
            out.write_all(if place > 0 {
                b",{\"category\":"
            } else {
                b"{\"category\":"
            })?;
            string(out, category)?;
            out.write_all(b",\"errors\":[")?;
            for (place, findings) in codes.values().enumerate() {
                out.write_all(if place > 0 { b"," } else { b"" })?;
                error(out, findings)?;
            }
            out.write_all(b"]}")?;
        }
        out.write_all(b"]}")
    }
}

/// One code with all its places.
fn error(out: &mut impl Write, findings: &[&Finding]) -> io::Result<()> {
    let Some(first) = findings.first() else {
        return Ok(());
    };
    out.write_all(b"{\"id\":")?;
    string(out, &first.code)?;
    write!(out, ",\"severity\":\"{}\",\"message\":", first.severity)?;
    // The first line says the rule, the second its source.
    let rule = explain(&first.code);
    string(
        out,
        rule.as_deref()
            .and_then(|text| text.lines().next())
            .unwrap_or(&first.message),
    )?;
    if let Some(codelist) = &first.codelist {
        out.write_all(b",\"codelist\":")?;
        string(out, codelist)?;
    }
    out.write_all(b",\"context\":[")?;
    for (place, finding) in findings.iter().enumerate() {
        out.write_all(if place > 0 {
            b",{\"text\":"
        } else {
            b"{\"text\":"
        })?;
        string(out, &finding.message)?;
        write!(out, ",\"line\":{},\"path\":", finding.line())?;
        string(out, &finding.path)?;
        out.write_all(b"}")?;
    }
    out.write_all(b"]}")
}

/// A text as JSON writes it.
fn string(out: &mut impl Write, text: &str) -> io::Result<()> {
    out.write_all(b"\"")?;
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| c == '"' || c == '\\' || c < ' ') {
        let (plain, special) = rest.split_at_checked(at).unwrap_or((rest, ""));
        out.write_all(plain.as_bytes())?;
        let mut chars = special.chars();
        match chars.next() {
            Some('"') => out.write_all(b"\\\"")?,
            Some('\\') => out.write_all(b"\\\\")?,
            Some('\n') => out.write_all(b"\\n")?,
            Some(c) => write!(out, "\\u{:04x}", u32::from(c))?,
            None => {}
        }
        rest = chars.as_str();
    }
    out.write_all(rest.as_bytes())?;
    out.write_all(b"\"")
}

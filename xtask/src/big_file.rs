//! Makes files of any size out of real ones: every activity again and again, each time under a new identifier.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write};
use std::path::Path;

use anyhow::{Context, Result, ensure};

/// Activities of several files, ready to be written many times.
#[derive(Debug)]
pub struct Mould {
    /// Namespace declarations that any of the activities needs.
    namespaces: BTreeSet<String>,
    activities: Vec<String>,
}

impl Mould {
    /// Takes the activities of all valid version 2 files of a folder of real files.
    ///
    /// # Errors
    ///
    /// Names the folder or file that cannot be read, or says that there is none.
    pub fn of_folder(folder: &Path) -> Result<Self> {
        let listed =
            fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
        let mut paths: Vec<_> = listed
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<io::Result<_>>()?;
        paths.sort();
        let mut mould = Self {
            namespaces: BTreeSet::new(),
            activities: Vec::new(),
        };
        for path in paths {
            let name = path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            let is_version_2 = ["-2.01.xml", "-2.02.xml", "-2.03.xml"]
                .iter()
                .any(|end| name.ends_with(end));
            if is_version_2 && !name.contains("organisation") && !name.contains("invalid") {
                #[expect(
                    clippy::disallowed_methods,
                    reason = "real files are a few megabytes each"
                )]
                let text = fs::read_to_string(&path)
                    .with_context(|| format!("cannot read {}", path.display()))?;
                mould.add(&text);
            }
        }
        ensure!(
            !mould.activities.is_empty(),
            "{} holds no file of version 2",
            folder.display()
        );
        Ok(mould)
    }

    fn add(&mut self, text: &str) {
        let Some((_, rest)) = text.split_once("<iati-activities") else {
            return;
        };
        let Some((attributes, _)) = rest.split_once('>') else {
            return;
        };
        self.namespaces.extend(declarations(attributes));
        let mut rest = rest;
        while let Some(start) = rest
            .find("<iati-activity ")
            .or_else(|| rest.find("<iati-activity>"))
        {
            let (_, from) = rest.split_at(start);
            let Some(end) = from.find("</iati-activity>") else {
                return;
            };
            let (activity, after) = from.split_at(end + "</iati-activity>".len());
            self.activities.push(activity.to_owned());
            rest = after;
        }
    }

    /// How many activities one repetition has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.activities.len()
    }

    /// Whether there is nothing to repeat.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.activities.is_empty()
    }

    /// Writes a whole file of `times` repetitions; answers how many bytes it has.
    ///
    /// Identifiers get a suffix in every place where they name an activity, so that links between activities stay
    /// inside their repetition.
    ///
    /// # Errors
    ///
    /// Where the sink fails.
    pub fn write(&self, sink: impl Write, times: usize) -> io::Result<u64> {
        let mut sink = Counted { sink, written: 0 };
        sink.write_all(
            b"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<iati-activities version=\"2.03\"",
        )?;
        for declaration in &self.namespaces {
            write!(sink, " {declaration}")?;
        }
        sink.write_all(b">\n")?;
        for n in 0..times {
            let suffix = format!("-R{n}");
            for activity in &self.activities {
                sink.write_all(renamed(activity, &suffix).as_bytes())?;
                sink.write_all(b"\n")?;
            }
        }
        sink.write_all(b"</iati-activities>\n")?;
        sink.flush()?;
        Ok(sink.written)
    }
}

/// `xmlns:…="…"` declarations among the attributes of a start tag.
fn declarations(attributes: &str) -> impl Iterator<Item = String> {
    attributes.split("xmlns:").skip(1).filter_map(|part| {
        let quote = part.chars().find(|c| matches!(c, '"' | '\''))?;
        let mut pieces = part.splitn(3, quote);
        let (name, value) = (pieces.next()?, pieces.next()?);
        Some(format!(
            "xmlns:{}=\"{value}\"",
            name.trim().trim_end_matches('=').trim()
        ))
    })
}

fn renamed(activity: &str, suffix: &str) -> String {
    let mut text = activity.replace("</iati-identifier>", &format!("{suffix}</iati-identifier>"));
    let mut from = 0;
    while let Some(start) = text
        .get(from..)
        .and_then(|rest| rest.find("<related-activity"))
    {
        let tag = from + start;
        let end = text
            .get(tag..)
            .and_then(|rest| rest.find('>'))
            .map_or(text.len(), |length| tag + length);
        let reference = text
            .get(tag..end)
            .and_then(|rest| rest.find("ref=\""))
            .map(|at| tag + at + 5);
        let quote = reference.and_then(|at| text.get(at..end)?.find('"').map(|length| at + length));
        from = end;
        if let Some(at) = quote {
            text.insert_str(at, suffix);
            from += suffix.len();
        }
    }
    text
}

struct Counted<W> {
    sink: W,
    written: u64,
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.sink.write(bytes)?;
        self.written += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.sink.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_and_links_are_new_in_each_repetition() {
        let mut mould = Mould {
            namespaces: BTreeSet::new(),
            activities: Vec::new(),
        };
        mould.add(
            "<iati-activities version=\"2.03\" xmlns:x='urn:x'>\
             <iati-activity><iati-identifier>A</iati-identifier><related-activity type=\"1\" ref=\"B\"/></iati-activity>\
             </iati-activities>",
        );
        let mut file = Vec::new();
        let bytes = mould.write(&mut file, 2).unwrap();
        assert_eq!(bytes, file.len() as u64);
        let text = String::from_utf8(file).unwrap();
        assert!(text.contains("xmlns:x=\"urn:x\""), "{text}");
        for n in 0..2 {
            assert!(
                text.contains(&format!("<iati-identifier>A-R{n}</iati-identifier>")),
                "{text}"
            );
            assert!(text.contains(&format!("ref=\"B-R{n}\"")), "{text}");
        }
    }
}

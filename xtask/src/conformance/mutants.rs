//! Broken copies of real files: the verdict and the line of the first error, beside xmllint.
//!
//! Each mutant is some activities of one real file with one to three changes at random: elements deleted, repeated,
//! swapped, renamed, moved; attributes lost, renamed, filled with values that are nearly right; text where none belongs;
//! foreign elements, comments, references, single bytes. The same seed gives the same mutants. Those that are answered
//! otherwise stay in `target/mutants`.
#![expect(
    clippy::string_slice,
    clippy::indexing_slicing,
    reason = "places in a text are found by a search for ASCII characters in it"
)]

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};
use rsr_iati::validate::{Options, validate};

use super::pieces::{ATTRIBUTES, PIECES, VALUES};
use super::schema::{Verdict, check};
use super::{Disagreement, Suite, read, xml_files};

/// Activities of one mutant; more would only make it slower.
const ACTIVITIES_MAX: usize = 4;

/// Files that xmllint gets at once, so that it reads its schema once for all of them.
const BATCH: usize = 200;

/// The suite: `n` mutants from this seed.
pub(super) fn cases(data: &Path, root: &Path, n: usize, seed: u64) -> Result<Suite> {
    let sources = sources(data)?;
    let folder = root.join("target/mutants");
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| folder.display().to_string())?;
    }
    fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    let answered = ask(data, &folder, &sources, n, seed);
    Ok(Suite {
        name: "mutants-xmllint",
        about: "broken copies of real files: verdict, and line of the first error where it is well-formed, of `xmllint --schema`",
        n_cases: n,
        disagreements: answered?,
        details: Vec::new(),
    })
}

/// A real file, ready to be changed.
struct Source {
    name: String,
    text: String,
    /// What comes before the first activity.
    head: Range<usize>,
    activities: Vec<Range<usize>>,
}

fn sources(data: &Path) -> Result<Vec<Source>> {
    let mut sources = Vec::new();
    let mut paths = xml_files(&data.join("real"))?;
    paths.extend(
        xml_files(&data.join("examples"))?
            .into_iter()
            .filter(|path| {
                path.file_name()
                    .is_some_and(|name| name.to_string_lossy().contains("annotated"))
            }),
    );
    for path in paths {
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if name.contains("notwellformed") {
            continue;
        }
        let text = read(&path)?;
        let tag = if text.contains("<iati-organisation") {
            "iati-organisation"
        } else {
            "iati-activity"
        };
        let (open, close) = (format!("<{tag}"), format!("</{tag}>"));
        let mut activities = Vec::new();
        let mut from = 0;
        while let Some((start, _)) = text
            .get(from..)
            .unwrap_or_default()
            .match_indices(&open)
            .find(|(at, _)| {
                let after = text.as_bytes().get(from + at + open.len());
                after.is_some_and(|b| b.is_ascii_whitespace() || *b == b'>')
            })
        {
            let start = from + start;
            let Some(length) = text.get(start..).and_then(|rest| rest.find(&close)) else {
                break;
            };
            from = start + length + close.len();
            activities.push(start..from);
        }
        if let Some(first) = activities.first() {
            sources.push(Source {
                name,
                head: 0..first.start,
                activities,
                text,
            });
        }
    }
    Ok(sources)
}

fn ask(
    data: &Path,
    folder: &Path,
    sources: &[Source],
    n: usize,
    seed: u64,
) -> Result<Vec<Disagreement>> {
    let mut disagreements = Vec::new();
    for first in (0..n).step_by(BATCH) {
        let mut by_schema: BTreeMap<PathBuf, Vec<(PathBuf, Verdict, String)>> = BTreeMap::new();
        for i in first..n.min(first + BATCH) {
            let mut chance = Chance::new(seed, i);
            let source = chance.pick(sources);
            let path = folder.join(format!("{i}.xml"));
            let (text, changes) = mutant(source, &mut chance);
            fs::write(&path, text)?;
            let ours = check(&path, None)?;
            let kind = if ours.is_organisation {
                "organisations"
            } else {
                "activities"
            };
            let schema = data.join(format!("schemas/{}/iati-{kind}-schema.xsd", ours.version));
            by_schema.entry(schema).or_default().push((
                path,
                ours,
                format!("seed {seed}, {i} of {}: {changes}", source.name),
            ));
        }
        for (schema, files) in by_schema {
            let said = xmllint(&schema, files.iter().map(|(path, ..)| path))?;
            for (path, ours, case) in files {
                let theirs = said
                    .get(&*path.display().to_string())
                    .copied()
                    .unwrap_or(Theirs::Valid);
                let answers = differ(&path, &ours, theirs)?;
                match answers {
                    Some(answers) => disagreements.push(Disagreement {
                        case,
                        answers,
                        reason: None,
                    }),
                    None => fs::remove_file(&path)?,
                }
            }
        }
    }
    Ok(disagreements)
}

/// What differs between our answers and theirs, if anything does.
fn differ(path: &Path, ours: &Verdict, theirs: Theirs) -> Result<Option<String>> {
    let mut options = Options::default();
    options.codelists = false;
    options.rules = None;
    options.duplicates = false;
    let is_valid = validate(File::open(path)?, &options, &mut |_| {}).n_critical == 0;
    let agrees = match theirs {
        Theirs::Valid => ours.first.is_none(),
        Theirs::NotWellFormed(_) => ours.is_broken || !is_valid,
        Theirs::Invalid(line) => ours.first == Some(line),
    };
    Ok(if !agrees {
        Some(format!(
            "xmllint {theirs:?}, ours {:?}{}",
            ours.first,
            if ours.is_broken {
                " (not well-formed)"
            } else {
                ""
            }
        ))
    } else if is_valid != (theirs == Theirs::Valid) && ours.knows_version {
        Some(format!(
            "xmllint {theirs:?}, the validator says {}",
            if is_valid { "valid" } else { "invalid" }
        ))
    } else {
        None
    })
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Theirs {
    Valid,
    Invalid(u64),
    NotWellFormed(u64),
}

/// What xmllint says of files that it does not find valid.
fn xmllint<'p>(
    schema: &Path,
    files: impl Iterator<Item = &'p PathBuf>,
) -> Result<BTreeMap<String, Theirs>> {
    let output = Command::new("xmllint")
        .args(["--noout", "--nonet", "--schema"])
        .arg(schema)
        .args(files)
        .output()
        .context("xmllint does not run: install libxml2-utils")?;
    let mut said = BTreeMap::new();
    for line in String::from_utf8_lossy(&output.stderr).lines() {
        let mut parts = line.splitn(3, ':');
        let (Some(file), Some(number), Some(rest)) = (parts.next(), parts.next(), parts.next())
        else {
            continue;
        };
        let Ok(number) = number.parse() else { continue };
        let theirs = if rest.contains("Schemas validity error") {
            Theirs::Invalid(number)
        } else if rest.contains("parser error") || rest.contains("Failed to parse QName") {
            // It goes on after a name with two colons, which namespaces forbid, and may find the rest valid.
            Theirs::NotWellFormed(number)
        } else {
            continue;
        };
        said.entry(file.to_owned()).or_insert(theirs);
    }
    Ok(said)
}

/// Reproducible numbers: splitmix64.
struct Chance(u64);

impl Chance {
    fn new(seed: u64, case: usize) -> Self {
        Self(
            seed.wrapping_mul(0x9e37_79b9_7f4a_7c15)
                ^ (case as u64).wrapping_mul(0xd134_2543_de82_ef95),
        )
    }

    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % (n.max(1) as u64)).unwrap_or(0)
    }

    fn pick<'t, T>(&mut self, all: &'t [T]) -> &'t T {
        &all[self.below(all.len())]
    }
}

/// An element of a text: its start tag and the whole of it.
#[derive(Clone, Debug)]
struct Element {
    name: Range<usize>,
    tag: Range<usize>,
    all: Range<usize>,
    parent: Option<usize>,
}

/// Some activities of the source with one to three changes, and what was done.
fn mutant(source: &Source, chance: &mut Chance) -> (Vec<u8>, String) {
    let mut text = source
        .text
        .get(source.head.clone())
        .unwrap_or_default()
        .to_owned();
    let first = chance.below(source.activities.len());
    let n = 1 + chance.below(ACTIVITIES_MAX);
    for activity in source.activities.iter().skip(first).take(n) {
        text.push_str(source.text.get(activity.clone()).unwrap_or_default());
        text.push('\n');
    }
    let last = source.activities.last().map_or(0, |activity| activity.end);
    text.push_str(source.text.get(last..).unwrap_or_default());
    let mut changes = Vec::new();
    for _ in 0..1 + chance.below(3) {
        changes.push(change(&mut text, chance));
    }
    let mut bytes = text.into_bytes();
    if chance.below(25) == 0 {
        let at = chance.below(bytes.len());
        bytes[at] = u8::try_from(chance.below(256)).unwrap_or(0);
        changes.push(format!("byte {at}"));
    }
    (bytes, changes.join(", "))
}

fn change(text: &mut String, chance: &mut Chance) -> String {
    let elements = elements(text);
    if elements.is_empty() {
        return "nothing".to_owned();
    }
    let it = chance.pick(&elements).clone();
    let name = text[it.name.clone()].to_owned();
    let attributes = attributes(text, &it.tag);
    match chance.below(16) {
        0 | 1 => {
            text.replace_range(it.all.clone(), "");
            format!("{name} deleted")
        }
        2 => {
            let copy = text[it.all.clone()].to_owned();
            text.insert_str(it.all.end, &copy);
            format!("{name} repeated")
        }
        3 | 4 => {
            let siblings: Vec<_> = elements
                .iter()
                .filter(|other| other.parent == it.parent && other.all.start > it.all.start)
                .collect();
            let Some(other) = (!siblings.is_empty()).then(|| (*chance.pick(&siblings)).clone())
            else {
                return "nothing".to_owned();
            };
            let (one, two) = (
                text[it.all.clone()].to_owned(),
                text[other.all.clone()].to_owned(),
            );
            text.replace_range(other.all, &one);
            text.replace_range(it.all, &two);
            format!("{name} swapped")
        }
        5 => {
            let other = chance.pick(&elements).clone();
            let new = text[other.name].to_owned();
            rename(text, &it, &new);
            format!("{name} renamed {new}")
        }
        6 => {
            let into = chance.pick(&elements).clone();
            let copy = text[it.all.clone()].to_owned();
            text.insert_str(into.tag.end, &copy);
            format!("{name} copied inside")
        }
        7 if !attributes.is_empty() => {
            let (all, key, _) = chance.pick(&attributes).clone();
            let key = text[key].to_owned();
            text.replace_range(all, "");
            format!("{name}/@{key} deleted")
        }
        8 if !attributes.is_empty() => {
            let (all, key, _) = chance.pick(&attributes).clone();
            let copy = format!(
                " {}",
                &text[all.clone()]
                    .trim_start()
                    .replacen(&text[key.clone()], "type", 1)
            );
            text.insert_str(all.end, &copy);
            format!("{name}{copy}")
        }
        9..=11 if !attributes.is_empty() => {
            let (_, key, value) = chance.pick(&attributes).clone();
            let new = chance.pick(&VALUES);
            let key = text[key].to_owned();
            text.replace_range(value, new);
            format!("{name}/@{key}={new:?}")
        }
        12 => {
            let new = chance.pick(&ATTRIBUTES);
            text.insert_str(it.name.end, new);
            format!("{name}{new}")
        }
        13 => {
            let new = chance.pick(&PIECES);
            let at = if chance.below(2) == 0 {
                it.tag.end
            } else {
                it.all.end
            };
            text.insert_str(at, new);
            format!("{new:?} at {name}")
        }
        _ => {
            let inner = it.tag.end..it.all.end;
            let Some(end) = text[inner.clone()].find('<') else {
                return "nothing".to_owned();
            };
            let new = chance.pick(&VALUES);
            text.replace_range(inner.start..inner.start + end, new);
            format!("{name}={new:?}")
        }
    }
}

fn rename(text: &mut String, it: &Element, new: &str) {
    let old = text[it.name.clone()].to_owned();
    let close = format!("</{old}>");
    if text[it.all.clone()].ends_with(&close) {
        text.replace_range(it.all.end - close.len()..it.all.end, &format!("</{new}>"));
    }
    text.replace_range(it.name.clone(), new);
}

/// All elements of a text, as far as a glance tells.
fn elements(text: &str) -> Vec<Element> {
    let bytes = text.as_bytes();
    let mut found: Vec<Element> = Vec::new();
    let mut open: Vec<usize> = Vec::new();
    let mut at = 0;
    while let Some(start) = text
        .get(at..)
        .and_then(|rest| rest.find('<'))
        .map(|length| at + length)
    {
        let skip = [
            ("<!--", "-->"),
            ("<![CDATA[", "]]>"),
            ("<?", "?>"),
            ("<!", ">"),
        ]
        .iter()
        .find(|(begin, _)| text[start..].starts_with(begin));
        if let Some((_, end)) = skip {
            let Some(length) = text[start..].find(end) else {
                break;
            };
            at = start + length + end.len();
            continue;
        }
        let Some(length) = text[start..].find('>') else {
            break;
        };
        let end = start + length + 1;
        if bytes.get(start + 1) == Some(&b'/') {
            if let Some(index) = open.pop() {
                found[index].all.end = end;
            }
        } else {
            let name = text[start + 1..end]
                .find(|c: char| c.is_whitespace() || matches!(c, '/' | '>'))
                .unwrap_or(0);
            found.push(Element {
                name: start + 1..start + 1 + name,
                tag: start..end,
                all: start..end,
                parent: open.last().copied(),
            });
            if bytes.get(end - 2) != Some(&b'/') {
                open.push(found.len() - 1);
            }
        }
        at = end;
    }
    // What is never closed is left alone.
    let unclosed: Vec<usize> = open;
    let mut index = 0;
    found.retain(|element| {
        index += 1;
        !unclosed.contains(&(index - 1)) && element.name.start < element.name.end
    });
    found
}

/// Attributes of a tag: the whole with the space before it, the name, the value.
fn attributes(text: &str, tag: &Range<usize>) -> Vec<(Range<usize>, Range<usize>, Range<usize>)> {
    let mut found = Vec::new();
    let mut at = tag.start;
    while let Some(equals) = text[at..tag.end].find('=').map(|length| at + length) {
        let Some(quote) = text[equals..tag.end]
            .chars()
            .nth(1)
            .filter(|c| matches!(c, '"' | '\''))
        else {
            break;
        };
        let value = equals + 2;
        let Some(end) = text[value..tag.end]
            .find(quote)
            .map(|length| value + length)
        else {
            break;
        };
        let name = text[..equals]
            .rfind(char::is_whitespace)
            .map_or(tag.start, |space| space + 1);
        if name <= tag.start {
            break;
        }
        found.push((name - 1..end + 1, name..equals, value..end));
        at = end + 1;
    }
    found
}

//! The schemas: the standard's 422 cases, and real files beside xmllint.

use std::fs::File;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};
use rsr_iati::schema::{Checker, Code, FileKind, Version};
use rsr_iati::xml::{Reader, Token};

use super::{Disagreement, Suite, shown, xml_files};

pub(super) struct Verdict {
    pub(super) first: Option<u64>,
    pub(super) version: Version,
    pub(super) is_organisation: bool,
    /// There is a schema for the version it names.
    pub(super) knows_version: bool,
    /// It is not well-formed, or holds what XML forbids.
    pub(super) is_broken: bool,
}

/// The line of the first thing the schema finds, or where parsing ends.
pub(super) fn check(path: &Path, version: Option<Version>) -> Result<Verdict> {
    let mut reader = Reader::new(File::open(path)?);
    let mut checker = Checker::new(version);
    let mut first = None;
    let (mut knows_version, mut is_broken) = (true, false);
    loop {
        match reader.advance() {
            Ok(Token::Done) => break,
            Ok(_) => checker.check(&reader, &mut |finding| {
                if finding.code == Code::UnknownVersion.as_str() {
                    knows_version = false;
                } else {
                    first = first.or(Some(finding.line()));
                }
            }),
            Err(error) => {
                first = Some(error.position.line);
                is_broken = true;
                break;
            }
        }
    }
    Ok(Verdict {
        first,
        version: checker.version().unwrap_or(Version::V203),
        is_organisation: checker.kind() == Some(FileKind::Organisations),
        knows_version,
        is_broken,
    })
}

pub(super) fn cases(data: &Path) -> Result<Suite> {
    let mut suite = Suite {
        name: "schema-cases",
        about: "should-pass and should-fail files of IATI-Schemas 2.03",
        n_cases: 0,
        disagreements: Vec::new(),
        details: Vec::new(),
    };
    for kind in ["activity-tests", "organisation-tests"] {
        for (folder, expected) in [("should-pass", true), ("should-fail", false)] {
            for case in xml_files(&data.join("examples/schema-tests").join(kind).join(folder))? {
                suite.n_cases += 1;
                let first = check(&case, Some(Version::V203))?.first;
                if first.is_none() != expected {
                    let answers = format!("{folder}, first finding {first:?}");
                    suite.disagreements.push(Disagreement {
                        case: shown(data, &case),
                        answers,
                        reason: None,
                    });
                }
            }
        }
    }
    Ok(suite)
}

pub(super) fn real(data: &Path) -> Result<Suite> {
    let mut suite = Suite {
        name: "real-files-xmllint",
        about: "real files: verdict, and line of the first error, of `xmllint --schema`",
        n_cases: 0,
        disagreements: Vec::new(),
        details: Vec::new(),
    };
    for path in xml_files(&data.join("real"))? {
        suite.n_cases += 1;
        let ours = check(&path, None)?;
        let theirs = xmllint(data, &path, &ours)?;
        if ours.first != theirs {
            let answers = format!("xmllint {theirs:?}, ours {:?}", ours.first);
            suite.disagreements.push(Disagreement {
                case: shown(data, &path),
                answers,
                reason: None,
            });
        }
    }
    Ok(suite)
}

/// The line of xmllint's first error.
fn xmllint(data: &Path, path: &Path, ours: &Verdict) -> Result<Option<u64>> {
    let kind = if ours.is_organisation {
        "organisations"
    } else {
        "activities"
    };
    let schema = data.join(format!("schemas/{}/iati-{kind}-schema.xsd", ours.version));
    let mut command = Command::new("xmllint");
    command
        .args(["--noout", "--nonet", "--schema"])
        .arg(&schema)
        .arg(path);
    // A tree counts lines up to 65,535 and guesses from there on.
    if ours.first.is_some_and(|line| line > 65_535) {
        command.arg("--stream");
    }
    let output = command
        .output()
        .context("xmllint does not run: install libxml2-utils")?;
    if output.status.success() {
        return Ok(None);
    }
    let name = format!("{}:", path.display());
    let text = String::from_utf8_lossy(&output.stderr);
    let mut lines = text.lines().filter(|line| line.contains("error"));
    Ok(lines.find_map(|line| line.strip_prefix(&name)?.split(':').next()?.parse().ok()))
}

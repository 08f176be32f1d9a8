//! The files that the official validator is tested with: each has to be found what its name says.

use std::collections::BTreeSet;
use std::fmt;
use std::fs::File;
use std::path::Path;

use anyhow::Result;
use rsr_iati::report::Severity;
use rsr_iati::validate::{Options, validate};

use super::{Disagreement, Suite, shown, xml_files};

/// What has to be found in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expected {
    /// Nothing critical.
    Valid,
    /// Nothing critical and no error.
    NoError,
    /// Something against the schema.
    Schema,
    /// It is no XML.
    NotXml,
    /// Some finding with one of these codes.
    Codes(&'static [&'static str]),
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Valid => write!(f, "nothing critical: errors and warnings at most"),
            Self::NoError => write!(f, "no error"),
            Self::Schema => write!(f, "something against the schema (schema-…)"),
            Self::NotXml => write!(f, "that it is no XML (xml-not-well-formed)"),
            Self::Codes(parts) => write!(f, "one of the codes {}…", parts.join("…, ")),
        }
    }
}

/// Parts of names with what they mean, first match first.
const BY_NAME: [(&str, Expected); 28] = [
    ("no-errors-old-version", Expected::Schema),
    ("no-errors", Expected::NoError),
    ("xml-but-not-iati", Expected::Codes(&["schema-root"])),
    ("xml-errors", Expected::NotXml),
    ("not-xml", Expected::NotXml),
    ("spreadsheet", Expected::NotXml),
    ("broken-xml", Expected::NotXml),
    ("schema-errors", Expected::Schema),
    ("error_at_70076", Expected::Schema),
    ("root-only", Expected::Schema),
    ("no-narrative", Expected::Schema),
    ("self-closed", Expected::Schema),
    ("me-feedback-no-ns", Expected::Schema),
    ("codelist-basic", Expected::Codes(&["9."])),
    ("codelist-conditional", Expected::Codes(&["9."])),
    ("dup-activity-ids", Expected::Codes(&["1.1.2"])),
    (
        "atLeastOne",
        Expected::Codes(&["6.", "4.3.1", "4.4.1", "8.8.1", "8.9.1", "8.10.1"]),
    ),
    ("dateNow", Expected::Codes(&["11.1.1"])),
    ("dateOrder", Expected::Codes(&["11.", "8.6."])),
    (
        "noMoreThanOne",
        Expected::Codes(&["8.11.1", "107.1.2", "107.2.2"]),
    ),
    ("noSpaces", Expected::Codes(&["1."])),
    ("oneOrAll", Expected::Codes(&["4.1.1", "6.7.2", "7.8.1"])),
    (
        "range-ifThen",
        Expected::Codes(&["12.", "2.", "3.", "102."]),
    ),
    ("regexMatches", Expected::Codes(&["1."])),
    (
        "strictSum",
        Expected::Codes(&["2.1.2", "3.1.2", "3.4.2", "7.9.2"]),
    ),
    ("timeLimit", Expected::Codes(&["7.5.3"])),
    ("unique-startsWith", Expected::Codes(&["1.1.3", "1.1.21"])),
    ("betweenDates", Expected::Codes(&["11.3.1"])),
];

pub(super) fn expected(name: &str) -> Expected {
    BY_NAME
        .iter()
        .find(|(part, _)| name.contains(part))
        .map_or(Expected::Valid, |(_, expected)| *expected)
}

pub(super) fn cases(data: &Path) -> Result<Suite> {
    let mut suite = Suite {
        name: "validator-files",
        about: "test files of the official validator: what their names say is found",
        n_cases: 0,
        disagreements: Vec::new(),
        details: Vec::new(),
    };
    for path in xml_files(&data.join("examples/validator-tests"))? {
        suite.n_cases += 1;
        let name = shown(data, &path);
        let expected = expected(&name);
        let mut codes = BTreeSet::new();
        let mut worst = None;
        validate(File::open(&path)?, &Options::default(), &mut |group| {
            for finding in group.findings {
                worst = worst.max(Some(finding.severity));
                codes.insert(finding.code.into_owned());
            }
        });
        let agrees = match expected {
            Expected::Valid => worst < Some(Severity::Critical),
            Expected::NoError => worst < Some(Severity::Error),
            Expected::Schema => codes.iter().any(|code| code.starts_with("schema-")),
            Expected::NotXml => codes.contains("xml-not-well-formed"),
            Expected::Codes(parts) => codes
                .iter()
                .any(|code| parts.iter().any(|part| code.starts_with(part))),
        };
        let codes: Vec<_> = codes.into_iter().collect();
        let found = if codes.is_empty() {
            "nothing".to_owned()
        } else {
            codes.join(" ")
        };
        let short = path.file_name().unwrap_or_default().to_string_lossy();
        suite
            .details
            .push([short.into_owned(), expected.to_string(), found]);
        if !agrees {
            let answers = format!("{expected:?}, ours {}", codes.join(" "));
            suite.disagreements.push(Disagreement {
                case: name,
                answers,
                reason: None,
            });
        }
    }
    Ok(suite)
}

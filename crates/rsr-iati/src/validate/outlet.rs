//! Activities on their way out: repeated identifiers are found, and groups without findings are not shown.

use std::borrow::Cow;

use super::identifiers::Identifiers;
use super::run::{FINDINGS_BYTES_MAX, held_bytes};
use super::subject::Subject;
use super::{Group, Options, Summary};
use crate::report::{Finding, Severity};

/// An activity that has been read, with what was found in it.
#[derive(Debug, Default)]
pub(super) struct Ended {
    pub(super) subject: Subject,
    pub(super) path: String,
    pub(super) findings: Vec<Finding>,
    pub(super) n_left_out: u64,
}

impl Ended {
    /// Whether there is anything to say of it, or anything that another one may repeat.
    pub(super) fn is_of_interest(&self) -> bool {
        !self.findings.is_empty() || self.n_left_out > 0 || !self.subject.identifier.is_empty()
    }
}

/// Takes activities in the order of the file.
pub(super) struct Outlet<'s> {
    sink: &'s mut dyn FnMut(Group),
    identifiers: Option<Identifiers>,
    findings_max: usize,
    n_repeated: u64,
    /// What was found of the file itself.
    file: Ended,
    n_file_bytes: usize,
    summary: Summary,
}

impl<'s> Outlet<'s> {
    pub(super) fn new(options: &Options, sink: &'s mut dyn FnMut(Group)) -> Self {
        Self {
            sink,
            identifiers: options.duplicates.then(Identifiers::default),
            findings_max: options.findings_max,
            n_repeated: 0,
            file: Ended {
                subject: Subject {
                    identifier: "file".to_owned(),
                    title: "File level errors".to_owned(),
                    line: 0,
                },
                path: String::new(),
                findings: Vec::new(),
                n_left_out: 0,
            },
            n_file_bytes: 0,
            summary: Summary::default(),
        }
    }

    pub(super) fn activity(&mut self, mut ended: Ended) {
        if self.is_repeated(&ended.subject.identifier) {
            self.n_repeated += 1;
            if ended.findings.len() < self.findings_max {
                ended.findings.push(repeated(&ended));
            } else {
                ended.n_left_out += 1;
            }
        }
        self.show(ended);
    }

    fn show(&mut self, ended: Ended) {
        if !ended.findings.is_empty() || ended.n_left_out > 0 {
            (self.sink)(Group {
                identifier: ended.subject.identifier,
                title: ended.subject.title,
                findings: ended.findings,
                n_left_out: ended.n_left_out,
            });
        }
    }

    fn is_repeated(&mut self, identifier: &str) -> bool {
        let known = self.identifiers.as_mut();
        !identifier.is_empty() && known.is_some_and(|known| known.is_repeated(identifier))
    }

    /// Takes in a part of the file that has been read: its activities, what was found beside them, and its numbers.
    pub(super) fn part(&mut self, activities: Vec<Ended>, file: Ended, summary: &Summary) {
        for ended in activities {
            self.activity(ended);
        }
        self.file.n_left_out += file.n_left_out;
        for finding in file.findings {
            let is_full = self.file.findings.len() >= self.findings_max
                || self.n_file_bytes >= FINDINGS_BYTES_MAX;
            if is_full {
                self.file.n_left_out += 1;
            } else {
                self.n_file_bytes += held_bytes(&finding);
                self.file.findings.push(finding);
            }
        }
        let total = &mut self.summary;
        total.n_critical += summary.n_critical;
        total.n_error += summary.n_error;
        total.n_warning += summary.n_warning;
        total.n_subjects += summary.n_subjects;
        total.kind = total.kind.or(summary.kind);
        total.version = total.version.or(summary.version);
        total.is_cut_short |= summary.is_cut_short;
    }

    /// Shows what the end of the input cut off and what was found of the file, and gives the numbers of the whole.
    pub(super) fn finish(mut self, open: Ended) -> Summary {
        self.show(open);
        let file = std::mem::take(&mut self.file);
        self.show(file);
        self.summary.n_error += self.n_repeated;
        self.summary
    }
}

/// **Source:** rule 1.1.2 of the official validator.
fn repeated(ended: &Ended) -> Finding {
    let message = format!(
        "the identifier {} stands for more than one activity of the file",
        ended.subject.identifier
    );
    Finding {
        category: Cow::Borrowed("identifiers"),
        ..Finding::new(Severity::Error, "1.1.2", message)
            .at_line(ended.subject.line, ended.path.clone())
    }
}

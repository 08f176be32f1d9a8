//! The checks side by side, token by token.

use std::io::Read;

use super::outlet::Ended;
use super::subject::{Subject, Watch};
use super::{Options, Summary};
use crate::codelists;
use crate::report::{Finding, Severity};
use crate::rules::{self, Ruleset};
use crate::schema::{self, Checker, StartTag, Version};
use crate::xml::{Error, NoticeKind, Reader, Token};

/// Bytes of findings of one activity, or of the file itself, after which no more are kept. Where elements lie deep and have
/// long names, a finding's path alone is a hundred kilobytes.
pub(super) const FINDINGS_BYTES_MAX: usize = 4 << 20;

/// One reading of a document or of a part of one.
pub(super) struct Run<'o> {
    options: &'o Options,
    checker: Checker,
    codes: Option<codelists::Checker>,
    rules: Option<rules::Checker<'o>>,
    /// Added to the lines of findings: where a part of a file begins, less where its reader believes to be.
    line_shift: u64,
    watch: Watch,
    told: Told,
}

impl<'o> Run<'o> {
    pub(super) fn new(options: &'o Options) -> Self {
        Self {
            options,
            checker: Checker::new(options.version),
            rules: options.rules.as_ref().map(|context| {
                rules::Checker::new(
                    options.ruleset.as_deref().unwrap_or(Ruleset::standard()),
                    context,
                )
            }),
            codes: options.codelists.then(codelists::Checker::new),
            line_shift: 0,
            watch: Watch::default(),
            told: Told::new(options.findings_max),
        }
    }

    /// Makes it ready for another document. What the rules look at needs much memory, and keeps it.
    pub(super) fn restart(&mut self) {
        let mut rules = self.rules.take();
        if let Some(rules) = &mut rules {
            rules.restart();
        }
        let fresh = Self::new(self.options);
        *self = Self {
            rules: rules.or(fresh.rules),
            ..fresh
        };
    }

    /// Reads the root's start tag again and goes on as if activities had come before: what was found at the root was told
    /// already. Lines are so many later in the file than in this input. `false`: there is no root to go on with.
    pub(super) fn resume<R: Read>(
        &mut self,
        reader: &mut Reader<R>,
        line_shift: u64,
        sink: &mut dyn FnMut(Ended),
    ) -> bool {
        let Ok(token) = reader.advance() else {
            return false;
        };
        self.token(token, reader, sink);
        self.told.forget();
        self.line_shift = line_shift;
        self.checker.resume_after_activity()
    }

    /// Bytes of what was found since the beginning, and of the activities it was found in.
    pub(super) fn n_held_bytes(&self) -> usize {
        self.told.n_bytes
    }

    /// Whether all that was read of the root since it began are activities, and nothing is open inside of it.
    pub(super) fn is_between_activities<R: Read>(&self, reader: &Reader<R>) -> bool {
        reader.depth() == 1 && self.checker.is_after_activity()
    }

    /// Reads to the end of the input, or to where it cannot be read on, or past so many bytes of what was found.
    pub(super) fn read_to_end_of_input<R: Read>(
        &mut self,
        reader: &mut Reader<R>,
        held_max: usize,
        sink: &mut dyn FnMut(Ended),
    ) {
        while self.n_held_bytes() <= held_max {
            match self.advance(reader) {
                Ok(Token::Done) => {
                    // What stands behind the root.
                    if reader.has_notices() {
                        self.notices(false, reader);
                    }
                    return;
                }
                Ok(token) => self.token(token, reader, sink),
                Err(error) => {
                    if reader.has_notices() {
                        self.notices(false, reader);
                    }
                    self.told.summary.is_cut_short = true;
                    let finding = schema::Code::NotWellFormed.at(
                        error.kind.to_string(),
                        reader.path(),
                        error.position.line + self.line_shift,
                    );
                    self.told.add(false, finding);
                    return;
                }
            }
        }
    }

    /// Moves to the next token. White space that no check asks for gives none, in most places.
    pub(super) fn advance<R: Read>(&self, reader: &mut Reader<R>) -> Result<Token, Error> {
        reader.advance_past_blanks_if(|| {
            let (codes, rules) = (self.codes.as_ref(), self.rules.as_ref());
            !(self.checker.minds_blanks()
                || self.watch.minds_blanks()
                || codes.is_some_and(codelists::Checker::minds_blanks)
                || rules.is_some_and(rules::Checker::minds_blanks))
        })
    }

    pub(super) fn token<R: Read>(
        &mut self,
        token: Token,
        reader: &mut Reader<R>,
        sink: &mut dyn FnMut(Ended),
    ) {
        // Of an element that is passed over all is told at once, at its end.
        if reader.has_notices() && !reader.is_passing_over() {
            self.notices(token == Token::Start, reader);
        }
        match token {
            Token::Start => self.start(reader),
            Token::Text => self.text(reader),
            Token::End => self.end(reader, sink),
            Token::Done => {}
        }
    }

    fn start<R: Read>(&mut self, reader: &Reader<R>) {
        let tag = StartTag::of(reader, self.line_shift);
        self.watch.start(reader, tag.line);
        let is_inside = self.watch.is_inside();
        let found = &mut |finding| self.told.add(is_inside, finding);
        self.checker.start(reader, &tag, found);
        // The root decides what else is asked.
        if reader.depth() == 1 && !is_second(&self.checker) {
            (self.codes, self.rules) = (None, None);
        }
        if let Some(codes) = &mut self.codes {
            codes.start(reader, &tag, found);
        }
        if let Some(rules) = &mut self.rules {
            rules.start(reader, &tag);
        }
    }

    fn text<R: Read>(&mut self, reader: &Reader<R>) {
        self.watch.text(reader);
        let is_inside = self.watch.is_inside();
        self.checker
            .text(reader, &mut |finding| self.told.add(is_inside, finding));
        if let Some(codes) = &mut self.codes {
            codes.text(reader);
        }
        if let Some(rules) = &mut self.rules {
            rules.text(reader);
        }
    }

    fn end<R: Read>(&mut self, reader: &Reader<R>, sink: &mut dyn FnMut(Ended)) {
        let is_inside = self.watch.is_inside();
        let found = &mut |finding| self.told.add(is_inside, finding);
        self.checker.end(reader, found);
        if let Some(codes) = &mut self.codes {
            codes.end(reader, found);
        }
        if let Some(rules) = &mut self.rules {
            rules.end(reader, found);
        }
        if let Some(subject) = self.watch.end(reader) {
            self.told.summary.n_subjects += 1;
            sink(self.told.take_inside(subject, reader.path()));
        }
    }

    fn notices<R: Read>(&mut self, is_at_start: bool, reader: &mut Reader<R>) {
        let (path, from) = (reader.path(), reader.position());
        // What stands before a start tag is its parent's.
        let parent = path.rsplit_once('/').map_or("", |(parent, _)| parent);
        for notice in reader.take_notices() {
            let is_before = is_at_start && notice.position < from;
            let mut path = if is_before { parent } else { &path }.to_owned();
            if let NoticeKind::PassedOver { element, .. } = &notice.kind {
                if !path.is_empty() {
                    path.push('/');
                }
                path.push_str(element);
                let is_subject = matches!(&**element, "iati-activity" | "iati-organisation");
                self.told.summary.n_subjects += u64::from(is_subject && !self.watch.is_inside());
            }
            let line = notice.position.line + self.line_shift;
            let finding = Finding::new(
                severity_of(&notice.kind),
                notice.kind.code(),
                notice.kind.to_string(),
            )
            .at_line(line, path);
            self.told.add(self.watch.is_inside(), finding);
        }
    }

    /// What is left once there is nothing more to read: an activity that the end of the input cut off, the findings of
    /// the file itself, and the numbers.
    pub(super) fn finish(&mut self) -> (Ended, Ended, Summary) {
        let told = &mut self.told;
        told.summary.kind = self.checker.kind();
        told.summary.version = self.checker.version();
        let subject = self.watch.take_open();
        let open = told.inside.take(subject, String::new());
        let file = told.outside.take(Subject::default(), String::new());
        told.n_bytes = 0;
        (open, file, std::mem::take(&mut told.summary))
    }
}

/// Whether the file is of a version that the codelists and rules are made for.
fn is_second(checker: &Checker) -> bool {
    checker
        .version()
        .is_some_and(|version| version >= Version::V201)
}

/// A plain XML reader stops at most of what our reader survives, so a file with it is not valid.
fn severity_of(kind: &NoticeKind) -> Severity {
    match kind {
        NoticeKind::Doctype => Severity::Warning,
        NoticeKind::UndeclaredPrefix(_) => Severity::Error,
        _ => Severity::Critical,
    }
}

/// What was found so far.
#[derive(Debug)]
struct Told {
    /// In the activity at hand.
    inside: Gathered,
    /// Outside of all activities.
    outside: Gathered,
    summary: Summary,
    /// What was found since the beginning, and of which activities, in bytes.
    n_bytes: usize,
}

impl Told {
    fn new(max: usize) -> Self {
        let gathered = || Gathered {
            max,
            ..Gathered::default()
        };
        Self {
            inside: gathered(),
            outside: gathered(),
            summary: Summary::default(),
            n_bytes: 0,
        }
    }

    fn take_inside(&mut self, subject: Subject, path: String) -> Ended {
        let ended = self.inside.take(subject, path);
        if ended.is_of_interest() {
            let subject = ended.subject.identifier.len() + ended.subject.title.len();
            self.n_bytes += size_of::<Ended>() + subject + ended.path.len();
        }
        ended
    }

    #[cold]
    fn add(&mut self, is_inside: bool, finding: Finding) {
        let gathered = if is_inside {
            &mut self.inside
        } else {
            &mut self.outside
        };
        self.n_bytes += gathered.add(finding, &mut self.summary);
    }

    fn forget(&mut self) {
        self.outside.clear();
        self.summary = Summary::default();
        self.n_bytes = 0;
    }
}

#[derive(Debug, Default)]
struct Gathered {
    findings: Vec<Finding>,
    n_bytes: usize,
    n_left_out: u64,
    max: usize,
}

impl Gathered {
    /// Answers how many bytes are held for it.
    fn add(&mut self, finding: Finding, summary: &mut Summary) -> usize {
        match finding.severity {
            Severity::Critical => summary.n_critical += 1,
            Severity::Error => summary.n_error += 1,
            Severity::Warning | Severity::Note => summary.n_warning += 1,
        }
        if self.findings.len() >= self.max || self.n_bytes >= FINDINGS_BYTES_MAX {
            self.n_left_out += 1;
            return 0;
        }
        let n = held_bytes(&finding);
        self.n_bytes += n;
        self.findings.push(finding);
        n
    }

    fn clear(&mut self) {
        self.findings.clear();
        self.n_bytes = 0;
        self.n_left_out = 0;
    }

    fn take(&mut self, subject: Subject, path: String) -> Ended {
        self.n_bytes = 0;
        Ended {
            subject,
            path,
            findings: std::mem::take(&mut self.findings),
            n_left_out: std::mem::take(&mut self.n_left_out),
        }
    }
}

/// Bytes that a finding takes while it is held.
pub(super) fn held_bytes(finding: &Finding) -> usize {
    size_of::<Finding>() + finding.message.len() + finding.path.len()
}

//! Reading activities of any version, element by element, as the model of 2.03.
//!
//! ```
//! use rsr_iati::model::ActivityElement;
//! use rsr_iati::reader::{ActivityReader, Event};
//!
//! let file = br#"<iati-activities version="1.04"><iati-activity>
//!     <iati-identifier>XM-1</iati-identifier>
//!     <activity-date type="start-actual" iso-date="2012-05-01"/>
//! </iati-activity></iati-activities>"#;
//! let mut reader = ActivityReader::new(&file[..]);
//! let mut dates = Vec::new();
//! while let Some(event) = reader.next_event()? {
//!     if let Event::Element(ActivityElement::ActivityDate(date), _position) = event {
//!         dates.push((date.kind, date.date));
//!     }
//! }
//! assert_eq!(dates, [(Some("2".to_owned()), Some("2012-05-01".into()))]);
//! assert_eq!(reader.counts().n_read, 1);
//! # Ok::<(), rsr_iati::reader::ReadError>(())
//! ```

mod head;
mod organisations;
mod seen;
mod upgrade;

use std::fmt;
use std::io::Read;

use crate::finding::Findings;
pub use crate::finding::{Finding, Severity};
use crate::model::{ActivityElement, ActivityHead, Input, Pull, Stop};
pub use crate::version::Version;
use crate::xml::{self, Limits, Position, Reader, Token};
use head::version_of;
pub use head::{FileHead, FileKind};
pub use organisations::{OrganisationEvent, OrganisationReader};
use seen::Seen;
use upgrade::Upgrade;

/// What a reader comes upon, in the order of the file.
///
/// Each activity is one `ActivityStart`, its elements, and either `ActivityEnd` or `ActivitySkipped`. Elements come in
/// the order of the file, but for titles and descriptions of 1.0x, whose languages are brought together and come last.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "one exists at a time, and elements are what almost all of them are"
)]
pub enum Event {
    /// An activity begins.
    ActivityStart(ActivityHead, Position),
    /// One of its children.
    Element(ActivityElement, Position),
    /// The activity is complete.
    ActivityEnd,
    /// The activity cannot be read to its end: forget what came of it. Reading goes on with the next one.
    ActivitySkipped(Finding),
}

/// How to read.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ReadOptions {
    /// Bounds of what is read.
    pub limits: Limits,
    /// Ends reading at the first finding of severity error and at the first activity that cannot be read.
    pub strict: bool,
}

impl From<&rsr_settings::IatiSettings> for ReadOptions {
    fn from(settings: &rsr_settings::IatiSettings) -> Self {
        let field_bytes = usize::try_from(settings.max_field_bytes.bytes()).unwrap_or(usize::MAX);
        Self {
            limits: Limits {
                field_bytes,
                ..Limits::default()
            },
            strict: false,
        }
    }
}

/// What was read so far. `n_read` = kept + skipped, once no activity is open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Activities begun.
    pub n_read: u64,
    /// Activities that ended in `ActivitySkipped`.
    pub n_skipped: u64,
    /// Findings, those included that were only counted.
    pub n_findings: u64,
}

/// Why reading ended before the file did.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The file cannot be read on, or is not well-formed from here on. What came before stands.
    #[error(transparent)]
    Xml(#[from] xml::Error),
    /// Reading was to be strict, and this was found.
    #[error("strict reading stops at line {0}")]
    Strict(Box<Finding>),
}

enum State {
    Outside,
    /// In an activity whose start tag was at this depth.
    Inside(usize),
    /// At the end tag of an activity.
    Closing,
    /// Past an activity whose own start tag goes over a limit.
    PassedOver(Box<Finding>),
    Ended,
}

/// Reads the activities of one file as [`Event`]s. Memory: two pieces of 64 KiB and the element at hand.
pub struct ActivityReader<'r> {
    xml: Reader<Input<'r>>,
    findings: Findings,
    state: State,
    file: FileHead,
    seen_root: bool,
    counts: Counts,
    strict: bool,
    upgrade: Upgrade,
    seen: Seen,
}

impl fmt::Debug for ActivityReader<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ActivityReader")
            .field("file", &self.file)
            .field("counts", &self.counts)
            .finish_non_exhaustive()
    }
}

impl<'r> ActivityReader<'r> {
    /// Reads leniently, with the default limits.
    #[must_use]
    pub fn new(read: impl Read + Send + 'r) -> Self {
        Self::with_options(read, &ReadOptions::default())
    }

    /// Reads as told.
    #[must_use]
    pub fn with_options(read: impl Read + Send + 'r, options: &ReadOptions) -> Self {
        Self {
            xml: Reader::with_limits(Box::new(read), options.limits),
            findings: Findings::default(),
            state: State::Outside,
            file: FileHead::unread(),
            seen_root: false,
            counts: Counts::default(),
            strict: options.strict,
            upgrade: Upgrade::default(),
            seen: Seen::default(),
        }
    }

    /// The next event; `None` at the end of the file.
    ///
    /// # Errors
    ///
    /// [`ReadError::Xml`] where the file cannot be read on; [`ReadError::Strict`] where that was asked for.
    pub fn next_event(&mut self) -> Result<Option<Event>, ReadError> {
        loop {
            let step = match self.state {
                State::Outside => self.outside(),
                State::Inside(_) if self.upgrade.is_needed() => self.inside(),
                State::Inside(_) => match self.next_start() {
                    Ok(None) => continue,
                    // Most events by far come from here. One is large, so that it is moved as seldom as can be.
                    Ok(Some(position)) => match ActivityElement::pull(&mut self.pull()) {
                        Ok(element) => {
                            self.find_unknown(&element);
                            self.note_element(&element);
                            self.checked(None)?;
                            return Ok(Some(Event::Element(element, position)));
                        }
                        Err(stop) => Err(stop),
                    },
                    Err(stop) => Err(stop),
                },
                State::Closing => Ok(Some(self.closing())),
                State::PassedOver(ref finding) => Err(Stop::Skip(finding.clone())),
                State::Ended => return Ok(None),
            };
            let skipped = match step {
                Ok(None) if !matches!(self.state, State::Ended) => continue,
                Ok(some) => {
                    self.checked(None)?;
                    return Ok(some);
                }
                Err(Stop::Fatal(error)) => {
                    self.state = State::Ended;
                    return Err(error.into());
                }
                Err(Stop::Skip(finding)) => self.skip_activity(*finding)?,
            };
            self.checked(Some(&skipped))?;
            return Ok(Some(Event::ActivitySkipped(skipped)));
        }
    }

    /// Counts what was found, and ends reading at it where that is to be strict.
    fn checked(&mut self, skipped: Option<&Finding>) -> Result<(), ReadError> {
        self.counts.n_findings = self.findings.n_total;
        if self.strict
            && let Some(finding) = self.findings.first_error().or(skipped)
        {
            self.state = State::Ended;
            return Err(ReadError::Strict(Box::new(finding.clone())));
        }
        Ok(())
    }

    /// What was found since the last call. To be asked after each event, so that findings do not pile up; past 256
    /// they are only counted.
    pub fn take_findings(&mut self) -> Vec<Finding> {
        if self.findings.is_empty() {
            Vec::new()
        } else {
            self.findings.take()
        }
    }

    /// What the file says about itself; known once the first event is there.
    #[must_use]
    pub fn file(&self) -> &FileHead {
        &self.file
    }

    /// What was read so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Where reading stands.
    #[must_use]
    pub fn position(&self) -> Position {
        self.xml.position()
    }

    fn pull(&mut self) -> Pull<'_, 'r> {
        Pull {
            xml: &mut self.xml,
            findings: &mut self.findings,
        }
    }

    fn outside(&mut self) -> Result<Option<Event>, Stop> {
        self.findings.identifier = None;
        let token = match self.pull().advance_past_blanks() {
            Err(Stop::Skip(finding)) => return Ok(self.passed_over(finding)),
            other => other?,
        };
        match token {
            Token::Done => {
                self.state = State::Ended;
                Ok(None)
            }
            Token::Text => {
                if !self.xml.is_blank() {
                    self.pull().stray_text();
                }
                Ok(None)
            }
            Token::End => Ok(None),
            Token::Start => self.start_outside(),
        }
    }

    /// An element outside of all activities went over a limit; it may be an activity.
    fn passed_over(&mut self, finding: Box<Finding>) -> Option<Event> {
        if finding.path.rsplit('/').next() != Some("iati-activity") {
            self.findings.push(*finding);
            return None;
        }
        self.counts.n_read += 1;
        let position = finding.position;
        self.state = State::PassedOver(finding);
        Some(Event::ActivityStart(ActivityHead::default(), position))
    }

    fn start_outside(&mut self) -> Result<Option<Event>, Stop> {
        let is_root = !std::mem::replace(&mut self.seen_root, true);
        let name = if self.xml.is_unqualified() {
            self.xml.local_name()
        } else {
            ""
        };
        match name {
            "iati-activities" => {
                if !is_root {
                    self.pull().find(
                        Severity::Note,
                        "nested-root",
                        "<iati-activities> is not the root of the file",
                    );
                }
                self.file = FileHead::read(FileKind::Activities, &mut self.pull());
            }
            "iati-organisations" => {
                self.file = FileHead::read(FileKind::Organisations, &mut self.pull());
                let message = "this is an organisation file; it holds no activities";
                self.pull()
                    .find(Severity::Error, "organisation-file", message);
                self.pull().pass_over()?;
            }
            "iati-activity" => {
                if is_root {
                    self.file.kind = FileKind::Activities;
                    self.pull().find(
                        Severity::Note,
                        "nested-root",
                        "<iati-activity> stands without <iati-activities>",
                    );
                }
                return self.start_activity().map(Some);
            }
            _ if is_root => {
                let mut pull = Pull {
                    xml: &mut self.xml,
                    findings: &mut self.findings,
                };
                self.file.read_other("iati-activities", &mut pull);
            }
            "" if self.xml.namespace().is_some() => {}
            _ if self.file.kind == FileKind::Activities => {
                let message = format!(
                    "the standard has no <{}> here; it is dropped",
                    self.xml.name()
                );
                self.pull()
                    .find(Severity::Warning, "unknown-element", &message);
                self.pull().pass_over()?;
            }
            _ => {}
        }
        Ok(None)
    }

    fn start_activity(&mut self) -> Result<Event, Stop> {
        self.counts.n_read += 1;
        self.findings.identifier = None;
        self.seen = Seen::default();
        let position = self.xml.position();
        self.state = State::Inside(self.xml.depth());
        // 1.0x had the version on activities too; it counts where the file has none.
        let version = match (
            &self.file.version_text,
            self.xml.attribute("version").map(str::to_owned),
        ) {
            (None, Some(own)) => version_of(&own, &mut self.pull()),
            _ => self.file.version,
        };
        self.upgrade = Upgrade::from(version);
        let mut head = ActivityHead::default();
        if self.upgrade.is_needed() {
            let mut pull = Pull {
                xml: &mut self.xml,
                findings: &mut self.findings,
            };
            self.upgrade.head(&mut pull, &mut head);
        } else {
            self.pull().attributes(&mut head);
        }
        Ok(Event::ActivityStart(head, position))
    }

    /// Where the next element of the activity at hand begins; `None`: there is none here.
    fn next_start(&mut self) -> Result<Option<Position>, Stop> {
        match self.pull().advance_past_blanks()? {
            Token::Start => return Ok(Some(self.xml.position())),
            Token::Text => {
                if !self.xml.is_blank() {
                    self.pull().stray_text();
                }
            }
            Token::End | Token::Done => self.state = State::Closing,
        }
        Ok(None)
    }

    /// The next element of an activity of 1.0x.
    fn inside(&mut self) -> Result<Option<Event>, Stop> {
        let Some(position) = self.next_start()? else {
            return Ok(None);
        };
        let mut pull = Pull {
            xml: &mut self.xml,
            findings: &mut self.findings,
        };
        let Some(element) = self.upgrade.element(&mut pull)? else {
            return Ok(None);
        };
        self.note_element(&element);
        Ok(Some(Event::Element(element, position)))
    }

    fn find_unknown(&mut self, element: &ActivityElement) {
        if let ActivityElement::Unknown(raw) = element {
            let message = format!(
                "the standard has no <{}> here; it is kept and not exported",
                raw.name
            );
            self.pull()
                .find(Severity::Warning, "unknown-element", &message);
        }
    }

    fn closing(&mut self) -> Event {
        if let Some((element, position)) = self.upgrade.next_held() {
            self.note_element(&element);
            return Event::Element(element, position);
        }
        seen::note_end::<ActivityElement>(&mut self.pull());
        self.state = State::Outside;
        Event::ActivityEnd
    }

    fn note_element(&mut self, element: &ActivityElement) {
        let mut pull = Pull {
            xml: &mut self.xml,
            findings: &mut self.findings,
        };
        self.seen.note(element, &mut pull);
    }

    /// Passes over the rest of the activity.
    fn skip_activity(&mut self, mut finding: Finding) -> Result<Finding, ReadError> {
        if let State::Inside(depth) = self.state
            && let Err(error) = self.pull().pass_over_from(depth, false)
        {
            self.state = State::Ended;
            return Err(error.into());
        }
        self.state = State::Outside;
        self.counts.n_skipped += 1;
        finding.message.push_str("; the activity is skipped");
        Ok(finding)
    }
}

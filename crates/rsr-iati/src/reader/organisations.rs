//! Reading organisation files, element by element, as the model of 2.03.

use std::fmt;
use std::io::Read;

use super::seen::{self, Seen};
use super::{Counts, FileHead, FileKind, ReadError, ReadOptions, upgrade};
use crate::finding::{Finding, Findings, Severity};
use crate::model::{Input, OrganisationElement, OrganisationHead, Pull, Stop, TextBlock};
use crate::xml::{Position, Reader, Token};

/// What a reader of organisations comes upon, in the order of the file.
///
/// Each organisation is one `Start`, its elements, and either `End` or `Skipped`.
#[derive(Debug)]
pub enum OrganisationEvent {
    /// An organisation begins.
    Start(OrganisationHead, Position),
    /// One of its children.
    Element(OrganisationElement, Position),
    /// The organisation is complete.
    End,
    /// The organisation cannot be read to its end: forget what came of it. Reading goes on with the next one.
    Skipped(Finding),
}

/// Reads the organisations of one file. Memory: two pieces of 64 KiB and the element at hand.
///
/// Files of 1.0x come out as 2.03, as those of activities do: texts become narratives, and the languages of the name, which
/// stood in elements of their own, are brought together and come last.
///
/// ```
/// use rsr_iati::model::OrganisationElement;
/// use rsr_iati::reader::{OrganisationEvent, OrganisationReader};
///
/// let file = br#"<iati-organisations version="2.03"><iati-organisation>
///     <organisation-identifier>XM-1</organisation-identifier>
///     <name><narrative>Wells for all</narrative></name>
///     <total-budget><period-start iso-date="2024-01-01"/><period-end iso-date="2024-12-31"/>
///         <value value-date="2024-01-01" currency="EUR">1000000</value></total-budget>
/// </iati-organisation></iati-organisations>"#;
/// let mut reader = OrganisationReader::new(&file[..]);
/// let mut budgets = Vec::new();
/// while let Some(event) = reader.next_event()? {
///     if let OrganisationEvent::Element(OrganisationElement::TotalBudget(budget), _) = event {
///         budgets.push(budget.value.map(|value| value.amount.as_str().to_owned()));
///     }
/// }
/// assert_eq!(budgets, [Some("1000000".to_owned())]);
/// # Ok::<(), rsr_iati::reader::ReadError>(())
/// ```
pub struct OrganisationReader<'r> {
    xml: Reader<Input<'r>>,
    findings: Findings,
    /// The depth of the organisation that is open; 0 outside of one.
    inside: usize,
    seen_root: bool,
    stage: Stage,
    /// The name in the languages that were read so far, of an organisation of 1.0x.
    name: Option<(TextBlock, Position)>,
    file: FileHead,
    counts: Counts,
    strict: bool,
    seen: Seen,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Reading,
    /// At the end tag of an organisation.
    Closing,
    Ended,
}

impl fmt::Debug for OrganisationReader<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OrganisationReader")
            .field("file", &self.file)
            .field("counts", &self.counts)
            .finish_non_exhaustive()
    }
}

impl<'r> OrganisationReader<'r> {
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
            inside: 0,
            seen_root: false,
            stage: Stage::Reading,
            name: None,
            file: FileHead::unread(),
            counts: Counts::default(),
            strict: options.strict,
            seen: Seen::default(),
        }
    }

    /// The next event; `None` at the end of the file.
    ///
    /// # Errors
    ///
    /// [`ReadError::Xml`] where the file cannot be read on; [`ReadError::Strict`] where that was asked for.
    pub fn next_event(&mut self) -> Result<Option<OrganisationEvent>, ReadError> {
        let event = loop {
            if self.stage == Stage::Ended {
                return Ok(None);
            }
            match self.step() {
                Ok(Some(event)) => break Some(event),
                Ok(None) if self.stage == Stage::Ended => break None,
                Ok(None) => {}
                Err(Stop::Fatal(error)) => {
                    self.stage = Stage::Ended;
                    return Err(error.into());
                }
                Err(Stop::Skip(finding)) if self.inside > 0 => break Some(self.skip(*finding)?),
                // It is over a limit and lies outside of all organisations, or is one itself.
                Err(Stop::Skip(finding)) => {
                    let is_one = finding.path.rsplit('/').next() == Some("iati-organisation");
                    self.counts.n_read += u64::from(is_one);
                    self.counts.n_skipped += u64::from(is_one);
                    if is_one {
                        break Some(OrganisationEvent::Skipped(*finding));
                    }
                    self.findings.push(*finding);
                }
            }
        };
        self.counts.n_findings = self.findings.n_total;
        if self.strict {
            let skipped = match &event {
                Some(OrganisationEvent::Skipped(finding)) => Some(finding.clone()),
                _ => None,
            };
            if let Some(finding) = self.findings.first_error().cloned().or(skipped) {
                self.stage = Stage::Ended;
                return Err(ReadError::Strict(Box::new(finding)));
            }
        }
        Ok(event)
    }

    /// What was found since the last call. To be asked after each event; past 256 findings are only counted.
    pub fn take_findings(&mut self) -> Vec<Finding> {
        self.findings.take()
    }

    /// What the file says about itself; known once the first event is there.
    #[must_use]
    pub fn file(&self) -> &FileHead {
        &self.file
    }

    /// What was read so far, in organisations.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.counts
    }

    fn pull(&mut self) -> Pull<'_, 'r> {
        Pull {
            xml: &mut self.xml,
            findings: &mut self.findings,
        }
    }

    fn step(&mut self) -> Result<Option<OrganisationEvent>, Stop> {
        if self.stage == Stage::Closing {
            return Ok(Some(self.closing()));
        }
        if self.inside == 0 {
            self.findings.identifier = None;
        }
        match self.pull().advance_past_blanks()? {
            Token::Done => {
                self.stage = Stage::Ended;
                Ok(None)
            }
            Token::Text => {
                if !self.xml.is_blank() {
                    self.pull().stray_text();
                }
                Ok(None)
            }
            Token::End if self.inside > 0 && self.xml.depth() == self.inside => {
                Ok(Some(self.closing()))
            }
            Token::End => Ok(None),
            Token::Start if self.inside > 0 => self.child(),
            Token::Start => self.outside(),
        }
    }

    /// Gives what was held back, and then the end.
    fn closing(&mut self) -> OrganisationEvent {
        self.stage = Stage::Closing;
        if let Some((name, position)) = self.name.take() {
            let element = OrganisationElement::Name(name);
            self.note_element(&element);
            return OrganisationEvent::Element(element, position);
        }
        self.stage = Stage::Reading;
        self.inside = 0;
        seen::note_end::<OrganisationElement>(&mut self.pull());
        OrganisationEvent::End
    }

    fn outside(&mut self) -> Result<Option<OrganisationEvent>, Stop> {
        let is_root = !std::mem::replace(&mut self.seen_root, true);
        let name = if self.xml.is_unqualified() {
            self.xml.local_name()
        } else {
            ""
        };
        match name {
            "iati-organisations" => {
                self.file = FileHead::read(FileKind::Organisations, &mut self.pull());
                Ok(None)
            }
            "iati-organisation" => {
                self.counts.n_read += 1;
                self.seen = Seen::default();
                self.inside = self.xml.depth();
                let position = self.xml.position();
                let mut head = OrganisationHead::default();
                // 1.0x had the version on organisations too.
                let ignored = if self.file.version.is_old() {
                    "version"
                } else {
                    ""
                };
                self.pull().attributes_but(ignored, &mut head);
                Ok(Some(OrganisationEvent::Start(head, position)))
            }
            _ => {
                if is_root {
                    let mut pull = Pull {
                        xml: &mut self.xml,
                        findings: &mut self.findings,
                    };
                    self.file.read_other("iati-organisations", &mut pull);
                }
                Ok(None)
            }
        }
    }

    /// Reads a child. `None`: it is a name, and comes at the end with its other languages.
    fn child(&mut self) -> Result<Option<OrganisationEvent>, Stop> {
        let position = self.xml.position();
        let element = if self.file.version.is_old() {
            match upgrade::organisation_element(&mut self.pull())? {
                OrganisationElement::Name(name) => {
                    match &mut self.name {
                        Some((known, _)) => known.narratives.extend(name.narratives),
                        None => self.name = Some((name, position)),
                    }
                    return Ok(None);
                }
                element => element,
            }
        } else {
            let element = OrganisationElement::pull(&mut self.pull())?;
            if let OrganisationElement::Unknown(raw) = &element {
                let message = format!(
                    "the standard has no <{}> here; it is kept and not exported",
                    raw.name
                );
                self.pull()
                    .find(Severity::Warning, "unknown-element", &message);
            }
            element
        };
        self.note_element(&element);
        Ok(Some(OrganisationEvent::Element(element, position)))
    }

    fn note_element(&mut self, element: &OrganisationElement) {
        let mut pull = Pull {
            xml: &mut self.xml,
            findings: &mut self.findings,
        };
        self.seen.note(element, &mut pull);
    }

    /// Passes over the rest of the organisation.
    fn skip(&mut self, mut finding: Finding) -> Result<OrganisationEvent, ReadError> {
        let depth = self.inside;
        if let Err(error) = self.pull().pass_over_from(depth, false) {
            self.stage = Stage::Ended;
            return Err(error.into());
        }
        self.inside = 0;
        self.name = None;
        self.counts.n_skipped += 1;
        finding.message.push_str("; the organisation is skipped");
        Ok(OrganisationEvent::Skipped(finding))
    }
}

//! XML in, as typed structs.

use std::io::Read;

use crate::finding::{Finding, Findings, Severity};
use crate::model::element::{Element, Slot};
use crate::model::raw::{Extra, RawAttribute, RawElement, RawNode};
use crate::xml::{self, NoticeKind, Reader, Token, XML_NAMESPACE};

/// Anything XML can be read from. One type for all inputs keeps the model's code from being built once for each.
pub(crate) type Input<'r> = Box<dyn Read + Send + 'r>;

/// Bytes of memory that a text may hold and not need.
const SLACK_MAX: usize = 64 * 1024;

/// A text that has grown so far gets room for the longest one at once.
const GROWN_MAX: usize = 1 << 20;

/// Why an element was not read to its end.
#[derive(Debug)]
pub(crate) enum Stop {
    /// Nothing more can be read.
    Fatal(xml::Error),
    /// The activity must be skipped.
    Skip(Box<Finding>),
}

impl From<xml::Error> for Stop {
    fn from(error: xml::Error) -> Self {
        Self::Fatal(error)
    }
}

/// A cursor and the place where findings go.
#[derive(Debug)]
pub(crate) struct Pull<'a, 'r> {
    pub(crate) xml: &'a mut Reader<Input<'r>>,
    pub(crate) findings: &'a mut Findings,
}

impl Pull<'_, '_> {
    pub(crate) fn advance(&mut self) -> Result<Token, Stop> {
        let token = self.xml.advance();
        self.told(token)
    }

    /// The same, where plain white space says nothing.
    pub(crate) fn advance_past_blanks(&mut self) -> Result<Token, Stop> {
        let token = self.xml.advance_past_blanks();
        self.told(token)
    }

    fn told(&mut self, token: Result<Token, xml::Error>) -> Result<Token, Stop> {
        match token {
            Ok(token) if !self.xml.has_notices() => Ok(token),
            other => self.take_notices(other),
        }
    }

    #[cold]
    fn take_notices(&mut self, token: Result<Token, xml::Error>) -> Result<Token, Stop> {
        let mut passed_over = None;
        for notice in self.xml.take_notices() {
            let finding = self.findings.of_notice(self.xml, &notice);
            if matches!(notice.kind, NoticeKind::PassedOver { .. }) {
                passed_over = Some(Box::new(finding));
            } else {
                self.findings.push(finding);
            }
        }
        let token = token?;
        match passed_over {
            Some(finding) => Err(Stop::Skip(finding)),
            None => Ok(token),
        }
    }

    /// Passes over the element whose start tag is at hand, however large it is, and finds what goes over a limit in it.
    pub(crate) fn pass_over(&mut self) -> Result<(), xml::Error> {
        let depth = self.xml.depth();
        self.pass_over_from(depth, true)
    }

    /// Passes over what is left of the element at this depth. What goes over a limit in it is found where that `is_told`.
    pub(crate) fn pass_over_from(&mut self, depth: usize, is_told: bool) -> Result<(), xml::Error> {
        loop {
            match self.advance() {
                Ok(Token::End) if self.xml.depth() == depth => return Ok(()),
                Ok(Token::Done) => return Ok(()),
                Ok(_) => {}
                Err(Stop::Skip(finding)) if is_told => self.findings.push(*finding),
                Err(Stop::Skip(_)) => {}
                Err(Stop::Fatal(error)) => return Err(error),
            }
        }
    }

    /// Reads the element whose start tag is at hand, up to its end tag.
    pub(crate) fn element<E: Element>(&mut self) -> Result<E, Stop> {
        let mut element = E::default();
        self.fill(&mut element)?;
        Ok(element)
    }

    /// The same into a fresh element where it is to stay: some are large, and each move would copy them. An element that
    /// was not read to its end is of no use.
    pub(crate) fn fill<E: Element>(&mut self, element: &mut E) -> Result<(), Stop> {
        self.attributes(element);
        let mut text = String::new();
        loop {
            let token = if E::HOLDS_TEXT {
                self.advance()?
            } else {
                self.advance_past_blanks()?
            };
            match token {
                Token::Start => {
                    let known = if self.xml.is_unqualified() {
                        E::child(self.xml.local_name())
                    } else {
                        None
                    };
                    match known {
                        Some(read) => read(element, self)?,
                        None => self.unknown_element(element.extra_mut())?,
                    }
                }
                Token::Text if E::HOLDS_TEXT => self.gather(&mut text)?,
                Token::Text => {
                    if !self.xml.is_blank() {
                        self.stray_text();
                    }
                }
                Token::End | Token::Done => break,
            }
        }
        // A long text has grown into more memory than it needs.
        if text.capacity() - text.len() > SLACK_MAX {
            text.shrink_to_fit();
        }
        if E::HOLDS_TEXT
            && let Err(kind) = element.set_text(text)
        {
            self.find(
                Severity::Error,
                "invalid-value",
                &format!("the text of <{}> is not {kind}", self.xml.name()),
            );
        }
        Ok(())
    }

    pub(crate) fn attributes<E: Element>(&mut self, element: &mut E) {
        self.attributes_but("", element);
    }

    /// Takes in the attributes of the start tag at hand, but for one that is known to mean nothing.
    pub(crate) fn attributes_but<E: Element>(&mut self, ignored: &str, element: &mut E) {
        for attribute in self
            .xml
            .attributes()
            .filter(|attribute| attribute.name != ignored)
        {
            // Without a prefix, or `xml:lang` where the standard has it.
            if attribute.namespace.is_none() || attribute.namespace == Some(XML_NAMESPACE) {
                match element.set_attribute(attribute.name, attribute.value) {
                    Some(Ok(())) => continue,
                    Some(Err(kind)) => {
                        let message = format!(
                            "@{} is not {kind}: {:?}",
                            attribute.name,
                            shortened(attribute.value)
                        );
                        self.findings
                            .add(self.xml, Severity::Error, "invalid-value", &message);
                        continue;
                    }
                    None if attribute.namespace.is_none() => {
                        let message = format!(
                            "the standard has no @{} here; it is kept and not exported",
                            attribute.name
                        );
                        self.findings.add(
                            self.xml,
                            Severity::Warning,
                            "unknown-attribute",
                            &message,
                        );
                    }
                    None => {}
                }
            }
            element.extra_mut().push_attribute(RawAttribute {
                name: attribute.name.to_owned(),
                namespace: attribute.namespace.map(str::to_owned),
                value: attribute.value.to_owned(),
            });
        }
    }

    /// Reads a child into its field, or keeps it beside where there is one already.
    pub(crate) fn child<E: Element>(
        &mut self,
        slot: &mut impl Slot<E>,
        extra: &mut Extra,
    ) -> Result<(), Stop> {
        if let Some(child) = slot.make_room() {
            return self.fill(child);
        }
        let child = self.element::<E>()?;
        let name = self.xml.local_name().to_owned();
        self.find(
            Severity::Error,
            "repeated-element",
            &format!("<{name}> may stand here once; the first is used"),
        );
        let mut out = String::new();
        super::fragment::Fragment::new(&mut out).element(&name, &child);
        extra.push_element(raw_of(&out));
        Ok(())
    }

    fn unknown_element(&mut self, extra: &mut Extra) -> Result<(), Stop> {
        if self.xml.namespace().is_none() {
            let message = format!(
                "the standard has no <{}> here; it is kept and not exported",
                self.xml.name()
            );
            self.find(Severity::Warning, "unknown-element", &message);
        }
        extra.push_element(self.raw()?);
        Ok(())
    }

    /// Reads the element whose start tag is at hand as it is.
    pub(crate) fn raw(&mut self) -> Result<RawElement, Stop> {
        let mut raw = RawElement {
            name: self.xml.name().to_owned(),
            namespace: self.xml.namespace().map(str::to_owned),
            attributes: self
                .xml
                .attributes()
                .map(|attribute| RawAttribute {
                    name: attribute.name.to_owned(),
                    namespace: attribute.namespace.map(str::to_owned),
                    value: attribute.value.to_owned(),
                })
                .collect(),
            children: Vec::new(),
        };
        loop {
            match self.advance()? {
                Token::Start => raw.children.push(RawNode::Element(self.raw()?)),
                Token::Text => match raw.children.last_mut() {
                    Some(RawNode::Text(text)) => self.gather(text)?,
                    _ => raw.children.push(RawNode::Text(self.xml.text().to_owned())),
                },
                Token::End | Token::Done => return Ok(raw),
            }
        }
    }

    fn gather(&mut self, text: &mut String) -> Result<(), Stop> {
        let limit = self.xml.limits().field_bytes;
        if text.len() + self.xml.text().len() > limit {
            let message = format!(
                "the text of <{}> is over the limit of {limit} bytes",
                self.xml.name()
            );
            return Err(Stop::Skip(Box::new(self.findings.make(
                self.xml,
                Severity::Error,
                "field-too-large",
                &message,
            ))));
        }
        if text.is_empty() {
            *text = self.xml.text().to_owned();
            return Ok(());
        }
        let needed = text.len() + self.xml.text().len();
        if needed > text.capacity() && text.capacity() >= GROWN_MAX {
            // Growing twofold would go past the limit, and leave the halves it grew out of behind. What is reserved and not
            // written to takes no memory.
            text.reserve_exact(limit - text.len());
        }
        text.push_str(self.xml.text());
        Ok(())
    }

    pub(crate) fn stray_text(&mut self) {
        let message = format!(
            "<{}> holds no text of its own; dropped: {:?}",
            self.xml.name(),
            shortened(self.xml.text())
        );
        self.find(Severity::Warning, "stray-text", &message);
    }

    pub(crate) fn find(&mut self, severity: Severity, code: &'static str, message: &str) {
        self.findings.add(self.xml, severity, code, message);
    }
}

/// What was just written, read back as raw; it is well-formed by construction.
fn raw_of(xml: &str) -> RawElement {
    let mut reader: Reader<Input<'static>> = Reader::whole(xml.to_owned());
    let mut findings = Findings::default();
    let mut pull = Pull {
        xml: &mut reader,
        findings: &mut findings,
    };
    pull.advance()
        .and_then(|_start| pull.raw())
        .unwrap_or_default()
}

pub(crate) fn shortened(text: &str) -> &str {
    let text = text.trim();
    text.char_indices()
        .nth(60)
        .and_then(|(end, _)| text.get(..end))
        .unwrap_or(text)
}

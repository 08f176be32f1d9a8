//! Checking single elements of activities and organisations, and the children of an activity by their names alone.

use std::io::Read;

use crate::model::{ActivityElement, Child};
use crate::report::Finding;
use crate::xml::{Limits, Reader, Token};

use super::Version;
use super::checker::{Checker, Mode, next_required};
use super::code::Code;
use super::tables::{Content, NO_NAME, Particle, Schema, lookup, name_of, type_of};

/// Checks one child element of an activity of version 2.03, such as a `transaction`.
///
/// `name` is the element that the fragment has to be. Nothing is found where it may stand in an `iati-activity` as it
/// is, its place among the others left aside. Prefixes have to be declared in the fragment itself.
///
/// [`FragmentChecker`] does the same for many without asking for memory each time.
#[must_use]
pub fn check_fragment(name: &str, xml: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    FragmentChecker::new().check(name, xml, &mut |finding| findings.push(finding));
    findings
}

/// Fragments from this size on are read a piece at a time, not copied: a large one is in memory once already.
const STREAMED_BYTES: usize = 256 << 10;

/// Checks child elements of activities, or of organisations, of version 2.03, one after the other.
#[derive(Debug)]
pub struct FragmentChecker {
    checker: Checker,
}

impl Default for FragmentChecker {
    fn default() -> Self {
        Self::new()
    }
}

impl FragmentChecker {
    /// A checker, ready for any number of fragments.
    #[must_use]
    pub fn new() -> Self {
        Self {
            checker: Checker::new(Some(Version::V203)),
        }
    }

    /// Why a typed element cannot stand in a valid activity, or organisation, `None` where it can; `xml` is its canonical
    /// fragment.
    ///
    /// The fragment's order is right by construction, so that something "comes too early" only where something before it is
    /// missing: where the model knows what is missing, that is said.
    #[expect(
        private_bounds,
        reason = "an activity and an organisation are all there is to check"
    )]
    pub fn objection<E: Child>(&mut self, element: &E, xml: &str) -> Option<String> {
        let mut objection = None;
        self.check_in::<E>(element.written_name(), xml, &mut |finding| {
            objection.get_or_insert(finding.message);
        });
        let found = objection?;
        let gaps = element.all_gaps();
        if gaps.is_empty() {
            return Some(found);
        }
        let gaps: Vec<String> = gaps.iter().map(ToString::to_string).collect();
        Some(gaps.join("; "))
    }

    /// Checks one fragment, as [`check_fragment`] does, and shows `sink` what is wrong.
    pub fn check(&mut self, name: &str, xml: &str, sink: &mut dyn FnMut(Finding)) {
        self.check_in::<ActivityElement>(name, xml, sink);
    }

    fn check_in<E: Child>(&mut self, name: &str, xml: &str, sink: &mut dyn FnMut(Finding)) {
        let (schema, particles) = children_of::<E>();
        let id = lookup(name.as_bytes());
        let known = particles.iter().find(|p| p.0 == id && id != NO_NAME);
        let mode = match known {
            Some(particle) => Some(Mode::Typed(particle.1)),
            // An element of another namespace; only what it holds can be wrong.
            None => name.contains(':').then_some(Mode::Lax),
        };
        if let (Some(schema), Some(mode)) = (schema, mode) {
            self.checker.restart(schema, mode);
        } else {
            return sink(Code::UnknownElement.at(
                format!("{} has no element {name}", E::SUBJECT),
                name.to_owned(),
                1,
            ));
        }
        if xml.len() < STREAMED_BYTES {
            self.walk(Reader::of_text(xml), name, sink);
        } else {
            let limits = Limits {
                field_bytes: xml.len(),
                ..Limits::default()
            };
            self.walk(Reader::with_limits(xml.as_bytes(), limits), name, sink);
        }
    }

    fn walk<R: Read>(&mut self, mut reader: Reader<R>, name: &str, sink: &mut dyn FnMut(Finding)) {
        loop {
            match reader.advance() {
                Ok(Token::Done) => return,
                Ok(Token::Start) if reader.depth() == 1 && reader.name() != name => {
                    let message = format!("the element is {}, not {name}", reader.name());
                    return sink(Code::UnexpectedElement.at(message, reader.path(), 1));
                }
                Ok(_) => self.checker.check(&reader, sink),
                Err(error) => {
                    let line = error.position.line;
                    return sink(Code::NotWellFormed.at(
                        error.kind.to_string(),
                        reader.path(),
                        line,
                    ));
                }
            }
        }
    }
}

/// Checks that these are the children of one complete activity of version 2.03: all required ones there, each at its
/// place, none too often. Names with a colon count as elements of other namespaces.
///
/// What is wrong is said of the first place where it shows. Nothing is checked inside the children.
#[must_use]
pub fn check_children<'n>(names: impl IntoIterator<Item = &'n str>) -> Vec<Finding> {
    let (_, particles) = children_of::<ActivityElement>();
    let need = particles.last().map_or(0, |last| last.3);
    let path = || "iati-activity".to_owned();
    let mut state = 0_u8;
    for name in names {
        let id = if name.contains(':') {
            Some(NO_NAME)
        } else {
            Some(lookup(name.as_bytes())).filter(|id| *id != NO_NAME)
        };
        let found = id.and_then(|id| particles.iter().position(|p| p.0 == id));
        let Some((place, particle)) =
            found.and_then(|at| Some((u8::try_from(at + 1).ok()?, particles.get(at)?)))
        else {
            return vec![Code::UnknownElement.at(
                format!("iati-activity has no element {name}"),
                path(),
                0,
            )];
        };
        let Particle(_, _, many, before) = *particle;
        if before > state {
            let missing = next_required(particles, before, state);
            return vec![Code::MissingElement.at(
                format!("iati-activity lacks {missing} before {name}"),
                path(),
                0,
            )];
        }
        if place < state || (place == state && !many) {
            let last = particles
                .get(usize::from(state).saturating_sub(1))
                .map_or("*", |p| name_of(p.0));
            let message = if place == state {
                format!("{name} stands more than once")
            } else {
                format!("{name} stands after {last}")
            };
            return vec![Code::UnexpectedElement.at(message, path(), 0)];
        }
        state = place;
    }
    if need > state {
        let missing = next_required(particles, need, state);
        return vec![Code::MissingElement.at(format!("iati-activity lacks {missing}"), path(), 0)];
    }
    Vec::new()
}

/// The schema of such files of version 2.03, and by it the children of an activity or an organisation.
fn children_of<E: Child>() -> (Option<&'static Schema>, &'static [Particle]) {
    let schema = Schema::find(Version::V203.as_str(), E::FILE);
    let content = schema
        .and_then(|schema| schema.element(lookup(E::SUBJECT.as_bytes())))
        .map(|id| &type_of(id).content);
    match content {
        Some(Content::Sequence { particles, .. }) => (schema, particles),
        _ => (schema, &[]),
    }
}

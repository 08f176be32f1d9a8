//! Walks the tables with the tags of one document.

use std::io::Read;

use crate::report::Finding;
use crate::xml::{Reader, Token};

use super::attributes;
use super::code::Code;
use super::simple::trim;
use super::tables::{
    ComplexType, Content, NO_NAME, NameId, Particle, Schema, SimpleType, TypeId, lookup, name_of,
    type_of,
};
use super::{FileKind, StartTag, Version};

/// Where findings go, one by one.
pub(crate) type Sink<'s> = dyn FnMut(Finding) + 's;

/// Bytes of a number, date or address. No schema says so; no honest one comes near.
const VALUE_BYTES_MAX: usize = 1 << 20;

/// How an open element is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// By its type.
    Typed(TypeId),
    /// It is unknown and welcome: known elements inside it are checked.
    Lax,
    /// It is of a simple type that `xsi:type` gave it.
    Simple(SimpleType),
    /// It is unknown and was reported: nothing inside it is checked.
    Skip,
}

#[derive(Clone, Copy, Debug)]
struct Frame {
    mode: Mode,
    /// The place, from one, of the particle that matched last.
    state: u8,
    /// A finding about what it contains was made; a second would only follow from it.
    is_spoilt: bool,
    /// A finding about its text was made.
    is_text_spoilt: bool,
    line: u64,
}

/// Checks one document against the schema of its version.
///
/// It is shown each token that a [`Reader`] stands on, and says what is wrong there. Memory: a few bytes for each open
/// element, and the text of one number, date or address. Time: a few comparisons for each element and attribute.
#[derive(Debug)]
pub struct Checker {
    schema: Option<&'static Schema>,
    /// That of the schema.
    version: Option<Version>,
    forced: Option<Version>,
    /// How the root is checked, where that is known before it comes.
    root: Option<Mode>,
    frames: Vec<Frame>,
    /// Text of the innermost element of a simple type.
    value: String,
}

impl Default for Checker {
    fn default() -> Self {
        Self::new(None)
    }
}

impl Checker {
    /// A checker for one document, by the schema of this version or of the version the document names.
    #[must_use]
    pub fn new(version: Option<Version>) -> Self {
        Self {
            schema: None,
            version: None,
            forced: version,
            root: None,
            frames: Vec::with_capacity(32),
            value: String::new(),
        }
    }

    /// Makes it ready for a document whose root is checked this way, keeping its memory.
    pub(super) fn restart(&mut self, schema: &'static Schema, root: Mode) {
        self.schema = Some(schema);
        self.version = Version::of_attribute(Some(schema.version));
        self.root = Some(root);
        self.frames.clear();
        self.value.clear();
    }

    /// Goes on as if the root, whose start tag was just seen, had held activities. `false`: the root cannot hold any.
    pub(crate) fn resume_after_activity(&mut self) -> bool {
        let place = self.activity_place();
        match (self.frames.as_mut_slice(), place) {
            ([root], Some(place)) => {
                root.state = place;
                true
            }
            _ => false,
        }
    }

    /// Whether the root is the only element that is open, held activities last, and nothing that does not belong there.
    pub(crate) fn is_after_activity(&self) -> bool {
        let place = self.activity_place();
        matches!(self.frames.as_slice(), [root]
            if Some(root.state) == place && !root.is_spoilt && !root.is_text_spoilt)
    }

    /// The place of activities in the root.
    fn activity_place(&self) -> Option<u8> {
        let Mode::Typed(id) = self.frames.first()?.mode else {
            return None;
        };
        let (Content::Sequence { particles, .. } | Content::Choice { particles, .. }) =
            type_of(id).content
        else {
            return None;
        };
        let name = Some(lookup(b"iati-activity"));
        find(particles, name, || false, 0).map(|(place, _)| place)
    }

    /// The version whose schema is used; known once the root was seen.
    #[must_use]
    pub fn version(&self) -> Option<Version> {
        self.version
    }

    /// The kind of file, once the root was seen and is an IATI one.
    #[must_use]
    pub fn kind(&self) -> Option<FileKind> {
        self.schema.map(|schema| schema.kind)
    }

    /// Looks at the token that the reader stands on.
    pub fn check<R: Read>(&mut self, reader: &Reader<R>, sink: &mut Sink<'_>) {
        match reader.token() {
            Token::Start => self.start(reader, &StartTag::of(reader, 0), sink),
            Token::Text => self.text(reader, sink),
            Token::End => self.end(reader, sink),
            Token::Done => {}
        }
    }

    /// Looks at a start tag.
    pub(crate) fn start<R: Read>(
        &mut self,
        reader: &Reader<R>,
        tag: &StartTag,
        sink: &mut Sink<'_>,
    ) {
        let line = tag.line;
        let mode = match self.frames.last_mut() {
            None => self.root(reader, line, sink),
            Some(Frame {
                mode: Mode::Skip, ..
            }) => Mode::Skip,
            Some(Frame {
                mode: Mode::Lax, ..
            }) => self
                .schema
                .map_or(Mode::Lax, |schema| known_or_lax(schema, tag)),
            Some(parent) => match (parent.mode, self.schema) {
                (Mode::Typed(id), Some(schema)) => {
                    match parent.child(type_of(id), reader, tag, sink) {
                        Some(NO_TYPE) => known_or_lax(schema, tag),
                        Some(id) => Mode::Typed(id),
                        None => Mode::Skip,
                    }
                }
                _ => parent.element_in_text(reader, sink),
            },
        };
        let mode = self.schema.map_or(mode, |schema| {
            attributes::check(schema, mode, reader, tag, sink)
        });
        if mode.simple().is_some() {
            self.value.clear();
        }
        self.frames.push(Frame {
            mode,
            state: 0,
            is_spoilt: false,
            is_text_spoilt: false,
            line,
        });
    }

    fn root<R: Read>(&mut self, reader: &Reader<R>, line: u64, sink: &mut Sink<'_>) -> Mode {
        if let Some(mode) = self.root {
            return mode;
        }
        let kind = match reader.local_name() {
            "iati-organisations" | "iati-organisation" => FileKind::Organisations,
            _ => FileKind::Activities,
        };
        let named = reader.attribute("version");
        let version = self
            .forced
            .or_else(|| Version::of_attribute(named))
            .unwrap_or_else(|| {
                let message = format!(
                    "there is no schema for version {:?}; 2.03 is used",
                    named.unwrap_or_default()
                );
                sink(Code::UnknownVersion.at(message, reader.path(), line));
                Version::V203
            });
        self.schema = Schema::find(version.as_str(), kind);
        self.version = self.schema.map(|_| version);
        let known = self
            .schema
            .filter(|_| reader.is_unqualified())
            .and_then(|schema| schema.element(lookup(reader.local_name().as_bytes())));
        if let Some(id) = known {
            return Mode::Typed(id);
        }
        let message = format!("a file cannot begin with {}", reader.name());
        sink(Code::Root.at(message, reader.path(), line));
        Mode::Skip
    }

    /// Whether white space alone, at this place, may be wrong or be part of a value.
    pub(crate) fn minds_blanks(&self) -> bool {
        self.frames.last().is_none_or(|frame| match frame.mode {
            Mode::Typed(id) => matches!(
                &type_of(id).content,
                Content::Text(simple) if *simple != SimpleType::Text
            ),
            Mode::Simple(simple) => simple != SimpleType::Text,
            Mode::Lax | Mode::Skip => false,
        })
    }

    /// Looks at a piece of text.
    pub(crate) fn text<R: Read>(&mut self, reader: &Reader<R>, sink: &mut Sink<'_>) {
        let Some(frame) = self.frames.last_mut() else {
            return;
        };
        let content = match frame.mode {
            Mode::Typed(id) => &type_of(id).content,
            Mode::Simple(SimpleType::Text) | Mode::Lax | Mode::Skip => return,
            Mode::Simple(_) => return self.gather(reader, sink),
        };
        match content {
            Content::Text(SimpleType::Text) | Content::Anything => {}
            Content::Text(_) => self.gather(reader, sink),
            Content::Sequence { mixed: true, .. } | Content::Choice { mixed: true, .. } => {}
            Content::Sequence { .. } | Content::Choice { .. } => {
                // libxml2 takes a CDATA section for characters whatever is in it.
                if !frame.is_text_spoilt && (reader.is_cdata() || !reader.is_blank()) {
                    frame.is_text_spoilt = true;
                    let message = format!(
                        "{} holds elements alone, not text such as {}",
                        reader.name(),
                        quote(reader.text())
                    );
                    sink(Code::TextNotAllowed.at(message, reader.path(), frame.line));
                }
            }
        }
    }

    /// Keeps a piece of the text of a number, date or address; says so where it is longer than any.
    fn gather<R: Read>(&mut self, reader: &Reader<R>, sink: &mut Sink<'_>) {
        let Some(frame) = self.frames.last_mut() else {
            return;
        };
        if frame.is_text_spoilt {
            return;
        }
        if self.value.len() + reader.text().len() <= VALUE_BYTES_MAX {
            self.value.push_str(reader.text());
            return;
        }
        frame.is_text_spoilt = true;
        self.value = String::new();
        let message = format!("{} holds more than {VALUE_BYTES_MAX} bytes", reader.name());
        sink(Code::BadValue.at(message, reader.path(), frame.line));
    }

    /// Looks at an end tag.
    pub(crate) fn end<R: Read>(&mut self, reader: &Reader<R>, sink: &mut Sink<'_>) {
        let Some(frame) = self.frames.pop() else {
            return;
        };
        if let Some(simple) = frame.mode.simple() {
            if !frame.is_text_spoilt && !simple.accepts(&self.value) {
                let message = format!(
                    "{} holds {}, which is not {}",
                    reader.name(),
                    quote(&self.value),
                    simple.name()
                );
                sink(Code::BadValue.at(message, reader.path(), frame.line));
            }
            return;
        }
        let Mode::Typed(id) = frame.mode else { return };
        if frame.is_spoilt {
            return;
        }
        let missing = match &type_of(id).content {
            Content::Sequence {
                particles, need, ..
            } if *need > frame.state => next_required(particles, *need, frame.state),
            Content::Choice {
                particles,
                required: true,
                ..
            } if frame.state == 0 => {
                format!(
                    "any of {}",
                    particles
                        .iter()
                        .map(|p| name_of(p.0))
                        .collect::<Vec<_>>()
                        .join(", ")
                )
            }
            _ => return,
        };
        let message = format!("{} lacks {missing}", reader.name());
        sink(Code::MissingElement.at(message, reader.path(), frame.line));
    }
}

/// Stands for "no type of its own" where a child matched the wildcard.
const NO_TYPE: TypeId = TypeId::MAX;

impl Frame {
    /// The type of a child that begins, [`NO_TYPE`] where it is welcome and unknown, `None` where it does not belong.
    fn child<R: Read>(
        &mut self,
        it: &ComplexType,
        reader: &Reader<R>,
        tag: &StartTag,
        sink: &mut Sink<'_>,
    ) -> Option<TypeId> {
        let line = tag.line;
        let (particles, ordered) = match &it.content {
            Content::Anything => return Some(NO_TYPE),
            Content::Text(_) => {
                self.element_in_text(reader, sink);
                return None;
            }
            Content::Sequence { particles, .. } => (*particles, true),
            Content::Choice { particles, .. } => (*particles, false),
        };
        let has_namespace = || reader.namespace().is_some();
        let Some((place, particle)) = find(particles, tag.name, has_namespace, self.state) else {
            if !self.is_spoilt {
                self.is_spoilt = true;
                let parent = parent_name(reader);
                sink(Code::UnknownElement.at(
                    format!("{parent} has no element {}", reader.name()),
                    reader.path(),
                    line,
                ));
            }
            return None;
        };
        let Particle(_, id, many, before) = *particle;
        // Past an element of another namespace libxml2 takes what may stand any number of times right before it again, and
        // so does the official validator, which asks libxml2.
        let is_again = many
            && place + 1 == self.state
            && particles
                .get(usize::from(place))
                .is_some_and(|next| next.0 == NO_NAME);
        let fits = !ordered
            || (before <= self.state
                && (place > self.state || (place == self.state && many) || is_again));
        if fits {
            self.state = place;
        } else if !self.is_spoilt {
            self.is_spoilt = true;
            let name = reader.name();
            let message = if place > self.state {
                format!(
                    "{name} comes too early: {} has to come first",
                    next_required(particles, before, self.state)
                )
            } else if place == self.state {
                format!("{name} stands more than once")
            } else {
                let last = particles
                    .get(usize::from(self.state) - 1)
                    .map_or("*", |p| name_of(p.0));
                format!("{name} comes too late: it has to stand before {last}")
            };
            sink(Code::UnexpectedElement.at(message, reader.path(), line));
        }
        Some(if particle.0 == NO_NAME { NO_TYPE } else { id })
    }

    fn element_in_text<R: Read>(&mut self, reader: &Reader<R>, sink: &mut Sink<'_>) -> Mode {
        if !self.is_spoilt {
            self.is_spoilt = true;
            let message = format!(
                "{} holds text alone, not elements such as {}",
                parent_name(reader),
                reader.name()
            );
            sink(Code::ElementInText.at(message, reader.path(), self.line));
        }
        Mode::Skip
    }
}

impl Mode {
    /// The simple type whose value the element's text has to be, if any text is not good enough.
    fn simple(self) -> Option<SimpleType> {
        match self {
            Self::Typed(id) => match type_of(id).content {
                Content::Text(simple) if simple != SimpleType::Text => Some(simple),
                _ => None,
            },
            Self::Simple(simple) => Some(simple),
            Self::Lax | Self::Skip => None,
        }
    }
}

fn known_or_lax(schema: &'static Schema, tag: &StartTag) -> Mode {
    tag.name
        .and_then(|name| schema.element(name))
        .map_or(Mode::Lax, Mode::Typed)
}

/// The particle for a name (`None`: of another namespace or none that exists), with its place from one. Elements mostly
/// come in order, so the search begins where the last one was found.
fn find(
    particles: &'static [Particle],
    name: Option<NameId>,
    has_namespace: impl Fn() -> bool,
    state: u8,
) -> Option<(u8, &'static Particle)> {
    let wanted = match name {
        // No schema knows the name; only the wildcard bears that number, and it wants another namespace.
        Some(NO_NAME) => return None,
        Some(name) => name,
        None if has_namespace() => NO_NAME,
        None => return None,
    };
    let from = usize::from(state.saturating_sub(1));
    let (early, late) = particles.split_at_checked(from)?;
    let found = late.iter().position(|p| p.0 == wanted).map(|at| at + from);
    let place = found.or_else(|| early.iter().position(|p| p.0 == wanted))?;
    Some((u8::try_from(place + 1).ok()?, particles.get(place)?))
}

/// The name of the first particle after `state` that must not be missing.
pub(super) fn next_required(particles: &[Particle], need: u8, state: u8) -> String {
    let after = |place: usize| particles.get(place + 1).map_or(need, |next| next.3);
    let first =
        (usize::from(state)..particles.len()).find(|place| usize::from(after(*place)) == place + 1);
    first
        .and_then(|place| particles.get(place))
        .map_or("another element", |p| name_of(p.0))
        .to_owned()
}

fn parent_name<R: Read>(reader: &Reader<R>) -> String {
    let path = reader.path();
    path.rsplit('/').nth(1).unwrap_or_default().to_owned()
}

/// A value as it is shown in a message: not longer than a line.
pub(super) fn quote(text: &str) -> String {
    let text = trim(text);
    if text.chars().nth(60).is_some() {
        format!("{:?}…", text.chars().take(60).collect::<String>())
    } else {
        format!("{text:?}")
    }
}
